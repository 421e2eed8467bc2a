"""Discord as the contract kit wants it scripted: the Discord server, behind a wire that can be cut.

An intake of the kit remembers nothing from one run to the next, and Discord tells nothing again: so the platform keeps
what a database would, namely when the newest message was said that was kept, and where people talked in private.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from adapters.contract import Failure, Place, Seen
from adapters.discord.adapter import DiscordAdapter
from bot.channel import Intake, Update, UpdateKind
from bot.types import Address
from tests.adapters.telegram.platform import Wire
from tests.servers.discord_faults import EVERY, Drop, Fault, Limited, Refuse
from tests.servers.discord_messages import view
from tests.servers.discord_people import Upload
from tests.servers.discord_screen import Shown
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel


async def soon(seconds: float) -> None:
    """A pause, made short."""
    await asyncio.sleep(min(seconds, 0.02))


@dataclass
class Remembered:
    """An intake, and what was kept before it."""

    intake: Intake
    platform: DiscordPlatform

    async def accept(self, updates: Sequence[Update]) -> None:
        await self.intake.accept(updates)
        said = [update.message.at for update in updates if update.kind is UpdateKind.MESSAGE]
        self.platform.newest = max([self.platform.newest, *said])

    async def since(self) -> datetime:
        return self.platform.newest

    async def note_reading(self, since: datetime | None) -> None:
        """Nothing breaks it off here."""

    async def private_chats(self) -> list[Address]:
        return self.platform.private_chats()


class Adapter(DiscordAdapter):
    """The adapter of an account that has been talked with before."""

    def __init__(self, platform: DiscordPlatform, **table: Any) -> None:
        config = DiscordAdapter.Config.model_validate(table)
        super().__init__(config, home=Path(), sleep=soon)
        self._platform = platform

    async def run(self, intake: Intake) -> None:
        await super().run(Remembered(intake, self._platform))


class DiscordPlatform:
    """Two people and a channel on a Discord server. Enter it before anything else."""

    def __init__(self) -> None:
        self.server = DiscordServer()
        self.ann, self.ben = self.server.person("Ann"), self.server.person("Ben")
        guild = self.server.guild("Friends", self.ann, self.ben)
        self.places: dict[Place, Channel] = {
            Place.ANN: self.server.dm(self.ann),
            Place.BEN: self.server.dm(self.ben),
            Place.GROUP: self.server.channel(guild, "general"),
        }
        self.newest = datetime.now(UTC)

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self._wire = Wire(int(self.server.url.rpartition(":")[2]))
        await self._wire.mend()
        # READY and the like name the server's own address, which is not to be a way around the wire
        self.server.gateway.url = f"ws://127.0.0.1:{self._wire.port}/gateway"
        self.server.world.url = f"http://127.0.0.1:{self._wire.port}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._wire.cut()
        await self.server.__aexit__(*exception)

    def adapter(self) -> Adapter:
        return Adapter(self, token=self.server.token, api_url=f"{self.server.world.url}/api/v10")

    def private_chats(self) -> list[Address]:
        account = str(self.server.bot().id)
        return [Address("discord", str(self.places[place].id), account) for place in (Place.ANN, Place.BEN)]

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        await self._wire.cut()
        try:
            yield
        finally:
            await self._wire.mend()

    async def say(self, text: str, *, place: Place = Place.ANN, addressed: bool = True, reply_to: str = "") -> str:
        name = f"{self.server.mention} " if place is Place.GROUP and addressed else ""
        replied = int(reply_to) if reply_to else None
        person = self.ben if place is Place.BEN else self.ann
        said = person.says(self.places[place], name + text, reply_to=replied)
        self._said = self.places[place], said.message_id
        return str(said.message_id)

    async def edit(self, message_id: str, text: str) -> None:
        self.ann.edits(self._mine, int(message_id), text)

    async def delete(self, message_id: str) -> None:
        self.ann.deletes(self._mine, int(message_id))

    async def press(self, message_id: str, button: str) -> None:
        self.ann.clicks(self._mine, int(message_id), button)

    async def connected(self) -> None:
        """Wait until the adapter hears what is done: what is done while nobody listens, nobody is told."""
        await self.server.wait_until(self.server.gateway.connected)

    async def share(self, content: bytes) -> None:
        self.ann.says(self._mine, "", Upload("bytes.bin", content))

    async def move(self) -> None:
        pytest.skip("channels keep their ids")

    async def repeat(self) -> None:
        channel, number = self._said
        raw = view(self.server.world, channel.messages[number], self.server.bot(), intents=(1 << 26) - 1)
        self.server.gateway.send_event("MESSAGE_CREATE", raw)

    async def babble(self) -> None:
        self.server.malformed(self._mine, self.ann)

    async def shown(self, place: Place = Place.ANN) -> Sequence[Seen]:
        return [_seen(each) for each in self.server.screen(self.places[place]) if each.from_bot]

    async def file(self, message_id: str) -> bytes:
        shown = self.server.screen.message(self._mine, int(message_id))
        assert shown is not None
        return self.server.world.files[shown.files[0].id].content or b""

    async def fail_next(self, failure: Failure, *, seconds: float) -> None:
        faults: dict[Failure, Fault] = {
            Failure.RATE_LIMITED: Limited(seconds),
            Failure.REJECTED: Refuse(400, 50035, "Invalid Form Body"),
            Failure.GONE: Refuse(403, 50007, "Cannot send messages to this user"),
            Failure.OUTCOME_UNKNOWN: Drop(after_execution=True),
        }
        self.server.faults.next(EVERY, faults[failure])

    @property
    def _mine(self) -> Channel:
        return self.places[Place.ANN]


def _seen(shown: Shown) -> Seen:
    return Seen(str(shown.message_id), shown.text, (), tuple(each.label for each in shown.buttons))
