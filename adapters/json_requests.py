"""Requests to an API that speaks JSON, for adapters. Knows no platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from adapters.requesting import SILENCE_SECONDS, UPLOAD_SECONDS, Answer, NoAnswer, NotSent, RequestMaker
from bot.channel import TextFile
from bot.errors import OutcomeUnknown, Unreachable

Json = Any


class JsonRequests(RequestMaker):
    """Makes requests below one address."""

    def __init__(self, url: str, headers: Mapping[str, str], *, proxy: str | None, unreachable: str) -> None:
        """
        Args:
            url: what the paths of requests follow.
            headers: go with each request.
            proxy: a URL, if any.
            unreachable: the text that tells a person that there is no answer.
        """
        super().__init__(proxy)
        self._url = url.rstrip("/")
        self._headers = headers
        self._unreachable = unreachable

    async def request(self, method: str, path: str, body: Json, file: TextFile | None) -> tuple[Answer, Json]:
        """The answer and what it says; an object without anything for an error that is not told in JSON.

        Args:
            method: GET, POST and the like.
            path: below the address.
            body: what is sent; None is nothing.
            file: goes along, with the body in front of it.

        Raises:
            Unreachable: the request surely did not arrive.
            OutcomeUnknown: it may have, also where its success is told in half a sentence.
        """
        sent, headers, seconds = (
            None if body is None else json.dumps(body).encode(),
            dict(self._headers),
            SILENCE_SECONDS,
        )
        if file:
            seconds += UPLOAD_SECONDS
        elif sent:
            headers["Content-Type"] = "application/json"
        form = _form(sent, file) if sent and file else sent
        try:
            answer = await self.ask(method, self._url + path, body=form, headers=headers, silence_seconds=seconds)
        except NotSent as error:
            raise Unreachable(str(error), key=self._unreachable) from None
        except NoAnswer as error:
            raise OutcomeUnknown(str(error), key=self._unreachable) from None
        try:
            return answer, json.loads(answer.content or b"null")
        except ValueError:
            if answer.status < 300:
                raise OutcomeUnknown("half an answer", key=self._unreachable) from None
            return answer, {}


def _form(body: bytes, file: TextFile) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # "files[0]" is to stay as it is
    form.add_field("payload_json", body.decode())
    form.add_field("files[0]", file.text.encode("utf-8", "replace"), filename=file.name, content_type=file.media_type)
    return form
