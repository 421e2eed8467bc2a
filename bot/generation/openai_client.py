"""The wire to a compatible server: the one place that knows the `openai` library.

Configured by its arguments alone: what the environment sets for that library (key, address, organisation, project,
headers) has no effect. Its own retries are off. Whatever goes wrong is a `ServerTrouble`.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from bot.errors import ModelError
from bot.generation.openai_errors import CONNECT_SECONDS, Kind, ServerTrouble, decode_answer, trouble_of_answer

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

PROBE_SECONDS = 10.0
NO_KEY = "none"
"""Sent where no key is configured, since the library wants one."""

Json = dict[str, Any]
DONE: Json = {"done": True}
"""Stands for the `[DONE]` that ends a stream."""


class Connection:
    """A server that is asked with one key. Safe to share between tasks."""

    def __init__(self, url: str, *, api_key: str = "", timeout_seconds: float) -> None:
        """Prepare a connection; nothing is sent. Imports the library, so call it in a thread.

        Args:
            url: where the API begins; `base_url` may change it.
            timeout_seconds: how long the server may stay silent.

        Raises:
            ModelError: the library is missing, or the key cannot be sent.
        """
        try:
            import openai
        except ImportError:
            raise ModelError("openai.not_installed") from None
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs addresses, which may hold a password
        self._secret = usable_key(api_key)
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=self._secret or NO_KEY,
            admin_api_key="",
            webhook_secret="",
            max_retries=0,
            timeout=openai.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
        )
        self._forget_environment(self._client)
        self._errors = _library_errors()
        # uvicorn hangs up after an error, just when the next request goes out on the same connection
        self._probe_options: RequestOptions = {"timeout": PROBE_SECONDS, "headers": {"Connection": "close"}}

    @staticmethod
    def _forget_environment(client: AsyncOpenAI) -> None:
        client.organization = client.project = None
        client._custom_headers = {}  # OPENAI_CUSTOM_HEADERS has no argument that overrides it

    @property
    def base_url(self) -> str:
        """Where the API begins, without a slash at the end."""
        return str(self._client.base_url).rstrip("/")

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._client.base_url = url

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def get(self, url: str) -> object:
        """The JSON (or text) at `url`.

        Raises:
            ServerTrouble: there is no good answer within `PROBE_SECONDS`.
        """
        try:
            return await self._client.get(url, cast_to=object, options=self._probe_options)
        except self._errors as error:
            trouble = self._trouble(error)
        raise trouble

    async def post(self, url: str, body: Json) -> object:
        """The JSON (or text) that answers `body`; see `get`."""
        try:
            return await self._client.post(url, cast_to=object, body=body, options=self._probe_options)
        except self._errors as error:
            trouble = self._trouble(error)
        raise trouble

    async def chat(self, body: Json) -> AsyncGenerator[Json, None]:
        """The chunks of a chat completion as they come; `DONE` where the server says so. Closing it hangs up.

        Raises:
            ServerTrouble: the request was refused, or the answer broke off or is none.
        """
        import openai

        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        create = cast(Any, self._client.chat.completions.with_streaming_response.create)
        try:
            async with create(
                model=body.get("model", openai.omit), messages=body["messages"], extra_body=rest
            ) as response:
                async with aclosing(_chunks(response.headers.get("content-type", ""), response.iter_bytes())) as chunks:
                    async for chunk in chunks:
                        if error := chunk.get("error"):
                            raise self._streamed_trouble(error, str(body.get("model", "")))
                        yield chunk
                return
        except self._errors as error:
            trouble = self._trouble(error, str(body.get("model", "")))
        raise trouble

    def _streamed_trouble(self, error: object, model: str) -> ServerTrouble:
        code = str(error.get("code")) if isinstance(error, dict) else ""
        status = int(code) if code.isdigit() else 500
        return trouble_of_answer(status, error, model=model, secret=self._secret)

    def _trouble(self, error: BaseException, model: str = "") -> ServerTrouble:
        """What the library raised, without what it holds on to."""
        import openai

        if isinstance(error, openai.APIStatusError):
            trouble = trouble_of_answer(
                error.status_code, error.body, model=model, secret=self._secret, headers=error.response.headers
            )
            if trouble.kind is Kind.KEY_REFUSED and not self._secret:
                trouble.kind = Kind.KEY_MISSING
            return trouble
        if isinstance(error, openai.APIConnectionError):
            error = error.__cause__ or error
        return ServerTrouble(_kind_of_transport_error(error))


def usable_key(api_key: str) -> str:
    """The key without white space around it.

    Raises:
        ModelError: it has characters that no HTTP header can carry, as a mangled copy has.
    """
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError("openai.key_unusable")
    return key


def checked_url(url: str) -> str:
    """The address with a scheme, without a slash or a method's path at its end.

    Raises:
        ModelError: it is no HTTP address.
    """
    text = url.strip()
    full = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(full)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ModelError("openai.url_invalid", url=text)
    return full.rstrip("/").removesuffix("/chat/completions").rstrip("/")


def shown_url(url: str) -> str:
    """The address as people may see it: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


# -- reading a stream ---------------------------------------------------------------------------------------


async def _chunks(content_type: str, pieces: AsyncIterable[bytes]) -> AsyncGenerator[Json, None]:
    """The chunks of an answer: server-sent events, or one completion where the server does not stream."""
    if "json" in content_type or "html" in content_type:
        text = b"".join([piece async for piece in pieces]).decode("utf-8", "replace")
        yield decode_answer(text)
        yield DONE
        return
    stray = False
    async with aclosing(_lines(pieces)) as lines:
        async for line in lines:
            # a chunk is always one line; waiting for the blank one would trip over servers that leave it out
            if not line.startswith("data:"):
                stray = stray or not line.startswith(("event:", "id:", "retry:", ":"))
            elif (data := line.removeprefix("data:").strip()) == "[DONE]":
                yield DONE
            elif data:
                stray = False
                yield decode_answer(data)
    if stray:
        raise ServerTrouble(Kind.NOT_JSON)


async def _lines(pieces: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """Lines that are not empty. Split as bytes: a character may come in two pieces, and U+2028 ends no line."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if text := line.decode("utf-8", "replace").strip():
                yield text
    if text := rest.decode("utf-8", "replace").strip():
        yield text


# -- errors of the transport --------------------------------------------------------------------------------


def _library_errors() -> tuple[type[Exception], ...]:
    """What the library raises; a body that is streamed raises its transport's own errors, unwrapped."""
    import anyio
    import httpx2  # the transport of `openai`, which depends on it
    import openai

    garbled = (json.JSONDecodeError, UnicodeDecodeError)
    return openai.OpenAIError, httpx2.HTTPError, ssl.SSLError, anyio.EndOfStream, *garbled


def _kind_of_transport_error(error: BaseException) -> Kind:
    import httpx2

    if isinstance(error, ValueError):
        return Kind.NOT_JSON
    causes = tuple(_causes(error))
    if any(isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout) for cause in causes):
        return Kind.NO_CONNECTION
    if any(isinstance(cause, httpx2.TimeoutException) for cause in causes):
        return Kind.SILENT
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Kind.NO_ADDRESS
    if not isinstance(error, httpx2.ConnectError | ssl.SSLCertVerificationError):
        return Kind.BROKE_OFF
    return Kind.NOT_TRUSTED if any(isinstance(cause, ssl.SSLError) for cause in causes) else Kind.UNREACHABLE


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything it came from."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
