"""Telegram itself, without sockets: accounts, chats, messages, files, and who gets to know of what.

Messages are kept as they go over the wire. A message never changes in place: an edit puts another one in its stead, so
that updates which wait keep what they said.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.servers.bot_api_checks import ApiError, bad, forbidden, unit_slice
from tests.servers.bot_api_flood import Governor
from tests.servers.bot_api_screen import Screen
from tests.servers.bot_api_updates import UpdateQueue

Json = dict[str, Any]
PRESENT = frozenset({"member", "administrator", "creator"})
DOWNLOAD_BYTES = 20_000_000
UPLOAD_BYTES = 50_000_000


@dataclass(slots=True, eq=False)
class Account:
    """A person or a bot, as others see it."""

    id: int
    first_name: str
    username: str = ""
    language: str = ""
    is_bot: bool = False
    deactivated: bool = False

    def wire(self) -> Json:
        """A User."""
        user: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        if self.username:
            user["username"] = self.username
        if self.language:
            user["language_code"] = self.language
        return user


@dataclass(slots=True, eq=False)
class Chat:
    """A chat. `key` names it uniquely, also where two bots have private chats with the same person."""

    id: int
    type: str
    key: str
    title: str = ""
    username: str = ""
    person: Account | None = None
    forum: bool = False
    started: bool = True
    blocked: bool = False
    bots: dict[int, str] = field(default_factory=dict)
    """Each bot's status: member, administrator, kicked or left."""
    people: dict[int, Account] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Json] = field(default_factory=dict)
    last_id: int = 0
    last_bot: int = 0
    migrated_to: Chat | None = None

    @property
    def group(self) -> bool:
        """Whether it is anything but a private chat."""
        return self.type != "private"

    def wire(self) -> Json:
        """A Chat."""
        chat: Json = {"id": self.id, "type": self.type}
        if self.person:
            chat["first_name"] = self.person.first_name
        if self.title:
            chat["title"] = self.title
        username = self.person.username if self.person else self.username
        if username:
            chat["username"] = username
        if self.forum:
            chat["is_forum"] = True
        return chat


@dataclass(slots=True, eq=False)
class BotAccount:
    """A bot: its account, its updates and what it told Telegram about itself."""

    account: Account
    token: str
    updates: UpdateQueue
    reads_all: bool = False
    """Whether privacy mode is off: can_read_all_group_messages."""
    governor: Governor | None = None
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The bot's user id."""
        return self.account.id


@dataclass(slots=True)
class Query:
    """A pressed button that waits for its answer."""

    chat: Chat
    message_id: int
    at: float
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A stored file; without `content` it is only known by its size."""

    file_id: str
    path: str
    size: int
    content: bytes | None
    name: str
    mime: str

    def wire(self) -> Json:
        """The fields that every kind of file has."""
        return {"file_id": self.file_id, "file_unique_id": f"u{self.file_id}", "file_size": self.size}


class World:
    """Everything there is. `keep` bounds what each chat remembers; None keeps all."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        screen: Screen,
        keep: int | None = None,
        strict: bool = True,
        query_seconds: float = 15,
    ) -> None:
        self.now = now
        self.screen = screen
        self.keep = keep
        self.strict = strict
        self.query_seconds = query_seconds
        self.bots: dict[str, BotAccount] = {}
        self.accounts: dict[int, Account] = {}
        self.chats: dict[str, Chat] = {}
        self.files: dict[str, File] = {}
        self.paths: dict[str, File] = {}
        self.counted: Counter[str] = Counter()
        self.ids = itertools.count(100_001)

    # who is where

    def chat_for(self, bot: BotAccount, chat_id: str) -> Chat:
        """The chat that a bot names, or ApiError; whether it may write there, `reachable` tells."""
        if chat_id.startswith("@"):
            name = chat_id[1:].lower()
            chat = next((each for each in self.chats.values() if each.group and each.username.lower() == name), None)
        else:
            chat = self.chats.get(chat_id) or self.chats.get(f"{bot.id}:{chat_id}")
        if chat is None or not chat_id:
            raise bad("chat not found" if chat_id else "chat_id is empty")
        return chat

    def reachable(self, bot: BotAccount, chat_id: str) -> Chat:
        """The chat that a bot names, if it may write there; ApiError in the real words if not."""
        chat = self.chat_for(bot, chat_id)
        if chat.migrated_to:
            reason = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, reason, migrate_to_chat_id=chat.migrated_to.id)
        if chat.person:
            self._check_person(chat, chat.person)
            return chat
        status = chat.bots.get(bot.id, "left")
        kind = "group" if chat.type == "group" else chat.type
        if status == "kicked":
            raise forbidden(f"bot was kicked from the {kind} chat")
        if status not in PRESENT:
            raise forbidden(f"bot is not a member of the {kind} chat")
        return chat

    def _check_person(self, chat: Chat, person: Account) -> None:
        if person.deactivated:
            raise forbidden("user is deactivated")
        if not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")

    def bots_in(self, chat: Chat) -> Iterator[BotAccount]:
        """The bots that take part in a chat."""
        for bot in self.bots.values():
            own = chat.key.startswith(f"{bot.id}:") and not chat.blocked
            if own if chat.person else chat.bots.get(bot.id) in PRESENT:
                yield bot

    # messages

    def post(
        self, chat: Chat, sender: Account | None, content: Json, *, reply_to: int | None = None, bot: int = 0
    ) -> Json:
        """A message appears in the chat, and the bots that may see it get an update.

        Args:
            chat: where.
            sender: who; None is the channel itself.
            content: the message's other fields.
            reply_to: the message that it answers.
            bot: the bot that wrote it, if one did; it hears nothing of it.
        """
        chat.last_id += 1
        message: Json = {"message_id": chat.last_id, "date": int(self.now()), "chat": chat.wire()}
        message["sender_chat" if sender is None else "from"] = chat.wire() if sender is None else sender.wire()
        if reply_to is not None and reply_to in chat.messages:
            replied = chat.messages[reply_to]
            message["reply_to_message"] = {key: replied[key] for key in replied if key != "reply_to_message"}
        message |= content
        self._store(chat, message)
        self.screen.show(chat, message, from_bot=bool(bot))
        chat.last_bot = bot or chat.last_bot
        self.tell(chat, "channel_post" if chat.type == "channel" else "message", message, bot=bot)
        return message

    def replace(self, chat: Chat, message: Json) -> None:
        """A message is edited into `message`."""
        chat.messages[message["message_id"]] = message
        self.screen.edit(chat, message)

    def delete(self, chat: Chat, message_id: int) -> None:
        """A message goes; no bot is told."""
        chat.messages.pop(message_id, None)
        self.screen.delete(chat, message_id)

    def _store(self, chat: Chat, message: Json) -> None:
        chat.messages[message["message_id"]] = message
        if self.keep is not None and len(chat.messages) > self.keep:
            del chat.messages[next(iter(chat.messages))]

    # updates

    def tell(self, chat: Chat, kind: str, message: Json, *, bot: int = 0) -> None:
        """An update for each bot that may see the message; bots do not hear other bots (`bot`), except in channels."""
        if bot and chat.type != "channel":
            return
        for each in self.bots_in(chat):
            if each.id != bot and self._sees(each, chat, message):
                each.updates.push(kind, message)

    def _sees(self, bot: BotAccount, chat: Chat, message: Json) -> bool:
        """Privacy mode: in groups only what is addressed to the bot, and what Telegram itself says."""
        if not chat.type.endswith("group") or bot.reads_all or chat.bots[bot.id] != "member":
            return True
        service = not any(name in message for name in ("text", "caption", "photo", "document", "voice", "sticker"))
        replied = message.get("reply_to_message", {}).get("from", {}).get("id") == bot.id
        return service or replied or self._addressed(bot, chat, message)

    def _addressed(self, bot: BotAccount, chat: Chat, message: Json) -> bool:
        text = message.get("text") or message.get("caption") or ""
        own = f"@{bot.account.username}".lower()
        for entity in message.get("entities") or message.get("caption_entities") or ():
            part = unit_slice(text, entity["offset"], entity["length"]).lower()
            if entity["type"] == "mention" and part == own:
                return True
            general = "@" not in part and chat.last_bot == bot.id
            if entity["type"] == "bot_command" and (general or part.endswith(own)):
                return True
            if entity["type"] == "text_mention" and entity["user"]["id"] == bot.id:
                return True
        return False

    def membership(self, bot: BotAccount, chat: Chat, by: Account, old: str, new: str) -> None:
        """The bot hears that its own standing in a chat changed."""
        member = {"user": bot.account.wire()}
        change = {"chat": chat.wire(), "from": by.wire(), "date": int(self.now())}
        change["old_chat_member"] = _member(member, old)
        change["new_chat_member"] = _member(member, new)
        bot.updates.push("my_chat_member", change)

    # files

    def store(self, content: bytes | None, *, name: str, mime: str, size: int | None = None) -> File:
        """Keep a file; without content it is only known by its `size`."""
        number = next(self.ids)
        path = f"documents/file_{number}_{name}"
        length = len(content or b"") if size is None else size
        file = File(f"file{number}", path, length, content, name, mime)
        self.files[file.file_id] = self.paths[path] = file
        if self.keep is not None and len(self.files) > self.keep:
            oldest = self.files.pop(next(iter(self.files)))
            self.paths.pop(oldest.path)
        return file


_RIGHTS = (
    "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members "
    "can_promote_members can_change_info can_invite_users can_post_stories can_edit_stories can_delete_stories"
)


def _member(user: Json, status: str) -> Json:
    member = {**user, "status": status}
    if status == "kicked":
        member["until_date"] = 0
    if status == "administrator":
        member |= dict.fromkeys(_RIGHTS.split(), False)
    return member
