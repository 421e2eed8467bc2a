"""The control API of a Bot API server in a process of its own, and the client that a test drives it with.

Chats go by their `key`, people and messages by their id; see control for how it is called. With `Remote` a test writes

    remote = Remote("http://127.0.0.1:8081")
    ann = remote("person", name="Ann")["person"]
    chat = remote("private", person=ann)["chat"]
    remote("say", person=ann, chat=chat, text="Hello")
    remote("wait", chat=chat, contains="Hello, Ann", seconds=20)
    remote("screen", chat=chat)["messages"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.servers.bot_api_faults import UpdateFault, fault_from_json
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import BotAccount, Chat
from tests.servers.control import ControlError, Remote

if TYPE_CHECKING:
    from tests.servers.bot_api import BotApiServer

__all__ = ["Control", "Remote"]

Json = dict[str, Any]


class Control:
    """What can be asked of `server` over HTTP."""

    def __init__(self, server: BotApiServer) -> None:
        self._server = server

    # who is there

    def bot(self, *, token: str = "", username: str = "", reads_all: bool | None = None) -> Json:
        """The first bot, or one of this token."""
        server = self._server
        bot = server.bot(token or server.token, username, reads_all=reads_all)
        return {"token": bot.token, "id": bot.id, "username": bot.account.username}

    def person(self, *, name: str = "Ann", username: str = "", language: str = "en", person_id: int = 0) -> Json:
        """Somebody new."""
        somebody = self._server.person(name, username=username, language=language, person_id=person_id)
        return {"person": somebody.id}

    def private(self, *, person: int, token: str = "", started: bool = True) -> Json:
        """The private chat of a person and a bot."""
        chat = self._server.chat_private(self._person(person), bot=self._bot(token), started=started)
        return {"chat": chat.key, "id": chat.id}

    def group(self, *, title: str, people: Sequence[int] = (), kind: str = "supergroup", **options: Any) -> Json:
        """A group or channel; options are `forum`, `admin` and `username`."""
        members = [self._person(each) for each in people]
        chat = self._server.chat_group(title, *members, kind=kind, **options)
        return {"chat": chat.key, "id": chat.id}

    # what people do

    def say(self, *, person: int, chat: str, text: str, reply_to: int | None = None, topic: int | None = None) -> Json:
        """Write a text."""
        shown = self._person(person).says(self._chat(chat), text, reply_to=reply_to, topic=topic)
        return {"message_id": shown.message_id}

    def send(self, *, person: int, chat: str, kind: str, caption: str = "", size: int | None = None) -> Json:
        """Send a file or something else that is no text."""
        shown = self._person(person).sends(self._chat(chat), kind, caption=caption, size=size)
        return {"message_id": shown.message_id, "file_id": shown.file_id}

    def edit(self, *, person: int, chat: str, message_id: int, text: str) -> None:
        """Change a message."""
        self._person(person).edits(self._chat(chat), message_id, text)

    def delete(self, *, person: int, chat: str, message_id: int) -> None:
        """Delete a message."""
        self._person(person).deletes(self._chat(chat), message_id)

    def press(self, *, person: int, chat: str, message_id: int, button: str) -> Json:
        """Press a button."""
        return {"query_id": self._person(person).presses(self._chat(chat), message_id, button)}

    def react(self, *, person: int, chat: str, message_id: int, emoji: Sequence[str]) -> None:
        """React to a message."""
        self._person(person).reacts(self._chat(chat), message_id, *emoji)

    def block(self, *, person: int, chat: str, blocked: bool = True) -> None:
        """Block the bot of a private chat, or let it write again."""
        who, where = self._person(person), self._chat(chat)
        (who.blocks if blocked else who.unblocks)(where)

    def standing(self, *, person: int, chat: str, status: str, token: str = "") -> None:
        """Make a group's bot a member or an administrator, or throw it out (kicked, left)."""
        self._person(person).sets_bot(self._chat(chat), self._bot(token), status)

    def upgrade(self, *, person: int, chat: str) -> Json:
        """Make a supergroup of a group."""
        new = self._person(person).upgrades(self._chat(chat))
        return {"chat": new.key, "id": new.id}

    # what is seen

    def screen(self, *, chat: str, topic: int | None = None, deleted: bool = False) -> Json:
        """Everything that is on a chat's screen."""
        screen, where = self._server.screen, self._chat(chat)
        return {
            "messages": [asdict(each) for each in screen(where, topic=topic, deleted=deleted)],
            "drafts": [asdict(each) for each in screen.drafts(where)],
            "typing": screen.typing(where, topic=topic),
            "text": screen.text(where, topic=topic),
        }

    def history(self, *, chat: str, what: str = "") -> Json:
        """Every change of a chat's screen."""
        return {"events": [asdict(each) for each in self._server.screen.history(self._chat(chat), what)]}

    async def wait(self, *, chat: str, contains: str = "", messages: int = 1, seconds: float = 10) -> Json:
        """Until bots have so many messages in the chat that contain a text; what they are."""
        where = self._chat(chat)

        def found() -> list[str]:
            texts = [text for text in self._server.screen.from_bots(where) if contains in text]
            return texts if len(texts) >= messages else []

        try:
            return {"texts": await self._server.wait_until(found, seconds=seconds)}
        except TimeoutError:
            raise ControlError(
                408, f"nothing of the kind within {seconds} s:\n{self._server.screen.text(where)}"
            ) from None

    def statistics(self) -> Json:
        """What the server counted."""
        return asdict(self._server.statistics())

    # what goes wrong

    def faults(self, *, method: str, faults: Sequence[Mapping[str, Any] | None], always: bool = False) -> None:
        """Script faults: `{"kind": "drop", "after_execution": true}` and the like; null lets a call pass."""
        made = [None if each is None else fault_from_json(each) for each in faults]
        if always and made[0]:
            self._server.faults.always(method, made[0])
        else:
            self._server.faults.next(method, *made)

    def faults_updates(self, *, faults: Sequence[str | None]) -> None:
        """Script faults of the next updates, by the values of UpdateFault; at /control/faults/updates."""
        self._server.faults.next_update(*(UpdateFault(each) if each else None for each in faults))

    def faults_random(self, *, seed: int, rates: Mapping[str, float], methods: Sequence[str] | None = None) -> None:
        """Faults at random; at /control/faults/random."""
        self._server.faults.random(seed=seed, rates=rates, methods=methods)

    def faults_clear(self) -> None:
        """No more faults; at /control/faults/clear."""
        self._server.faults.clear()

    def malformed(self, *, person: int, chat: str, names: Sequence[str] = ()) -> Json:
        """Queue malformed updates."""
        return {"update_ids": self._server.malformed(self._chat(chat), self._person(person), *names)}

    async def advance(self, *, seconds: float) -> None:
        """Let time pass."""
        self._server.advance(seconds)
        await asyncio.sleep(0)

    def _person(self, person_id: int) -> Person:
        return Person(self._server.world.accounts[person_id], self._server.world)

    def _chat(self, key: str) -> Chat:
        return self._server.world.chats[key]

    def _bot(self, token: str) -> BotAccount:
        return self._server.bot(token or self._server.token)
