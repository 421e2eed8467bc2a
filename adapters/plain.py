"""Pipes and scripts: one reply a line of input, no colours, no prompts; knows nothing of terminals.

A reply's further lines begin with a tab, so that replies stay distinguishable where input comes line by line; with
`--json` each reply is one object on one line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TextIO

from adapters.controls import without_controls
from adapters.lines import read_lines
from bot.channel import Capabilities
from bot.delivery.formatting import Formatter
from bot.protocols import Partner, Reply
from bot.texts import Texts
from bot.types import Address, Failed, Finished, Message, Person, TextDelta, TurnState

PLAIN = Capabilities(longest=1_000_000)
CONTINUATION = "\t"
STOP_SECONDS = 5.0
"""How long a stopped reply may take to its end."""
REFUSED = "reject"
"""The act of a command that could not be obeyed."""
MOVES = ("conversation.new", "conversation.open")
"""The acts after which the person speaks in another conversation, whose `id` they name."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, where and when."""

    address: Address
    person: Person
    conversation_id: int
    now: Callable[[], datetime]

    def message(self, text: str) -> Message:
        """What they say."""
        return Message(
            self.address,
            self.person,
            text,
            self.now(),
            conversation_id=self.conversation_id,
            is_from_owner=True,  # whoever may run the program owns it
        )


class PlainAdapter:
    """Writes replies to `output`, and what went wrong to `errors`."""

    def __init__(
        self, *, partner: Partner, texts: Texts, speaker: Speaker, output: TextIO, errors: TextIO, as_json: bool = False
    ) -> None:
        self._partner = partner
        self._texts = texts
        self._speaker = speaker
        self._output = output
        self._errors = errors
        self._as_json = as_json

    async def answer(self, text: str, *, continuation: str = "") -> bool:
        """Write the reply to one message; False if it failed or the message was refused.

        Cancelled, it stops the reply and writes what was said until then.

        Args:
            text: what is said; without any words nothing is asked, and the reply is empty.
            continuation: what stands before the reply's further lines.
        """
        writing = asyncio.ensure_future(self._write_reply(text, continuation))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            if await self._partner.stop(self._speaker.address):
                await asyncio.wait([writing], timeout=STOP_SECONDS)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            raise

    async def answer_lines(self, descriptor: int) -> bool:
        """Answer each line of a file descriptor in turn; False if one of them failed or was refused."""
        good, number = True, 0
        async for raw in read_lines(descriptor):
            number += 1
            text = self._decoded(raw, number)
            good &= await self.answer(text, continuation=CONTINUATION)
        return good

    def _decoded(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            self._errors.write(self._texts.get("console.not_utf8", number=number) + "\n")
            return raw.decode("utf-8", "replace")

    async def _write_reply(self, text: str, continuation: str) -> bool:
        async with aclosing(self._reply(text)) as reply:
            if self._as_json:
                reason = await self._write_object(reply)
            else:
                reason = await self._write_text(reply, continuation)
        if reason is not None:
            self._errors.write(reason + "\n")
        return reason is None

    def _reply(self, text: str) -> Reply:
        if not text.strip():
            return _silence()
        reply = self._following(self._partner.respond(self._speaker.message(text)))
        return _of_command(reply) if text.lstrip().startswith("/") and not self._as_json else reply

    async def _following(self, reply: Reply) -> Reply:
        """The same reply; where it leads to another conversation, what is said next is said there."""
        async with aclosing(reply):
            async for event in reply:
                act = event.act if isinstance(event, Finished) else None
                if act and act.name in MOVES and isinstance(there := act.slots.get("id"), int):
                    self._speaker = replace(self._speaker, conversation_id=there)
                yield event

    async def _write_text(self, reply: Reply, continuation: str) -> str | None:
        """Write the words as they come; the reason, if there is no answer."""
        reason, written = None, False
        try:
            async for event in reply:
                if isinstance(event, TextDelta):
                    written = True
                    self._write(event.text.replace("\n", "\n" + continuation))
                elif isinstance(event, Failed):
                    reason = event.text
        finally:
            if written or continuation or reason is None:  # in a pipe, each line has one in answer
                self._write("\n")
        return reason

    async def _write_object(self, reply: Reply) -> str | None:
        """Write the whole reply at its end; the reason, if there is no answer."""
        pieces: list[str] = []
        end: Finished | Failed = Finished(state=TurnState.STOPPED)  # where it is cut short before it has an end
        try:
            async for event in reply:
                if isinstance(event, TextDelta):
                    pieces.append(event.text)
                elif isinstance(event, Finished | Failed):
                    end = event
        finally:
            self._write(json.dumps(_as_object("".join(pieces), end), ensure_ascii=False) + "\n")
        if isinstance(end, Failed):
            return end.text
        return "".join(pieces) if _is_refusal(end) else None

    def _write(self, text: str) -> None:
        self._output.write(without_controls(text) if self._output.isatty() else text)
        self._output.flush()


async def _silence() -> Reply:
    yield Finished()


async def _of_command(reply: Reply) -> Reply:
    """The same reply; where a command is refused, its words are the reason and no answer. Its own words come without
    markup, and what a model said stays as it was said.

    Only the end tells that, so that a command's text comes one piece late.
    """
    held: TextDelta | None = None
    async with aclosing(reply):
        async for event in reply:
            if held and isinstance(event, Finished) and _is_refusal(event):
                yield Failed(held.text, event.timings)
                return
            if held and isinstance(event, Finished) and event.act:
                held = TextDelta(_without_markup(held.text))
            if held:
                yield held
            held = event if isinstance(event, TextDelta) else None
            if held is None:
                yield event


def _without_markup(text: str) -> str:
    return "\n\n".join(part.text for part in Formatter(PLAIN).whole(text)) or text


def _is_refusal(end: Finished) -> bool:
    return end.act is not None and end.act.name == REFUSED


def _as_object(text: str, end: Finished | Failed) -> dict[str, object]:
    timings = end.timings
    finished = end if isinstance(end, Finished) else Finished()
    understanding, act = finished.understanding, finished.act
    return {
        "text": text,
        "intent": {
            "name": understanding.name if understanding else None,
            "confidence": understanding.confidence if understanding else 0.0,
        },
        "act": {"name": act.name, "slots": dict(act.slots)} if act else None,
        "generator": finished.generator or None,
        "model": finished.model or None,
        "tokens": {
            "prompt": finished.usage.prompt_tokens,
            "cached": finished.usage.cached_tokens,
            "completion": finished.usage.completion_tokens,
        },
        "seconds": {
            "queue": round(timings.queue_seconds, 4),
            "first": round(timings.first_seconds, 4),
            "total": round(timings.total_seconds, 4),
        },
        "state": finished.state.value if isinstance(end, Finished) else "failed",
        "error": end.text if isinstance(end, Failed) else None,
    }
