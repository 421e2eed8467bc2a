"""Speaks with a model on any OpenAI-compatible server: vLLM, llama-server, Ollama, transformers serve, hosted ones.

Written against `POST /chat/completions` (https://platform.openai.com/docs/api-reference/chat) and what the servers
make of it; docs/servers.md tells the differences. Asks again only while nothing has been said yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import PurePath
from typing import Any, Self

from bot.errors import GenerationError, GeneratorUnavailable, PromptTooLong
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.generation.openai_client import Connection, checked_url, shown_url
from bot.generation.openai_errors import Kind, ServerTrouble, refused_fields
from bot.generation.openai_probe import (
    ASSUMED_WINDOW_TOKENS,
    Api,
    TokenCounter,
    chat_messages,
    find_api,
    find_window,
)
from bot.generation.openai_stream import ReplyReader, estimate_prompt
from bot.types import GenerationEvent, Prompt, Sampling

logger = logging.getLogger(__name__)

EXTRAS = frozenset({"top_k", "min_p", "repetition_penalty", "repeat_penalty"})
"""Fields outside the standard."""
LISTED_NAMES = 20
"""How many of the server's models an error names."""

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[object]]


class OpenAIGenerator:
    """A model on a server.

    Args:
        model: `location` is the server's address, with or without `/v1`; `name` is the model's name there. Empty or
            `default` takes the first that the server lists, or leaves the choice to the server.
        settings: `api_key`, `timeout_seconds` and `context_length` count.
        sleep: waits between repeats.
    """

    kind = "openai"

    def __init__(self, model: ResolvedModel, settings: GeneratorSettings, *, sleep: Sleep = asyncio.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._api = Api(model.location)
        self._name = "" if model.name == "default" else model.name
        self._context_length = settings.context_length or model.context_length or ASSUMED_WINDOW_TOKENS
        self._model_context_length = model.context_length
        self._window_known = settings.context_length is not None
        self._refused: set[str] = set()
        self._connection: Connection | None = None
        self._counter: TokenCounter | None = None

    @property
    def model(self) -> str:
        """The model's name; of a path, as llama-server has it, the last part."""
        return PurePath(self._name).name if self._name.startswith("/") else self._name or "default"

    @property
    def context_length(self) -> int:
        """Tokens of prompt and reply together: as configured, as the server tells, or 4,096."""
        return self._context_length

    async def __aenter__(self) -> Self:
        """Connect, and find out what the server is.

        Raises:
            ModelError: the client library is missing, or address or key cannot be used.
            GenerationError: the server is not there, refuses the key, or is no compatible one.
        """
        url = checked_url(self._api.url)
        self._api = Api(url)
        self._connection = await asyncio.to_thread(
            Connection, url, api_key=self._settings.api_key, timeout_seconds=self._settings.timeout_seconds
        )
        try:
            await self._look_around(self._connection, url)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        connection, self._connection = self._connection, None
        self._counter = None
        if connection:
            await connection.close()

    async def _look_around(self, connection: Connection, url: str) -> None:
        self._api = await self._find_api(connection, url)
        connection.base_url = self._api.url
        if not self._name and self._api.names:
            self._name = self._api.names[0]
        if self._name and self._api.names and not self._api.entry(self._name):
            logger.warning("%s does not list %s, but %s", shown_url(url), self._name, self._listed_names())
        if not self._window_known:
            await self._find_window(connection)
        self._counter = TokenCounter(connection, self._api, self._name or None)

    async def _find_api(self, connection: Connection, url: str) -> Api:
        retries = 0
        while True:
            try:
                return await find_api(connection, url)
            except ServerTrouble as caught:
                trouble = caught
            if not await self._pause(trouble, retries):
                raise self._failure(trouble)
            retries += 1

    async def _find_window(self, connection: Connection) -> None:
        tokens = await find_window(connection, self._api, self._name) or self._model_context_length
        self._window_known = tokens is not None
        self._context_length = tokens or ASSUMED_WINDOW_TOKENS
        if tokens is None:
            logger.info(
                "%s does not tell the window of %s; %d tokens are assumed. Set model.context_length if you know better",
                shown_url(self._api.url), self.model, ASSUMED_WINDOW_TOKENS,
            )  # fmt: skip

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt: by the server's tokenizer, else an estimate that is rather too high."""
        if self._counter is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        tokens, _ = await self._counter.count(prompt.messages)
        return tokens

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]:
        """Stream a reply; see `bot.protocols.Generator`."""
        if self._connection is None or self._counter is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        await self._check_length(prompt, self._counter)
        body = self._body(prompt, sampling)
        retries = 0
        while True:
            said = False
            try:
                async with aclosing(self._attempt(self._connection, body, prompt, sampling)) as events:
                    async for event in events:
                        said = True
                        yield event
                return
            except ServerTrouble as caught:
                trouble = caught
            # raised here and not above, so that nothing of the client library hangs on to it
            if said:
                raise self._failure(trouble)
            if (mended := await self._mend(body, trouble, prompt, sampling)) is not None:
                body = mended
            elif await self._pause(trouble, retries):
                retries += 1
            else:
                raise self._failure(trouble)

    async def _attempt(
        self, connection: Connection, body: Json, prompt: Prompt, sampling: Sampling
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Ask once."""
        reader = ReplyReader(stop=sampling.stop, prompt_tokens=estimate_prompt(prompt.messages))
        async with aclosing(connection.chat(body)) as chunks:
            while not reader.overrun and (chunk := await _next(chunks, reader.patience_seconds)) is not None:
                for event in reader.feed(chunk):
                    yield event
        for last in reader.end():
            yield last

    async def _check_length(self, prompt: Prompt, counter: TokenCounter) -> None:
        """Refuse what cannot fit, where the server itself would not."""
        limit = self._context_length
        if not self._window_known or estimate_prompt(prompt.messages) <= limit:
            return
        tokens, exact = await counter.count(prompt.messages)
        if tokens > limit and (exact or self._api.is_ollama):
            raise PromptTooLong("errors.prompt_too_long", tokens=tokens, limit=limit)

    # -- asking again ---------------------------------------------------------------------------------------

    async def _mend(self, body: Json, trouble: ServerTrouble, prompt: Prompt, sampling: Sampling) -> Json | None:
        """A request that the server may accept after it refused `body`; None where there is none."""
        if trouble.kind is Kind.PROMPT_TOO_LONG:
            room = await self._room(trouble, prompt)
            return _shorten_reply(body, room, sampling)
        refused = refused_fields(trouble, body, EXTRAS)
        if not refused:
            return None
        logger.info("%s refuses %s; they are left out", shown_url(self._api.url), ", ".join(sorted(refused)))
        self._refused |= refused
        return self._accepted(body)

    async def _room(self, trouble: ServerTrouble, prompt: Prompt) -> int:
        """Tokens that the prompt leaves of the window, which may be known only now."""
        if trouble.limit_tokens and not self._window_known:
            self._context_length, self._window_known = trouble.limit_tokens, True
        trouble.limit_tokens = trouble.limit_tokens or self._context_length
        trouble.prompt_tokens = trouble.prompt_tokens or await self.count(prompt)
        return trouble.limit_tokens - trouble.prompt_tokens

    async def _pause(self, trouble: ServerTrouble, retries: int) -> bool:
        """Wait before asking again; false where that is of no use."""
        seconds = trouble.pause_seconds(retries, timeout_seconds=self._settings.timeout_seconds)
        if seconds is None:
            return False
        logger.info("%s: %s; asking again in %.1f s", shown_url(self._api.url), trouble.kind, seconds)
        await self._sleep(seconds)
        return True

    def _failure(self, trouble: ServerTrouble) -> GenerationError:
        return trouble.failure(
            url=shown_url(self._api.url),
            model=self._name or "default",
            models=self._listed_names() or "–",
            timeout_seconds=self._settings.timeout_seconds,
        )

    def _listed_names(self) -> str:
        names = self._api.names
        return ", ".join(names[:LISTED_NAMES]) + (", …" if len(names) > LISTED_NAMES else "")

    # -- the request ----------------------------------------------------------------------------------------

    def _body(self, prompt: Prompt, sampling: Sampling) -> Json:
        wanted = {
            "model": self._name or None,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,  # vLLM's name
            "repeat_penalty": sampling.repetition_penalty,  # llama.cpp's
            "seed": sampling.seed,
            "max_tokens": sampling.max_tokens,
            "stop": list(sampling.stop) or None,
            "logprobs": sampling.logprobs or None,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return self._accepted(
            {"messages": chat_messages(prompt.messages), "stream": True, "stream_options": {"include_usage": True}}
            | body
        )

    def _accepted(self, body: Json) -> Json:
        """The body without what this server refused."""
        kept = {name: value for name, value in body.items() if name not in self._refused}
        # newer hosted models know the limit by another name
        if "max_tokens" in body.keys() & self._refused and "max_completion_tokens" not in self._refused:
            kept["max_completion_tokens"] = body["max_tokens"]
        return kept


def _shorten_reply(body: Json, room: int, sampling: Sampling) -> Json | None:
    """Ask for no more than there is room for, once: vLLM counts the wanted reply into the window."""
    name = "max_tokens" if "max_tokens" in body else "max_completion_tokens"
    wanted = body.get(name)
    if wanted is None or wanted != sampling.max_tokens or not 0 < room < wanted:
        return None
    return {**body, name: room}


async def _next(chunks: AsyncGenerator[Json, None], patience_seconds: float | None) -> Json | None:
    """The next chunk; None when there is none, or none within the time."""
    try:
        async with asyncio.timeout(patience_seconds):
            return await anext(chunks, None)
    except TimeoutError:
        return None
