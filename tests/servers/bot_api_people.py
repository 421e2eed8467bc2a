"""The people's side: they write, edit, delete, press buttons, react, and throw bots out.

ann = server.person("Ann")
chat = server.chat_private(ann)
question = ann.says(chat, "/start")
ann.presses(chat, server.screen(chat)[-1], "Yes")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers.bot_api_checks import find_entities
from tests.servers.bot_api_media import MIMES, WITHOUT_FILES, file_content
from tests.servers.bot_api_screen import Button, Shown
from tests.servers.bot_api_world import PRESENT, Account, BotAccount, Chat, Query, World

Json = dict[str, Any]
Named = Shown | int
"""A message, by what is shown of it or by its id."""


def number(message: Named) -> int:
    """The id of a message."""
    return message if isinstance(message, int) else message.message_id


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with a Telegram account. What they write is on the screen at once, and on its way to the bots."""

    account: Account
    world: World

    @property
    def id(self) -> int:
        """Their user id, which is also the id of a private chat with them."""
        return self.account.id

    def says(
        self,
        chat: Chat,
        text: str,
        *,
        reply_to: Named | None = None,
        topic: int | None = None,
        entities: Sequence[Json] | None = None,
        **fields: Any,
    ) -> Shown:
        """Write a text.

        Args:
            chat: where; in a channel the post is the channel's own.
            text: the words.
            reply_to: the message that this answers.
            topic: the topic of a forum.
            entities: as they go over the wire; left out, commands, mentions, links and hashtags are found.
            fields: anything else that the message should carry, e.g. `forward_origin` or `quote`.
        """
        content: Json = {"text": text, **fields}
        if found := find_entities(text) if entities is None else list(entities):
            content["entities"] = found
        return self._post(chat, content, reply_to, topic)

    def sends(
        self,
        chat: Chat,
        kind: str,
        *,
        caption: str = "",
        content: bytes | None = b"bytes",
        size: int | None = None,
        name: str = "",
        mime: str = "",
        album: str = "",
        reply_to: Named | None = None,
        topic: int | None = None,
        **fields: Any,
    ) -> Shown:
        """Send something other than a text.

        Args:
            chat: where.
            kind: a kind of file (MIMES), something without a file (WITHOUT_FILES), or a kind that no bot knows yet.
            caption: the words below it.
            content: the file; None where only its `size` matters, as of one too big to fetch.
            size: the file's size in bytes, if it should not be that of the content.
            name: the file's name.
            mime: the file's type.
            album: equal for all the parts of one album.
            reply_to: the message that this answers.
            topic: the topic of a forum.
            fields: what stands inside the message's `kind`, on top of the usual.
        """
        if kind in MIMES:
            usual = MIMES[kind]
            file = self.world.store(content, name=name or usual[0], mime=mime or usual[1], size=size)
            body = file_content(kind, file)
            if fields and kind != "photo":
                body[kind] |= fields
        else:
            body = {kind: WITHOUT_FILES.get(kind, {}) | fields}
        if caption:
            body |= {"caption": caption, "caption_entities": find_entities(caption)}
        if album:
            body["media_group_id"] = album
        return self._post(chat, body, reply_to, topic)

    def sends_album(self, chat: Chat, kinds: Sequence[str], *, caption: str = "", album: str = "album1") -> list[Shown]:
        """Send several files as one album: a message each, the caption with the first."""
        return [
            self.sends(chat, kind, caption=caption if place == 0 else "", album=album)
            for place, kind in enumerate(kinds)
        ]

    def edits(self, chat: Chat, message: Named, text: str) -> None:
        """Change a text (or the caption) of theirs; the bots get an edited_message or edited_channel_post."""
        before = chat.messages[number(message)]
        field, marks = ("text", "entities") if "text" in before else ("caption", "caption_entities")
        after = {key: value for key, value in before.items() if key != marks}
        after |= {field: text, "edit_date": int(self.world.now())}
        if found := find_entities(text):
            after[marks] = found
        self.world.replace(chat, after)
        self.world.tell(chat, "edited_channel_post" if chat.type == "channel" else "edited_message", after)

    def deletes(self, chat: Chat, message: Named) -> None:
        """Delete a message; bots are not told."""
        self.world.delete(chat, number(message))

    def presses(self, chat: Chat, message: Named, button: str | Button) -> str:
        """Press the inline button with this text or data; the query's id. LookupError if it is not there."""
        found = chat.messages[number(message)]
        wanted = button.text if isinstance(button, Button) else button
        for row in found.get("reply_markup", {}).get("inline_keyboard", ()):
            for each in row:
                if wanted in (each["text"], each.get("callback_data")):
                    return self._press(chat, found, str(each.get("callback_data", "")))
        raise LookupError(f"no button {wanted!r} below message {found['message_id']}")

    def _press(self, chat: Chat, message: Json, data: str) -> str:
        world = self.world
        author = message.get("from", {}).get("id")
        bot = next(each for each in world.bots_in(chat) if chat.type == "channel" or each.id == author)
        query_id = str(next(world.ids))
        bot.queries[query_id] = Query(chat, message["message_id"], world.now())
        if world.keep is not None and len(bot.queries) > world.keep:
            del bot.queries[next(iter(bot.queries))]
        press = {"id": query_id, "from": self.account.wire(), "chat_instance": chat.key, "message": message}
        bot.updates.push("callback_query", press | {"data": data})
        return query_id

    def reacts(self, chat: Chat, message: Named, *emoji: str) -> None:
        """Set their reactions to a message. Bots that asked for it hear of it; in groups administrators only."""
        shown = self.world.screen.message(chat, number(message))
        old = tuple(each for who, each in shown.reactions if who == self.id) if shown else ()
        self.world.screen.react(chat, number(message), self.id, emoji)
        update = {
            "chat": chat.wire(),
            "message_id": number(message),
            "user": self.account.wire(),
            "date": int(self.world.now()),
            "old_reaction": [{"type": "emoji", "emoji": each} for each in old],
            "new_reaction": [{"type": "emoji", "emoji": each} for each in emoji],
        }
        for bot in self.world.bots_in(chat):
            if not chat.group or chat.bots[bot.id] == "administrator":
                bot.updates.push("message_reaction", update)

    def blocks(self, chat: Chat) -> None:
        """Block the bot of a private chat: from now on it gets 403."""
        for bot in self.world.bots_in(chat):
            self.world.membership(bot, chat, self.account, "member", "kicked")
        chat.blocked = True

    def unblocks(self, chat: Chat) -> None:
        """Let the bot of a private chat write again."""
        chat.blocked = False
        for bot in self.world.bots_in(chat):
            self.world.membership(bot, chat, self.account, "kicked", "member")

    def leaves_telegram(self) -> None:
        """Delete the account: bots get "user is deactivated"."""
        self.account.deactivated = True

    def sets_bot(self, chat: Chat, bot: BotAccount, status: str) -> None:
        """Add a bot to a group, throw it out or promote it: member, administrator, kicked or left."""
        old = chat.bots.get(bot.id, "left")
        chat.bots[bot.id] = status
        self.world.membership(bot, chat, self.account, old, status)
        if status in PRESENT and old not in PRESENT:
            self.world.post(chat, self.account, {"new_chat_members": [bot.account.wire()]})

    def opens_topic(self, chat: Chat, name: str) -> int:
        """Open a topic in a forum; its message_thread_id."""
        topic = chat.last_id + 1
        chat.topics[topic] = name
        created = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self._post(chat, created, None, topic)
        return topic

    def upgrades(self, chat: Chat) -> Chat:
        """Make a supergroup of a group: it gets a new id, and both ids get a service message."""
        world = self.world
        new_id = -1_000_000_000_000 - next(world.ids)
        new = Chat(new_id, "supergroup", str(new_id), chat.title, bots=dict(chat.bots), people=dict(chat.people))
        world.chats[new.key] = new
        world.post(chat, self.account, {"migrate_to_chat_id": new.id})
        chat.migrated_to = new
        world.post(new, self.account, {"migrate_from_chat_id": chat.id})
        return new

    def _post(self, chat: Chat, content: Json, reply_to: Named | None, topic: int | None) -> Shown:
        if topic is not None:
            content |= {"message_thread_id": topic, "is_topic_message": True}
        sender = None if chat.type == "channel" else self.account
        message = self.world.post(chat, sender, content, reply_to=None if reply_to is None else number(reply_to))
        shown = self.world.screen.message(chat, message["message_id"])
        assert shown is not None
        return shown
