"""The exact log of what people see in Discord's channels, at every moment: messages, edits, typing, deletions.

Values are frozen: what a test holds does not change under it. Channels and threads are named by their value or anything
else with an `id`. A message with `only_for` is seen by that one person (an ephemeral answer). Knows nothing of bots'
requests: a refused call changes nothing here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

Json = dict[str, Any]
TYPING_SECONDS = 10
_LOADING, _EPHEMERAL = 1 << 7, 1 << 6
_REPLY = 19
_KINDS = {6: "pinned", 7: "joined", 18: "thread created", 21: "thread starter"}


class Place(Protocol):
    """Anything with a channel's id."""

    @property
    def id(self) -> int: ...


class Somebody(Protocol):
    """Anything with a person's id."""

    @property
    def id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Button:
    """A button; `custom_id` comes back when it is clicked."""

    label: str
    custom_id: str = ""
    url: str = ""
    disabled: bool = False
    style: int = 1


@dataclass(frozen=True, slots=True)
class Menu:
    """A menu to choose from; `options` are pairs of label and value."""

    custom_id: str
    placeholder: str = ""
    options: tuple[tuple[str, str], ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file below a message; `url` is where it could be fetched when it was shown."""

    id: int
    name: str
    size: int
    url: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Pings:
    """Whom a message really notifies: people and roles by id, or everyone."""

    users: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        return bool(self.users or self.roles or self.everyone)


@dataclass(frozen=True, slots=True)
class Version:
    """A message's words from the moment `at` (seconds since 1970) on."""

    text: str
    buttons: tuple[Button, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it is seen. `earlier` has what it said before its edits, oldest first."""

    message_id: int
    channel_id: int
    author: str
    author_id: int
    from_bot: bool
    text: str
    at: float
    kind: str = "text"
    """`text`, `forwarded`, `thinking` (a deferred answer), or what Discord itself says: `pinned`, `thread created` …"""
    buttons: tuple[Button, ...] = ()
    menus: tuple[Menu, ...] = ()
    files: tuple[File, ...] = ()
    embeds: tuple[str, ...] = ()
    """Title and description of each."""
    reply_to: int | None = None
    only_for: int | None = None
    pings: Pings = Pings()
    earlier: tuple[Version, ...] = ()
    edited_at: float | None = None
    deleted_at: float | None = None
    reactions: tuple[tuple[int, str], ...] = ()
    """Who (an id) reacted how."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of the screen: message, edit, delete, typing, reaction, pressed, failed, thread, unfold or gone."""

    at: float
    what: str
    text: str
    message_id: int | None = None
    only_for: int | None = None


@dataclass(slots=True)
class _Log:
    messages: dict[int, Shown] = field(default_factory=dict)
    typing: dict[str, float] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)


class Screen:
    """Call it with a channel for the messages that are there now, in order; its methods tell the rest.

    Args:
        now: the time in seconds since 1970.
        changed: called after each change.
        keep: how many messages and events a channel remembers, newest first; None means all. Earlier versions of edited
            messages are kept only where everything is.
    """

    def __init__(self, *, now: Callable[[], float], changed: Callable[[], None], keep: int | None = None) -> None:
        self._now = now
        self._changed = changed
        self._keep = keep
        self._logs: defaultdict[int, _Log] = defaultdict(lambda: _Log(events=deque(maxlen=keep)))

    # what is seen

    def __call__(self, channel: Place, *, person: Somebody | None = None, deleted: bool = False) -> list[Shown]:
        """The messages of a channel in order, as a person sees them, or as everybody does.

        Args:
            channel: a channel, thread or direct conversation.
            person: whose ephemeral answers are seen, too; None: nobody's.
            deleted: also what was deleted.
        """
        return [
            message
            for message in self._logs[channel.id].messages.values()
            if (deleted or message.deleted_at is None)
            and (message.only_for is None or (person is not None and message.only_for == person.id))
        ]

    def message(self, channel: Place, message_id: int) -> Shown | None:
        """One message, also if it was deleted or is ephemeral."""
        return self._logs[channel.id].messages.get(message_id)

    def from_bots(self, channel: Place, *, person: Somebody | None = None) -> list[str]:
        """The texts that bots have standing in the channel, in order; a bot that thinks has none yet."""
        return [message.text for message in self(channel, person=person) if message.from_bot]

    def typing(self, channel: Place) -> str:
        """Who is typing, by name, or nothing."""
        now = self._now()
        return ", ".join(name for name, at in self._logs[channel.id].typing.items() if now - at < TYPING_SECONDS)

    def text(self, channel: Place, *, person: Somebody | None = None) -> str:
        """Everything in the channel as plain text, a line a message: what to print when a test fails."""
        return "\n".join(_line(message) for message in self(channel, person=person))

    def history(self, channel: Place, what: str = "") -> list[Event]:
        """Every change there was, in order; of one sort where `what` is given."""
        return [event for event in self._logs[channel.id].events if what in ("", event.what)]

    # what changes it; the server calls these

    def show(self, channel: Place, message: Json, *, pings: Pings, only_for: int | None = None) -> Shown:
        """A new message appears, and ends its author's typing."""
        shown = replace(_shown(message, self._now()), pings=pings, only_for=only_for)
        log = self._logs[channel.id]
        log.messages[shown.message_id] = shown
        if self._keep is not None and len(log.messages) > self._keep:
            del log.messages[next(iter(log.messages))]
        log.typing.pop(shown.author, None)
        self._note(channel, "message", shown.text, shown.message_id, only_for)
        return shown

    def edit(self, channel: Place, message: Json) -> None:
        """A message changes into `message`. The end of a bot's thinking is a change, too."""
        log = self._logs[channel.id]
        before = log.messages.get(int(message["id"]))
        if before is None:
            return
        after = _shown(message, self._now())
        earlier = before.earlier
        if self._keep is None and before.kind != "thinking":
            since = before.edited_at or before.at
            earlier = (*earlier, Version(before.text, before.buttons, since))
        log.messages[before.message_id] = replace(
            after,
            at=before.at,
            edited_at=after.at,
            earlier=earlier,
            reactions=before.reactions,
            only_for=before.only_for,
            pings=before.pings,
        )
        self._note(channel, "edit", after.text, after.message_id, before.only_for)

    def unfold(self, channel: Place, message: Json) -> None:
        """A link of a message unfolds."""
        log = self._logs[channel.id]
        if before := log.messages.get(int(message["id"])):
            log.messages[before.message_id] = replace(before, embeds=_shown(message, before.at).embeds)
            self._note(channel, "unfold", before.text, before.message_id)

    def delete(self, channel: Place, message_id: int) -> None:
        """A message goes."""
        log = self._logs[channel.id]
        if before := log.messages.get(message_id):
            log.messages[message_id] = replace(before, deleted_at=self._now())
            self._note(channel, "delete", before.text, message_id, before.only_for)

    def type(self, channel: Place, name: str) -> None:
        """Somebody is typing."""
        self._logs[channel.id].typing[name] = self._now()
        self._note(channel, "typing", name)

    def react(self, channel: Place, message_id: int, author_id: int, emoji: str, *, there: bool) -> None:
        """Somebody's reaction to a message comes or goes."""
        log = self._logs[channel.id]
        if before := log.messages.get(message_id):
            others = tuple(pair for pair in before.reactions if pair != (author_id, emoji))
            reactions = (*others, (author_id, emoji)) if there else others
            log.messages[message_id] = replace(before, reactions=reactions)
        self._note(channel, "reaction", emoji if there else "", message_id)

    def note(self, channel: Place, what: str, text: str, message_id: int | None = None, *, only_for: int) -> None:
        """Something that one person sees by their side: `pressed` or `failed`."""
        self._note(channel, what, text, message_id, only_for)

    def announce(self, channel: Place, what: str, text: str, message_id: int | None = None) -> None:
        """Something about the channel itself: `thread` or `gone`."""
        self._note(channel, what, text, message_id)

    def _note(
        self, channel: Place, what: str, text: str, message_id: int | None = None, only_for: int | None = None
    ) -> None:
        self._logs[channel.id].events.append(Event(self._now(), what, text, message_id, only_for))
        self._changed()


def _shown(message: Json, at: float) -> Shown:
    author = message["author"]
    parts = [part for row in message.get("components") or () for part in row["components"]]
    loading = message.get("flags", 0) & _LOADING
    reference = message.get("message_reference") or {}
    kind = "thinking" if loading else _KINDS.get(message["type"], "text")
    if snapshots := message.get("message_snapshots"):
        kind, message = "forwarded", message | snapshots[0]["message"]
    return Shown(
        message_id=int(message["id"]),
        channel_id=int(message["channel_id"]),
        author=author.get("global_name") or author["username"],
        author_id=int(author["id"]),
        from_bot=bool(author.get("bot")),
        text=message["content"],
        at=at,
        kind=kind,
        buttons=tuple(_button(part) for part in parts if part["type"] == 2),
        menus=tuple(_menu(part) for part in parts if part["type"] != 2),
        files=tuple(_file(each) for each in message.get("attachments", ())),
        embeds=tuple(_embed(each) for each in message.get("embeds", ())),
        reply_to=int(reference["message_id"]) if message["type"] == _REPLY else None,
    )


def _button(part: Json) -> Button:
    label = part.get("label") or (part.get("emoji") or {}).get("name") or ""
    disabled = bool(part.get("disabled"))
    return Button(label, part.get("custom_id") or "", part.get("url") or "", disabled, part["style"])


def _menu(part: Json) -> Menu:
    options = tuple((each["label"], each["value"]) for each in part.get("options", ()))
    return Menu(part["custom_id"], part.get("placeholder") or "", options, bool(part.get("disabled")))


def _file(each: Json) -> File:
    return File(int(each["id"]), each["filename"], each["size"], each["url"], each.get("content_type") or "")


def _embed(each: Json) -> str:
    return "\n".join(str(each[name]) for name in ("title", "description") if each.get(name))


def _line(message: Shown) -> str:
    kind = "" if message.kind == "text" else f" [{message.kind}]"
    alone = " (only for you)" if message.only_for is not None else ""
    files = "".join(f" [{file.name}]" for file in message.files)
    buttons = "".join(f" <{button.label}>" for button in message.buttons)
    return f"{message.author}{alone}:{kind} {message.text}{files}{buttons}"
