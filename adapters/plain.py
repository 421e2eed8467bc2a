"""Pipes and scripts: one reply a line of input, no colours, no prompts; knows nothing of terminals.

A reply's further lines begin with a tab, so that replies stay distinguishable where input comes line by line; with
`--json` each reply is one object on one line.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from adapters.controls import without_controls
from bot.protocols import Partner
from bot.texts import Texts
from bot.types import Address, Failed, Finished, Message, Person, ReplyEvent, TextDelta

CHUNK_BYTES = 65536
WAITING_LINES = 64
"""Lines that are read ahead of the reply that is running."""
CONTINUATION = "\t"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, where and when."""

    address: Address
    person: Person
    conversation_id: int
    now: Callable[[], datetime]

    def message(self, text: str) -> Message:
        """What they say."""
        return Message(self.address, self.person, text, self.now(), conversation_id=self.conversation_id)


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
        """Write the reply to one message; False if it failed.

        Args:
            text: what is said; without any words nothing is asked, and the reply is empty.
            continuation: what stands before the reply's further lines.
        """
        events = self._partner.respond(self._speaker.message(text)) if text.strip() else _silence()
        async with aclosing(events) as reply:
            if self._as_json:
                return await self._write_object(reply)
            return await self._write_text(reply, continuation)

    async def answer_lines(self, descriptor: int) -> bool:
        """Answer each line of a file descriptor in turn; False if one of them failed."""
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

    async def _write_text(self, reply: AsyncGenerator[ReplyEvent, None], continuation: str) -> bool:
        failed, written = None, False
        async for event in reply:
            if isinstance(event, TextDelta):
                written = True
                self._write(event.text.replace("\n", "\n" + continuation))
            elif isinstance(event, Failed):
                failed = event
        if written or continuation or not failed:  # in a pipe, each line has one in answer
            self._write("\n")
        if failed:
            self._errors.write(failed.text + "\n")
        return failed is None

    async def _write_object(self, reply: AsyncGenerator[ReplyEvent, None]) -> bool:
        pieces: list[str] = []
        end: Finished | Failed = Finished()
        async for event in reply:
            if isinstance(event, TextDelta):
                pieces.append(event.text)
            elif isinstance(event, Finished | Failed):
                end = event
        self._write(json.dumps(_as_object("".join(pieces), end), ensure_ascii=False) + "\n")
        if isinstance(end, Failed):
            self._errors.write(end.text + "\n")
        return isinstance(end, Finished)

    def _write(self, text: str) -> None:
        self._output.write(without_controls(text) if self._output.isatty() else text)
        self._output.flush()


async def _silence() -> AsyncGenerator[ReplyEvent, None]:
    yield Finished()


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


async def read_lines(descriptor: int) -> AsyncGenerator[bytes, None]:
    """The lines of a pipe or file without their ends; signals are heard while it waits.

    A thread of its own reads, since neither pipes on Windows nor files can be waited for in the event loop.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_LINES)

    def put(line: bytes | None) -> None:
        asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    def read() -> None:
        rest: list[bytes] = []
        try:
            while chunk := os.read(descriptor, CHUNK_BYTES):
                *whole, last = chunk.split(b"\n")
                for line in whole:
                    put(b"".join([*rest, line]).removesuffix(b"\r"))
                    rest.clear()
                rest.append(last)
            if any(rest):
                put(b"".join(rest))
        finally:
            put(None)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await lines.get()) is not None:
        yield line
