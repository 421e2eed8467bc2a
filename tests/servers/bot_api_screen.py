"""The exact log of what people see in their chats, at every moment: messages, edits, drafts, typing, deletions.

Values are frozen: what a test holds does not change under it. Chats are named by their `Chat` value; a topic of a forum
by the id of its thread. Knows nothing of bots' requests: a refused call changes nothing here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tests.servers.bot_api_checks import unit_slice

Json = dict[str, Any]
DRAFT_SECONDS = 30
TYPING_SECONDS = 5
_CONTENT = "photo voice audio sticker location venue contact video video_note animation document poll dice story game"
_SERVICE = "new_chat_members left_chat_member migrate_to_chat_id migrate_from_chat_id forum_topic_created"
KINDS = (*_CONTENT.split(), *_SERVICE.split())


class Place(Protocol):
    """Anything with a chat's key."""

    @property
    def key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Entity:
    """A formatted part; `text` is what it covers."""

    type: str
    offset: int
    length: int
    text: str
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """An inline button; `data` comes back when it is pressed."""

    text: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A message's words from the moment `at` (seconds since 1970) on."""

    text: str
    entities: tuple[Entity, ...]
    buttons: tuple[tuple[Button, ...], ...]
    at: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it is seen. `earlier` has what it said before its edits, oldest first."""

    message_id: int
    author: str
    author_id: int
    from_bot: bool
    text: str
    at: float
    kind: str = "text"
    """`text`, or what was sent: `photo`, `voice` …; `text` is then its caption."""
    entities: tuple[Entity, ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    reply_to: int | None = None
    topic: int | None = None
    album: str = ""
    file_id: str = ""
    earlier: tuple[Version, ...] = ()
    edited_at: float | None = None
    deleted_at: float | None = None
    reactions: tuple[tuple[int, str], ...] = ()
    """Who (an id) reacted how."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A live preview above the input line, until it expires or the bot sends a message."""

    draft_id: int
    text: str
    entities: tuple[Entity, ...]
    at: float
    topic: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change of the screen: `what` is message, edit, delete, draft, typing, reaction or toast."""

    at: float
    what: str
    text: str
    message_id: int | None = None
    topic: int | None = None


@dataclass(slots=True)
class _Log:
    messages: dict[int, Shown] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    actions: dict[int | None, tuple[str, float]] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)


class Screen:
    """Call it with a chat for the messages that are there now, in order; its methods tell the rest.

    Args:
        now: the time in seconds since 1970.
        changed: called after each change.
        keep: how many messages and events a chat remembers, newest first; None means all. Earlier versions of edited
            messages are kept only where everything is.
    """

    def __init__(self, *, now: Callable[[], float], changed: Callable[[], None], keep: int | None = None) -> None:
        self._now = now
        self._changed = changed
        self._keep = keep
        self._logs: defaultdict[str, _Log] = defaultdict(lambda: _Log(events=deque(maxlen=keep)))

    # what is seen

    def __call__(self, chat: Place, *, topic: int | None = None, deleted: bool = False) -> list[Shown]:
        """The messages of a chat (or of one topic of it) in order; those that were deleted only when asked for."""
        shown = self._log(chat).messages.values()
        return [
            message
            for message in shown
            if (deleted or message.deleted_at is None) and (topic is None or message.topic == topic)
        ]

    def message(self, chat: Place, message_id: int) -> Shown | None:
        """One message, also if it was deleted."""
        return self._log(chat).messages.get(message_id)

    def from_bots(self, chat: Place, *, topic: int | None = None) -> list[str]:
        """The texts that bots have standing in the chat, in order."""
        return [message.text for message in self(chat, topic=topic) if message.from_bot]

    def drafts(self, chat: Place) -> list[Draft]:
        """The previews that are seen now."""
        oldest = self._now() - DRAFT_SECONDS
        return [draft for draft in self._log(chat).drafts.values() if draft.at > oldest]

    def typing(self, chat: Place, *, topic: int | None = None) -> str:
        """What the header says that a bot is doing (`typing`, `upload_photo` …), or nothing."""
        action, at = self._log(chat).actions.get(topic, ("", 0.0))
        return action if self._now() - at < TYPING_SECONDS else ""

    def text(self, chat: Place, *, topic: int | None = None) -> str:
        """Everything in the chat as plain text, a line a message: what to print when a test fails."""
        lines = [_line(message) for message in self(chat, topic=topic)]
        lines += [f"(draft) {draft.text}" for draft in self.drafts(chat)]
        return "\n".join(lines)

    def history(self, chat: Place, what: str = "") -> list[Event]:
        """Every change there was, in order; of one sort where `what` is given."""
        return [event for event in self._log(chat).events if what in ("", event.what)]

    # what changes it; the server calls these

    def show(self, chat: Place, message: Json, *, from_bot: bool) -> Shown:
        """A new message appears, and takes away drafts and typing if a bot wrote it."""
        shown = _shown(message, self._now(), from_bot=from_bot)
        log = self._log(chat)
        log.messages[shown.message_id] = shown
        if self._keep is not None and len(log.messages) > self._keep:
            del log.messages[next(iter(log.messages))]
        if shown.from_bot:
            log.drafts.clear()
            log.actions.pop(shown.topic, None)
        self._note(chat, "message", shown.text, shown.message_id, shown.topic)
        return shown

    def edit(self, chat: Place, message: Json) -> None:
        """A message changes into `message`."""
        log = self._log(chat)
        before = log.messages.get(message["message_id"])
        if before is None:
            return
        after = _shown(message, self._now(), from_bot=before.from_bot)
        earlier = before.earlier
        if self._keep is None:
            since = before.edited_at or before.at
            earlier = (*earlier, Version(before.text, before.entities, before.buttons, since))
        log.messages[before.message_id] = replace(
            after, at=before.at, edited_at=after.at, earlier=earlier, reactions=before.reactions
        )
        self._note(chat, "edit", after.text, after.message_id, after.topic)

    def delete(self, chat: Place, message_id: int) -> None:
        """A message goes."""
        log = self._log(chat)
        if before := log.messages.get(message_id):
            log.messages[message_id] = replace(before, deleted_at=self._now())
            self._note(chat, "delete", before.text, message_id, before.topic)

    def draft(self, chat: Place, draft_id: int, text: str, entities: list[Json], topic: int | None) -> None:
        """A preview appears, or changes."""
        seen = Draft(draft_id, text, _entities(text, entities), self._now(), topic)
        self._log(chat).drafts[draft_id] = seen
        self._note(chat, "draft", text, None, topic)

    def act(self, chat: Place, action: str, topic: int | None) -> None:
        """The header says that a bot is typing, or the like."""
        self._log(chat).actions[topic] = (action, self._now())
        self._note(chat, "typing", action, None, topic)

    def react(self, chat: Place, message_id: int, author_id: int, emoji: tuple[str, ...]) -> None:
        """Somebody's reactions to a message become `emoji`."""
        log = self._log(chat)
        if before := log.messages.get(message_id):
            others = tuple(pair for pair in before.reactions if pair[0] != author_id)
            reactions = others + tuple((author_id, each) for each in emoji)
            log.messages[message_id] = replace(before, reactions=reactions)
        self._note(chat, "reaction", " ".join(emoji), message_id)

    def toast(self, chat: Place, text: str, message_id: int) -> None:
        """The answer to a pressed button pops up; an empty one ends the button's spinner."""
        self._note(chat, "toast", text, message_id)

    def _log(self, chat: Place) -> _Log:
        return self._logs[chat.key]

    def _note(self, chat: Place, what: str, text: str, message_id: int | None, topic: int | None = None) -> None:
        self._log(chat).events.append(Event(self._now(), what, text, message_id, topic))
        self._changed()


def _shown(message: Json, at: float, *, from_bot: bool) -> Shown:
    author = message.get("from") or message.get("sender_chat") or message["chat"]
    text = message.get("text") or message.get("caption") or ""
    marks = message.get("entities") or message.get("caption_entities") or []
    kind = next((name for name in KINDS if name in message), "text" if "text" in message else "unknown")
    reply = message.get("reply_to_message")
    return Shown(
        message_id=message["message_id"],
        author=author.get("first_name") or author.get("title") or "",
        author_id=author["id"],
        from_bot=from_bot,
        text=text,
        at=at,
        kind=kind,
        entities=_entities(text, marks),
        buttons=_buttons(message.get("reply_markup")),
        reply_to=reply["message_id"] if reply else None,
        topic=message.get("message_thread_id"),
        album=message.get("media_group_id", ""),
        file_id=_file_id(message.get(kind)),
    )


def _entities(text: str, entities: list[Json]) -> tuple[Entity, ...]:
    return tuple(
        Entity(
            each["type"],
            each["offset"],
            each["length"],
            unit_slice(text, each["offset"], each["length"]),
            each.get("url", ""),
            each.get("language", ""),
        )
        for each in entities
    )


def _buttons(markup: Json | None) -> tuple[tuple[Button, ...], ...]:
    rows = (markup or {}).get("inline_keyboard", ())
    return tuple(
        tuple(Button(each["text"], each.get("callback_data", ""), each.get("url", "")) for each in row) for row in rows
    )


def _file_id(content: Any) -> str:
    largest = content[-1] if isinstance(content, list) and content else content
    return str(largest.get("file_id", "")) if isinstance(largest, dict) else ""


def _line(message: Shown) -> str:
    kind = "" if message.kind == "text" else f" [{message.kind}]"
    buttons = "".join(f" <{button.text}>" for row in message.buttons for button in row)
    return f"{message.author}:{kind} {message.text}{buttons}"
