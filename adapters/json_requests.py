"""Requests to an API that speaks JSON, for adapters, and what their failures mean. Knows no platform.

A refusal is told as `{"code": …, "message": …}`, a request to wait as status 429 with `retry_after` in seconds, and
with `global` where the whole account is meant; by headers, or by nothing, where something in between refuses.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

import aiohttp

from adapters.requesting import SILENCE_SECONDS, UPLOAD_SECONDS, Answer, NoAnswer, NotSent, RequestMaker
from bot.channel import TextFile
from bot.errors import AccountRefused, ChannelError, OutcomeUnknown, RateLimited, Rejected, Unreachable
from bot.patience import Patience

LIMITED_SECONDS = 5.0
"""To wait where nothing says how long."""

Json = Any
T = TypeVar("T")


class JsonRequests(RequestMaker):
    """Makes requests below one address, for one account."""

    def __init__(self, url: str, headers: Mapping[str, str], *, proxy: str | None, texts: str) -> None:
        """
        Args:
            url: what the paths of requests follow.
            headers: go with each request.
            proxy: a URL, if any.
            texts: the file of texts that has `unreachable` and `token_refused`.
        """
        super().__init__(proxy)
        self._url = url.rstrip("/")
        self._headers = headers
        self._texts = texts

    async def begin(self, *paths: str) -> list[Json]:
        """Be ready, and get these; where that fails, nothing stays open."""
        await self.initialize()
        try:
            return [await self.call("GET", path) for path in paths]
        except BaseException:
            await self.shutdown()
            raise

    async def call(
        self, method: str, path: str, body: Json = None, *, file: TextFile | None = None, harmless: Collection[int] = ()
    ) -> Json:
        """What is answered; None for a refusal with a `harmless` code.

        Raises:
            ChannelError: as `bot.channel.Adapter` says; a success that is told in half a sentence is an unknown one.
        """
        try:
            answer = await self._ask(method, path, body, file)
            told = json.loads(answer.content or b"null")
        except NotSent as error:
            raise Unreachable(str(error), key=f"{self._texts}.unreachable") from None
        except NoAnswer as error:
            raise OutcomeUnknown(str(error), key=f"{self._texts}.unreachable") from None
        except ValueError:  # a page of something in between
            told = {"message": "not told in JSON"}
            if answer.status < 300:
                raise OutcomeUnknown("half an answer", key=f"{self._texts}.unreachable") from None
        if answer.status < 300:
            return told
        told = told if isinstance(told, dict) else {}
        if told.get("code") not in harmless:
            raise self._refusal(answer, told, path)
        return None

    async def _ask(self, method: str, path: str, body: Json, file: TextFile | None) -> Answer:
        headers, seconds = dict(self._headers), SILENCE_SECONDS
        sent: bytes | aiohttp.FormData | None = None if body is None else json.dumps(body).encode()
        if file:
            sent, seconds = _form(body, file), seconds + UPLOAD_SECONDS
        elif sent:
            headers["Content-Type"] = "application/json"
        return await self.ask(method, self._url + path, body=sent, headers=headers, silence_seconds=seconds)

    def _refusal(self, answer: Answer, told: Json, path: str) -> ChannelError:
        code = told.get("code", 0)
        reason = f"{told.get('message', 'refused')} ({answer.status}, {code})"[:200]
        if answer.status == 429:
            wait = told.get("retry_after") or answer.headers.get("Retry-After") or LIMITED_SECONDS
            return RateLimited(reason, retry_after=float(wait), everywhere=told.get("global", True))
        if answer.status >= 500:
            return OutcomeUnknown(reason, key=f"{self._texts}.unreachable")
        if answer.status == 401 and not code:
            return AccountRefused(reason, key=f"{self._texts}.token_refused")
        return self.refusal(code, reason, path)

    def refusal(self, code: int, reason: str, path: str) -> ChannelError:
        """What a code of the platform's own means."""
        return Rejected(reason)


async def patiently(patience: Patience, attempt: Callable[[], Awaitable[T]], unreachable: str) -> T:
    """What comes of something that connects, however long that takes; `unreachable` tells in the log what is wrong."""

    async def once() -> T:
        try:
            return await attempt()
        except (OSError, aiohttp.ClientError) as error:
            raise Unreachable(type(error).__name__, key=unreachable) from None

    return await patience.insist(once)


def _form(body: Json, file: TextFile) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # "files[0]" is to stay as it is
    form.add_field("payload_json", json.dumps(body | {"attachments": [{"id": 0, "filename": file.name}]}))
    form.add_field("files[0]", file.text.encode("utf-8", "replace"), filename=file.name, content_type=file.media_type)
    return form
