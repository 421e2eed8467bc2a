"""From the engine's reply to what the outbox is to do: shows it as it comes, and puts into words how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.channel import Content, TextFile
from bot.delivery.parcels import drafts_of
from bot.delivery.streaming import Channel, Preview
from bot.errors import StorageError
from bot.ledger import Arrival, Parcel, ParcelDraft
from bot.protocols import Partner, Reply
from bot.texts import Texts
from bot.types import Failed, Finished, Message, ReplyEvent, Status, TextDelta, Turn, TurnState

RETRY, UP, DOWN, WHY, STOP = "retry", "up", "down", "why", "stop"
BUTTONS = (RETRY, UP, DOWN, WHY)
EXCERPT_CHARACTERS = 300
"""Of a reply that is sent as a file, what is shown in the chat."""
INTERRUPT_SECONDS = 0.05
MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """How what arrives is answered, as configured."""

    max_pending: int | None = 8
    """Turns that may wait at one address."""
    burst_seconds: float = 2.0
    """What the same person adds so soon after the beginning of a turn becomes part of it."""
    restarts: bool = False
    """Whether it does so however late it comes, instead of being answered next."""
    stale_seconds: float = 600.0
    """A message that waited so long is answered with a word on that."""
    file_characters: int | None = None
    """A longer reply is sent as a file; None is never."""
    language: str = ""
    """What is spoken where a person's own language is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that has ended, as it is to be delivered."""

    drafts: list[ParcelDraft]
    turn_id: int | None


class Answering:
    """Follows replies on one account."""

    def __init__(self, channel: Channel, settings: ExchangeSettings) -> None:
        self._channel = channel
        self._file_characters = settings.file_characters
        self._stale = timedelta(seconds=settings.stale_seconds)

    async def follow(
        self, reply: Reply, arrivals: Sequence[Arrival], texts: Texts, *, targets: Sequence[str] = ()
    ) -> Answer:
        """Show the reply while it is made; what is to be delivered once it has ended.

        Args:
            reply: from the engine; it is closed here.
            arrivals: what it answers; the last one is what it replies to.
            texts: the language for what is said about it.
            targets: messages that show an earlier form of it, to be written anew.
        """
        message = arrivals[-1].update.message
        preview = Preview(
            self._channel,
            message.address,
            arrival_ids=[each.id for each in arrivals],
            reply_to=reply_target(message),
            stop_choice=texts.get("delivery.stop"),
        )
        if any(each.is_left_over or each.update.message.is_resumed for each in arrivals):
            preview.adopt(await self._channel.ledger.previews([each.id for each in arrivals]))
        if targets:
            preview.target = targets[0]
        async with preview, aclosing(reply):
            text, end = await _follow(reply, preview)
        contents = self.parts(text, end, message, texts)
        shown = [*targets] or ([preview.target] if preview.target else [])
        drafts = drafts_of(
            contents,
            message.address,
            targets=shown,
            can_delete=self._channel.adapter.capabilities.can_delete,
            reply_to=reply_target(message),
            choices=self._buttons(end, texts),
            turn_id=end.turn_id,
            arrival_id=arrivals[-1].id,
            is_repeat=preview.is_unknown,
            key=preview.key,
        )
        return Answer(drafts, end.turn_id)

    def again(self, answer: Turn, message: Message, texts: Texts, *, targets: Sequence[str]) -> list[ParcelDraft]:
        """Let the messages that show an answer show it as it is remembered."""
        end = Finished(state=answer.state, turn_id=answer.id)
        return drafts_of(
            self.parts(answer.text, end, replace(message, at=self._channel.now()), texts),
            message.address,
            targets=targets,
            can_delete=self._channel.adapter.capabilities.can_delete,
            choices=self._buttons(end, texts),
            turn_id=answer.id,
        )

    async def failed(self, arrivals: Sequence[Arrival], texts: Texts) -> list[ParcelDraft]:
        """Say that a reply failed, in the place of what was shown of it."""
        shown = list[Parcel]()
        with suppress(StorageError):
            shown = await self._channel.ledger.previews([each.id for each in arrivals])
        targets = [each.receipt for each in shown if each.receipt]
        return self.drafts([Content(texts.get("errors.unexpected"))], arrivals[-1], targets=targets)

    def drafts(
        self, contents: Sequence[Content], arrival: Arrival, *, targets: Sequence[str] = ()
    ) -> list[ParcelDraft]:
        """What is said in answer to the arrival, in the place of `targets` or of what holds its place."""
        message = arrival.update.message
        return drafts_of(
            contents,
            message.address,
            targets=targets or placeholders(message),
            can_delete=self._channel.adapter.capabilities.can_delete,
            reply_to=reply_target(message),
            arrival_id=arrival.id,
        )

    async def at_once(self, reply: Reply, message: Message, texts: Texts) -> tuple[list[Content], bool]:
        """The parts of a reply that is not shown before it has ended, and whether it stopped another one."""
        async with aclosing(reply):
            text, end = await _follow(reply, None)
        act = end.act if isinstance(end, Finished) else None
        return self.parts(text, end, message, texts), bool(act and act.slots.get("stopped"))

    def parts(self, text: str, end: Finished | Failed, message: Message, texts: Texts) -> list[Content]:
        """The reply as messages that fit, with what the person must know about it; none where nothing is to be said."""
        said = [text] if text.strip() else []
        if isinstance(end, Failed):
            said.append(end.text)
        elif end.state is not TurnState.COMPLETE and (said or end.state is not TurnState.STOPPED):
            said.append(f"*({texts.get(f'chat.{end.state.value}')})*")
        waited = self._channel.now() - message.at
        if said and waited > self._stale:
            said.insert(0, f"*{texts.get('delivery.late', when=in_words(waited, texts))}*")
        whole = "\n\n".join(said)
        capabilities = self._channel.adapter.capabilities
        if self._file_characters and capabilities.can_send_files and len(whole) > self._file_characters:
            return [self._as_file(whole, texts)]
        shown = self._channel.formatter.whole(whole)
        # signs that nobody can see are no answer
        return shown if shown or not whole else self._channel.formatter.whole(texts.get("chat.empty"))

    def _as_file(self, whole: str, texts: Texts) -> Content:
        """A reply that is too long for a chat: its beginning, and a file with all of it."""
        beginning = self._channel.formatter.whole(whole[:EXCERPT_CHARACTERS].rstrip() + "…")[0]
        note = texts.get("delivery.as_file", count=len(whole))
        return replace(beginning, text=f"{beginning.text}\n\n{note}", file=TextFile("reply.md", whole, "text/markdown"))

    def _buttons(self, end: Finished | Failed, texts: Texts) -> list[tuple[str, str]]:
        if end.turn_id is None or not self._channel.adapter.capabilities.can_choose:
            return []
        return [(texts.get(f"delivery.{name}"), f"{name}:{end.turn_id}") for name in BUTTONS]


async def _follow(reply: Reply, preview: Preview | None) -> tuple[str, Finished | Failed]:
    """All the text of a reply, and its end."""
    pieces: list[str] = []
    end: Finished | Failed | None = None
    async for event in reply:
        _see(event, pieces, preview)
        if end is None and isinstance(event, Finished | Failed):
            end = event  # a stop that comes too late changes nothing about it
    return "".join(pieces), end or Finished()


def _see(event: ReplyEvent, pieces: list[str], preview: Preview | None) -> None:
    if isinstance(event, TextDelta):
        pieces.append(event.text)
        if preview:
            preview.feed(event.text)
    elif isinstance(event, Status) and preview:
        preview.tell(event.text)


async def interrupt(channel: Channel, partner: Partner, arrival: Arrival, is_wanted: Callable[[], bool]) -> None:
    """Stop the reply that an arrival overtakes; where it is only being prepared, as soon as it has begun."""
    while is_wanted() and not await partner.stop(arrival.update.message.address):
        await channel.sleep(INTERRUPT_SECONDS)


def reply_target(message: Message) -> str:
    """The message to reply to: in groups the question, so that everybody sees what is answered; in private none.

    Where a button was pressed, it is what the button stands under; where a place is held for the answer, that.
    """
    if message.placeholder:
        return message.placeholder
    if not message.id:  # a button was pressed
        return message.reply_to
    return "" if message.is_private else message.id


def placeholders(message: Message) -> list[str]:
    """What the answer is to take the place of."""
    return [message.placeholder] if message.placeholder else []


def in_words(waited: timedelta, texts: Texts) -> str:
    """How long ago something was, roughly."""
    seconds = waited.total_seconds()
    for name, unit in (("days", DAY_SECONDS), ("hours", HOUR_SECONDS)):
        if seconds >= 2 * unit:
            return texts.get(f"delivery.{name}", count=round(seconds / unit))
    return texts.get("delivery.minutes", count=max(1, round(seconds / MINUTE_SECONDS)))
