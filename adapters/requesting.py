"""Requests over HTTP for adapters, on connections that are kept: a third of the work of a general client.

Tells what was surely not sent from what may have arrived. Knows no platform; shaped so that a library which lets its
requests be made by others can be given it (see `RequestMaker`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx

CONNECTIONS = 256
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 10.0
"""How long an answer may keep us waiting for more of it."""
UPLOAD_SECONDS = 20.0
"""Granted besides where a file goes with the request."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class NoAnswer(Exception):
    """There was no answer, or not all of it: whether the request arrived is not known."""


class NotSent(NoAnswer):
    """The request surely did not arrive."""


class Form(Protocol):
    """What is sent."""

    @property
    def json_parameters(self) -> Mapping[str, str]:
        """Fields."""

    @property
    def multipart_data(self) -> Mapping[str, tuple[str, Any, str]]:
        """Files, by the names of their fields: name, content, media type."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class RequestMaker:
    """Makes any number of requests at once."""

    read_timeout = SILENCE_SECONDS

    def __init__(self, proxy: str | None = None) -> None:
        """`proxy` is a URL; where there is none, that of the environment counts, as with other programs."""
        self._proxy = cache(lambda scheme, host: proxy or _proxy_of_environment(scheme, host))
        self._session: aiohttp.ClientSession | None = None

    async def initialize(self) -> None:
        """Be ready; nothing is sent."""
        if self._session is None:
            # the certificates that everything else here trusts, also where the system has none for Python
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=httpx.create_ssl_context())
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def shutdown(self) -> None:
        """Let go of the connections; it can be made ready again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self, url: str, method: str, request_data: Form | None = None, read_timeout: Any = None, *_: Any, **__: Any
    ) -> tuple[int, bytes]:
        """The answer's status and content; redirections are not followed.

        Args:
            url: where to.
            method: POST, GET and the like.
            request_data: what is sent.
            read_timeout: seconds that the answer may keep us waiting; anything else is the usual ones.

        Raises:
            NotSent: it surely did not arrive.
            NoAnswer: it may have.
            UnicodeEncodeError: what is sent cannot be written.
        """
        files = request_data.multipart_data if request_data else {}
        silence = read_timeout if isinstance(read_timeout, int | float) else SILENCE_SECONDS
        answer = await self.ask(
            method,
            url,
            body=_body(request_data.json_parameters, files) if request_data else None,
            headers=None if files else FORM,
            silence_seconds=silence + (UPLOAD_SECONDS if files else 0),
        )
        return answer.status, answer.content

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: aiohttp.FormData | bytes | None,
        headers: Mapping[str, str] | None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Answer:
        """The whole answer; `silence_seconds` is how long it may keep us waiting. Raises as `do_request` does."""
        session = self._session
        assert session is not None, "not ready"
        # the loop looks at its sockets once, so that a kept connection that was closed meanwhile is not used: of what
        # is written there, nobody could tell what has become
        for _turn in range(2):
            await asyncio.sleep(0)
        try:
            async with session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=silence_seconds),
                proxy=self._proxy(*urlsplit(url)[:2]),
                allow_redirects=False,
            ) as answer:
                return Answer(answer.status, answer.headers, await answer.read())
        # told without what they say, since addresses may hold secrets
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError) as error:
            raise NotSent(_reason(error)) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(_reason(error)) from None


def _reason(error: Exception) -> str:
    """The system's word for it, such as `Connection refused`, or else its kind."""
    cause = getattr(error, "os_error", None) or error.__cause__ or error
    return getattr(cause, "strerror", None) or type(error).__name__


def _body(fields: Mapping[str, str], files: Mapping[str, tuple[str, Any, str]]) -> aiohttp.FormData | bytes:
    if not files:  # the library's own way takes several times as long
        return urlencode(fields).encode()
    form = aiohttp.FormData(fields)
    for field, (name, content, media_type) in files.items():
        form.add_field(field, content, filename=name, content_type=media_type)
    return form


def _proxy_of_environment(scheme: str, host: str) -> str | None:
    return None if proxy_bypass(host) else getproxies().get(scheme)
