"""Telegram as the contract kit wants it scripted: the Bot API server, behind a wire that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import pytest

from adapters.contract import Failure, Place, Seen
from adapters.telegram.adapter import TelegramAdapter
from tests.adapters.telegram.scripted import adapter_for
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import EVERY, Drop, Fault, Flood, Refuse
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_screen import Shown
from tests.servers.bot_api_world import Chat

KINDS = {"text_link": "link", "blockquote": "quote"}


class Wire:
    """Passes everything on to a server's port while it is whole."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._ends: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None

    async def mend(self) -> None:
        """Listen, at the same port each time."""
        self._listener = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection, and take no new ones."""
        assert self._listener is not None
        self._listener.close()
        ends = [*self._ends]
        for end in ends:
            end.close()
        await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
        await self._listener.wait_closed()

    async def _pass_on(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends |= {near, far}
        await asyncio.gather(_copy(near_reader, far), _copy(far_reader, near))
        self._ends -= {near, far}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


class TelegramPlatform:
    """Two people and a group on a Bot API server. Enter it before anything else."""

    def __init__(self, **config: Any) -> None:
        self.server = BotApiServer(reads_all=True)
        self.ann, self.ben = self.server.person("Ann"), self.server.person("Ben")
        self._chats = {
            Place.ANN: self.server.chat_private(self.ann),
            Place.BEN: self.server.chat_private(self.ben),
            Place.GROUP: self.server.chat_group("Family", self.ann, self.ben, kind="group"),
        }
        self._bot = self.server.world.bots[self.server.token]
        self._config = config
        self._newest: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self._wire = Wire(int(self.server.url.rpartition(":")[2]))
        await self._wire.mend()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._wire.cut()
        await self.server.__aexit__(*exception)

    def adapter(self) -> TelegramAdapter:
        url = f"http://127.0.0.1:{self._wire.port}"
        table = {"base_url": f"{url}/bot", "base_file_url": f"{url}/file/bot", **self._config}
        return adapter_for(self.server, **table)

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        await self._wire.cut()
        try:
            yield
        finally:
            await self._wire.mend()

    async def say(self, text: str, *, place: Place = Place.ANN, addressed: bool = True, reply_to: str = "") -> str:
        name = f"@{self._bot.account.username} " if place is Place.GROUP and addressed else ""
        replied = int(reply_to) if reply_to else None
        shown = self._who(place).says(self._chats[place], name + text, reply_to=replied)
        self._note_newest()
        return str(shown.message_id)

    async def edit(self, message_id: str, text: str) -> None:
        self.ann.edits(self._mine, int(message_id), text)
        self._note_newest()

    async def delete(self, message_id: str) -> None:
        pytest.skip("Telegram does not tell bots of deletions")

    async def press(self, message_id: str, button: str) -> None:
        self.ann.presses(self._mine, int(message_id), button)

    async def share(self, content: bytes) -> None:
        self.ann.sends(self._mine, "document", content=content)

    async def move(self) -> None:
        self._chats[Place.GROUP] = self.ann.upgrades(self._chats[Place.GROUP])

    async def repeat(self) -> None:
        self._bot.updates.push_again(self._newest)

    async def babble(self) -> None:
        self.server.malformed(self._mine, self.ann)

    async def shown(self, place: Place = Place.ANN) -> Sequence[Seen]:
        return [_seen(each) for each in self.server.screen(self._chats[place]) if each.from_bot]

    async def file(self, message_id: str) -> bytes:
        shown = self.server.screen.message(self._mine, int(message_id))
        assert shown is not None
        return self.server.world.files[shown.file_id].content or b""

    async def fail_next(self, failure: Failure, *, seconds: float) -> None:
        faults: dict[Failure, Fault] = {
            Failure.RATE_LIMITED: Flood(int(seconds)),
            Failure.REJECTED: Refuse(400, "Bad Request: can't parse entities"),
            Failure.GONE: Refuse(403, "Forbidden: bot was blocked by the user"),
            Failure.OUTCOME_UNKNOWN: Drop(after_execution=True),
        }
        self.server.faults.next(EVERY, faults[failure])

    @property
    def _mine(self) -> Chat:
        return self._chats[Place.ANN]

    def _who(self, place: Place) -> Person:
        return self.ben if place is Place.BEN else self.ann

    def _note_newest(self) -> None:
        self._newest = self._bot.updates.pending[-1].update


def _seen(shown: Shown) -> Seen:
    marks = tuple((KINDS.get(mark.type, mark.type), mark.url or mark.language, mark.text) for mark in shown.entities)
    return Seen(str(shown.message_id), shown.text, marks, tuple(each.text for row in shown.buttons for each in row))
