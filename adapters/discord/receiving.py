"""How what happens arrives: told by the gateway, or read, where it was said while nobody listened."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from discord.utils import time_snowflake

from adapters.backlog import Backlog
from adapters.discord.menus import Menus
from adapters.discord.rest import Rest
from adapters.discord.updates import Translator
from bot.channel import Intake, Update

Json = dict[str, Any]
PAGE, READERS, MOST_PRIVATE = 100, 4, 1000
SERVER_SECONDS = 10.0
"""How long what is said in a server waits until Discord tells which channels there are."""
OVERLAP = timedelta(minutes=10)
"""What was said so shortly before the newest that is known is read again: it may have been told out of order."""


@dataclass(slots=True)
class Receiver:
    """One run. At most `most` messages of a channel are read, and none that are older than `oldest`."""

    rest: Rest
    translator: Translator
    menus: Menus
    backlog: Backlog
    most: int
    oldest: timedelta
    _begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    _since: int = 0
    """What was said later than this id is read, if nothing newer is known."""
    _newest: dict[str, int] = field(default_factory=dict)
    """The id of what was told last, by server; "" is for private chats."""
    _private: dict[str, None] = field(default_factory=dict)
    _servers: dict[str, asyncio.Event] = field(default_factory=dict)
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))

    async def begin(self, intake: Intake) -> None:
        """Find out what is known already."""
        newest = await intake.since()
        self._since = time_snowflake(max(newest, self._begun - self.oldest) - OVERLAP if newest else self._begun)
        self._private = {address.chat: None for address in reversed(await intake.private_chats())}

    def hear(self, event: str, raw: Json) -> None:
        """Something happened."""
        match event:
            case "READY":
                self._expect(raw)
            case "GUILD_CREATE":
                for place in (*raw["channels"], *raw["threads"]):
                    if int(place.get("last_message_id") or 0) > self._read_until(raw["id"]):
                        self._read(place["id"], raw["id"])
                self._servers.pop(raw["id"], asyncio.Event()).set()
            case "INTERACTION_CREATE":
                self.backlog.spawn(self.menus.take(raw, self.translator, self.backlog.accept))
            case _:
                server, channel = raw.get("guild_id", ""), raw.get("channel_id", "")
                for update in self.translator.translate(event, raw):
                    self.backlog.add(update, server, channel)
                if event == "MESSAGE_CREATE":
                    self._note(server, channel, int(raw["id"]))

    def _expect(self, ready: Json) -> None:
        """A session has begun: what was said before it is not told."""
        for guild in ready["guilds"]:
            self._servers[guild["id"]] = told = asyncio.Event()
            self.backlog.read(guild["id"], partial(_wait, told))
        if ready.get("shard", [0])[0] == 0:  # that is the one to hear of private chats
            for channel in reversed(self._private):
                self._read(channel, "")

    def _note(self, server: str, channel: str, message: int) -> None:
        self._newest[server] = max(message, self._newest.get(server, 0))
        if not server:
            self._private.pop(channel, None)
            self._private[channel] = None
            if len(self._private) > MOST_PRIVATE:
                del self._private[next(iter(self._private))]

    def _read_until(self, server: str) -> int:
        newest = self._newest.get(server)
        return self._since if newest is None else newest - (int(OVERLAP.total_seconds() * 1000) << 22)

    def _read(self, channel: str, server: str) -> None:
        self.backlog.read(channel, partial(self._missed, channel, server, self._read_until(server)))

    async def _missed(self, channel: str, server: str, since: int) -> Sequence[Update]:
        """What was said in a channel since then, oldest first."""
        found: list[Json] = []
        while len(found) < self.most:
            async with self._readers:
                before = f"&before={found[-1]['id']}" if found else ""
                page = await self.rest.call("GET", f"/channels/{channel}/messages?limit={PAGE}{before}")
            found += (new := [message for message in page if int(message["id"]) > since])
            if len(new) < PAGE:
                break
        where = {"guild_id": server} if server else {}
        told = (self.translator.translate("MESSAGE_CREATE", raw | where) for raw in reversed(found[: self.most]))
        return [update for updates in told for update in updates]


async def _wait(told: asyncio.Event) -> Sequence[Update]:
    with suppress(TimeoutError):
        await asyncio.wait_for(told.wait(), SERVER_SECONDS)
    return ()
