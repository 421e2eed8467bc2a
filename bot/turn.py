"""A turn while it runs: its times, how it is stopped, what it has said so far."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bot.errors import ParleyError
from bot.places import Place
from bot.protocols import Reply
from bot.texts import Texts
from bot.types import (
    Failed,
    Finished,
    Message,
    ReplyEvent,
    TextDelta,
    Timings,
    Turn,
    TurnState,
    Understanding,
)

logger = logging.getLogger(__name__)

NAME_LENGTH = 48
"""Characters of the first message that name a conversation."""
STICKER = "sticker"
QUOTE = "> "
QUOTE_LENGTH = 2000
"""Characters of a quoted message that the model gets to see."""


@dataclass(slots=True)
class RunningTurn:
    """One message that is being answered."""

    started: float = field(default_factory=time.perf_counter)
    queue_seconds: float = 0.0
    first_seconds: float = 0.0
    replaced_id: int | None = None
    """The stored answer that this one takes the place of."""
    place: Place = field(default_factory=Place)
    """What was settled where it was said."""
    known: Finished = field(default_factory=Finished)
    """What is known of the answer's making before it ends: kept also where it is cut short."""
    recorded: Finished | Failed | None = None
    """How it ended, once that is stored."""
    _stopped: bool = False
    _task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Cut the reply short; doing so again must not cut short how it ends."""
        if self._task and not self._stopped:
            self._task.cancel()
        self._stopped = True

    def note(self, known: Finished) -> None:
        """Remember what is known of the answer's making."""
        self.known = known

    def begin(self) -> None:
        """Note that those before it are over."""
        self.queue_seconds = time.perf_counter() - self.started

    @property
    def timings(self) -> Timings:
        """Seconds until now."""
        return Timings(self.queue_seconds, self.first_seconds, time.perf_counter() - self.started)

    async def follow(self, reply: Reply) -> AsyncGenerator[ReplyEvent, None]:
        """The reply's events, read by a task of its own, so that `stop` can interrupt it wherever it waits."""
        events: asyncio.Queue[ReplyEvent | None] = asyncio.Queue()

        async def read() -> None:
            async with aclosing(reply):
                async for event in reply:
                    self._see(event)
                    events.put_nowait(event)

        self._task = task = asyncio.create_task(read())
        # not at the end of `read`, which never begins if it is stopped at once
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield replace(event, timings=self.timings) if isinstance(event, Finished | Failed) else event
            if self._stopped:
                await asyncio.wait([task])
                yield self.recorded or Finished(state=TurnState.STOPPED, timings=self.timings)
            else:
                await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    def _see(self, event: ReplyEvent) -> None:
        if not self.first_seconds and isinstance(event, TextDelta):
            self.first_seconds = time.perf_counter() - self.started


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply has said so far."""

    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


def failure_of(error: Exception, texts: Texts) -> Failed:
    """The end of a reply that broke off; what is not ours to explain is logged."""
    if isinstance(error, ParleyError):
        logger.warning("a reply broke off: %s", error)
        return Failed(error.told(texts))
    logger.error("a reply broke off", exc_info=error)
    return Failed(texts.get("errors.unexpected"))


def end_of(answer: Turn, understanding: Understanding) -> Finished:
    """The end of a reply that was stored, but not seen to its end."""
    return Finished(
        answer.state, understanding, None, answer.generator, answer.model, answer.usage, answer.timings, answer.id
    )


def quoted(message: Message) -> str:
    """What was said, with what it replies to in front where the conversation does not have that, and with what came
    along that words can say."""
    said = [message.text] if message.text.strip() else []
    said += [f"[{each.kind}: {each.name}]" for each in message.attachments if not each.is_file and each.name]
    if message.quote and message.after_turn_id is None:
        said.insert(0, "\n".join(f"{QUOTE}{line}" for line in message.quote[:QUOTE_LENGTH].splitlines()))
    return "\n\n".join(said)


def remembered(message: Message, texts: Texts) -> str:
    """What was said, as prompts hold it: where files came along, with a word that they cannot be looked into, since
    models else make up what is in them."""
    words, kinds = quoted(message), _kinds(message, texts)
    return f"{words}\n\n[{texts.get('attachments.unread', kinds=kinds)}]" if words and kinds else words


def _kinds(message: Message, texts: Texts) -> str:
    """The kinds of files that came along, in words."""
    kinds = dict.fromkeys(each.kind for each in message.attachments if each.is_file)
    return ", ".join(texts.find(f"attachments.{kind}") or texts.get("attachments.unknown") for kind in kinds)


def without_origin(message: Message) -> Message:
    """The message without the quote of what its thread grew from, which only the thread's first message needs.

    What says nothing itself keeps it: that may be something that was passed on.
    """
    is_of_origin = message.grew_from is not None and not message.reply_to and message.text.strip()
    return replace(message, quote="") if is_of_origin else message


def unusable(message: Message, texts: Texts) -> str:
    """A sentence on the files that came along and cannot be read yet; empty where there are none."""
    kinds = dict.fromkeys(each.kind for each in message.attachments if each.is_file)
    if not kinds:
        return ""
    if [*kinds] == [STICKER] and not quoted(message):
        emoji = "".join(each.name for each in message.attachments)
        return texts.get("attachments.sticker_with_emoji" if emoji else "attachments.sticker_alone", emoji=emoji)
    key = "attachments.go_by_text" if quoted(message) else "attachments.cannot_use"
    return texts.get(key, kinds=_kinds(message, texts))


def name_from(text: str) -> str:
    """The name of a conversation that begins with this text."""
    line = " ".join(text[: NAME_LENGTH * 8].split())
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"


def unknown_command(understanding: Understanding, texts: Texts) -> str:
    """That there is no such command, and what it may have been meant to be."""
    name = understanding.slots.get("name") or understanding.name.rpartition(".")[2]
    near = understanding.slots.get("near")
    if not isinstance(near, tuple) or not near:
        return texts.get("commands.unknown", name=name)
    return texts.get("commands.unknown_near", name=name, near=", ".join(f"/{other}" for other in near))
