"""Turns the chunks of a chat completion into generation events, whatever a server leaves out or adds.

Knows nothing of HTTP or of asking again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from bot.generation.openai_errors import Kind, ServerTrouble
from bot.types import EndReason, GeneratedText, GenerationEnd, PromptMessage, Usage

logger = logging.getLogger(__name__)

BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8
USAGE_PATIENCE_SECONDS = 2.0
"""How long a finished reply waits for its usage, which may come in a chunk of its own, or never."""
DONE_PATIENCE_SECONDS = 0.1
"""How long a stream that said `[DONE]` may take to end, so that its connection can be used again."""

Json = dict[str, Any]


def estimate_text(text: str) -> int:
    """Tokens of a text, rather too many: English has 4 to 5 bytes a token, Chinese about 3, code 3."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_prompt(messages: Sequence[PromptMessage]) -> int:
    """Tokens of a prompt, rather too many: that of its texts and 8 a message for the chat template."""
    return sum(estimate_text(message.content) + TOKENS_PER_MESSAGE for message in messages)


class ReplyReader:
    """Feed it the chunks of one reply, then ask for its end.

    Args:
        stop: strings that end the reply; servers differ on whether they take them out.
        prompt_tokens: an estimate, for servers that do not count.
    """

    def __init__(self, *, stop: Sequence[str] = (), prompt_tokens: int = 0) -> None:
        self._stop = StopFilter(stop)
        self._prompt_tokens = prompt_tokens
        self._completion_tokens = 0  # by estimate
        self._logprobs: tuple[float, ...] = ()
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._done = False  # the server said so
        self._counted = False  # usage came in a chunk of its own, which is the last
        self.overrun = False
        """Set when the server goes on after a stop string: nothing more is wanted of it."""

    @property
    def patience_seconds(self) -> float | None:
        """How long the next chunk is worth waiting for; None leaves it to the server's own time limit."""
        if self._done:
            return DONE_PATIENCE_SECONDS
        return USAGE_PATIENCE_SECONDS if self._is_whole() else None

    def feed(self, chunk: Json) -> list[GeneratedText]:
        """The pieces of text in a chunk.

        Raises:
            ServerTrouble: the chunk is not of the standard's shape.
        """
        try:
            return list(self._take(chunk))
        except (AttributeError, KeyError, TypeError, ValueError):
            kind = Kind.NOT_JSON
        raise ServerTrouble(kind)

    def _take(self, chunk: Json) -> Iterator[GeneratedText]:
        choices = chunk.get("choices") or ()
        if usage := _usage(chunk):
            self._usage = usage
            self._counted = self._counted or not choices
        self._done = self._done or chunk.get("done") is True
        for choice in choices[:1]:
            self._finish = choice.get("finish_reason") or self._finish
            # a server that does not stream sends a message instead of a delta
            yield from self._read(choice.get("delta") or choice.get("message") or {}, choice.get("logprobs") or {})

    def _read(self, delta: Json, logprobs: Json) -> Iterator[GeneratedText]:
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            self._completion_tokens += estimate_text(str(reasoning))
            yield GeneratedText(str(reasoning), reasoning=True)
        text = _plain(delta.get("content"))
        if not text:
            return
        self.overrun = self._stop.hit
        self._completion_tokens += estimate_text(text)
        self._logprobs += tuple(float(token["logprob"]) for token in logprobs.get("content") or ())
        yield from self._piece(self._stop.feed(text))

    def _piece(self, text: str) -> Iterator[GeneratedText]:
        if text:
            logprobs, self._logprobs = self._logprobs, ()
            yield GeneratedText(text, logprobs)

    def end(self) -> Iterator[GeneratedText | GenerationEnd]:
        """What was held back, and the last event.

        Raises:
            ServerTrouble: the stream ended before the reply did, or the reply was cut by a filter.
        """
        yield from self._piece(self._stop.flush())
        if not self._is_whole():
            raise ServerTrouble(Kind.BROKE_OFF)
        if self._finish == "content_filter":
            raise ServerTrouble(Kind.FILTERED)
        if self._finish == "error":
            raise ServerTrouble(Kind.SERVER_FAILED)
        if self._usage is None:
            logger.debug("the server did not count tokens; they are estimated")
        usage = self._usage or Usage(self._prompt_tokens, 0, self._completion_tokens)
        yield GenerationEnd(EndReason.LENGTH if self._finish == "length" else EndReason.STOP, usage)

    def _is_whole(self) -> bool:
        return bool(self._finish or self._done or self._counted or self._stop.hit)


class StopFilter:
    """Ends a streamed text before the first of some strings; holds back only what may turn out to be one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(filter(None, stop))
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """The text that is certain now; nothing after a hit."""
        if self.hit:
            return ""
        self._held += text
        found = [place for string in self._stop if (place := self._held.find(string)) >= 0]
        if found:
            self.hit = True
            certain, self._held = self._held[: min(found)], ""
            return certain
        cut = len(self._held) - self._undecided()
        certain, self._held = self._held[:cut], self._held[cut:]
        return certain

    def flush(self) -> str:
        """What is left when the text has ended."""
        certain, self._held = self._held, ""
        return certain

    def _undecided(self) -> int:
        """How many characters at the end may begin a stop string."""
        longest = min(len(self._held), max(map(len, self._stop), default=1) - 1)
        for size in range(longest, 0, -1):
            if any(string.startswith(self._held[-size:]) for string in self._stop):
                return size
        return 0


def _plain(content: object) -> str:
    """The text of a delta's content: a string, or typed parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(chunk: Json) -> Usage | None:
    """Token counts in the chunk: the standard's, or llama-server's `timings`, which stand in every chunk's place."""
    usage, timings = chunk.get("usage"), chunk.get("timings") or {}
    cached = timings.get("cache_n") or 0
    if usage:
        details = usage.get("prompt_tokens_details") or {}
        return Usage(
            usage.get("prompt_tokens") or 0,
            details.get("cached_tokens") or cached,
            usage.get("completion_tokens") or 0,
        )
    if "predicted_n" in timings:
        return Usage((timings.get("prompt_n") or 0) + cached, cached, timings["predicted_n"])
    return None
