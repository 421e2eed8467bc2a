"""A scripted generator for tests and plugin authors: says what it was told, or what was queued, word by word."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator
from typing import Self

from bot.errors import PromptTooLong
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.types import EndReason, GeneratedText, GenerationEnd, GenerationEvent, Prompt, Role, Sampling, Usage

UNLIMITED_TOKENS = 1 << 30
KEPT_PROMPTS = 100


class EchoGenerator:
    """Streams the last user message back; white space and line breaks are kept. A token is a word.

    `enqueue` scripts the next replies (an exception is raised where it stands in the script); `history` holds the
    last KEPT_PROMPTS prompts that it was given.
    """

    kind = "echo"

    def __init__(self, model: ResolvedModel | None = None, settings: GeneratorSettings | None = None) -> None:
        self.model = model.name if model else "echo"
        self._settings = settings or GeneratorSettings()
        self.history: list[Prompt] = []
        self._script: deque[list[str | Exception]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return None

    @property
    def context_length(self) -> int:
        """As configured; unlimited otherwise."""
        return self._settings.context_length or UNLIMITED_TOKENS

    def enqueue(self, *pieces: str | Exception) -> None:
        """Script the next reply: these pieces, in this order."""
        self._script.append(list(pieces))

    async def count(self, prompt: Prompt) -> int:
        """Words of the prompt."""
        return sum(len(message.content.split()) for message in prompt.messages)

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]:
        """Stream the reply, `echo_delay_seconds` between pieces.

        Raises:
            PromptTooLong: the prompt has more words than `context_length`.
        """
        self.history.append(prompt)
        del self.history[:-KEPT_PROMPTS]
        tokens = await self.count(prompt)
        if tokens > self.context_length:
            raise PromptTooLong("errors.prompt_too_long", tokens=tokens, limit=self.context_length)
        pieces = self._script.popleft() if self._script else words(_last_user_text(prompt))
        limit = sampling.max_tokens if sampling.max_tokens is not None else len(pieces)
        for piece in pieces[:limit]:
            if isinstance(piece, Exception):
                raise piece
            if self._settings.echo_delay_seconds:
                await asyncio.sleep(self._settings.echo_delay_seconds)
            yield GeneratedText(piece)
        reason = EndReason.LENGTH if limit < len(pieces) else EndReason.STOP
        yield GenerationEnd(reason, Usage(tokens, 0, min(limit, len(pieces))))


def words(text: str) -> list[str | Exception]:
    """The words of a text, each with the white space around it, so that joining them gives the text."""
    return list(re.findall(r"^\s*\S*\s*|\S+\s*", text)) if text else []


def _last_user_text(prompt: Prompt) -> str:
    return next((m.content for m in reversed(prompt.messages) if m.role is Role.USER), "")
