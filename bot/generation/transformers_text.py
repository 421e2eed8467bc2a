"""Turns tokens into text as they are generated: whole characters only, and never a stop string; knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.types import GeneratedText

INCOMPLETE = "\ufffd"
"""What tokenizers write for bytes that are not a whole character yet."""

Decode = Callable[[Sequence[int]], str]
"""Text of tokens, special ones left out and spaces left as they are."""


class Detokenizer:
    """Decodes a growing reply, a few tokens at a time.

    Each piece is the difference between two decodings that begin at the same earlier token, since how a token reads
    (the space before a word, the bytes of a character) depends on its neighbours. Source of the method:
    `decode_token` of text-generation-inference.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._read = 0  # tokens of the window whose text was given out

    def feed(self, token: int) -> str:
        """The text that is certain with this token; empty while a character is incomplete."""
        self._window.append(token)
        shown, text = self._texts()
        if len(text) <= len(shown) or text.endswith(INCOMPLETE):
            return ""
        self._window = self._window[self._read :]
        self._read = len(self._window)
        return text[len(shown) :]

    def flush(self) -> str:
        """What was held back, without the bytes of a character that never became whole."""
        shown, text = self._texts()
        self._window, self._read = [], 0
        return text[len(shown) :].rstrip(INCOMPLETE)

    def _texts(self) -> tuple[str, str]:
        return self._decode(self._window[: self._read]), self._decode(self._window)


class TextAssembler:
    """Makes the events of a reply from its tokens; what may become a stop string is held back."""

    def __init__(self, decode: Decode, stop: Sequence[str] = ()) -> None:
        self._detokenizer = Detokenizer(decode)
        self._stop = [text for text in stop if text]
        self._held = ""
        self._logprobs: list[float] = []
        self.stopped = False
        """Whether a stop string has come; what follows it is dropped."""

    def feed(self, token: int, logprob: float | None = None) -> GeneratedText | None:
        """The event that is certain with this token, if any."""
        if logprob is not None:
            self._logprobs.append(logprob)
        self._held += self._detokenizer.feed(token)
        return self._emit(final=False)

    def flush(self) -> GeneratedText | None:
        """The last event, if anything is left."""
        self._held += self._detokenizer.flush()
        return self._emit(final=True)

    def _emit(self, *, final: bool) -> GeneratedText | None:
        if self.stopped:
            return None
        end = self._find_stop()
        if end is None:
            end = len(self._held) - (0 if final else self._undecided())
        text, self._held = self._held[:end], self._held[end:]
        if not text:
            return None
        logprobs, self._logprobs = tuple(self._logprobs), []
        return GeneratedText(text, logprobs)

    def _find_stop(self) -> int | None:
        found = [at for text in self._stop if (at := self._held.find(text)) >= 0]
        self.stopped = bool(found)
        return min(found, default=None)

    def _undecided(self) -> int:
        """How many characters at the end may be the start of a stop string."""
        longest = min(max(map(len, self._stop), default=1) - 1, len(self._held))
        endings = (size for size in range(longest, 0, -1) if self._may_be_stop(self._held[-size:]))
        return next(endings, 0)

    def _may_be_stop(self, text: str) -> bool:
        return any(stop.startswith(text) for stop in self._stop)
