"""One bot at the gateway: its session, which outlives connections, and the connection that frames go out by."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.discord_things import BotAccount, Guild

FRAMES, FRAME_SECONDS = 120, 60
"""How many frames a client may send in how many seconds."""


@dataclass(slots=True, eq=False)
class Session:
    """What a bot asked for and was told; `sent` has the events that RESUME can bring again."""

    id: str
    bot: BotAccount
    intents: int
    shard: tuple[int, int]
    sent: deque[tuple[int, str]]
    seq: int = 0
    connection: Connection | None = None
    held: tuple[str, Any] | None = None
    """An event that comes after the next one."""
    guilds_to_come: list[Guild] = field(default_factory=list)

    def minds(self, guild_id: int | None) -> bool:
        """Whether this shard is the one for a guild, or for direct conversations."""
        return ((guild_id or 0) >> 22) % self.shard[1] == self.shard[0]


class Connection:
    """One socket: frames go out in order through a queue, so that whoever sends one does not wait."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.session: Session | None = None
        self.ended_here = False
        """Whether it was this side that closed it."""
        self._request = request
        self._came: deque[float] = deque(maxlen=FRAMES)
        self._frames: asyncio.Queue[str | int | None] = asyncio.Queue()

    def is_flooding(self, now: float) -> bool:
        """Count a frame that came: whether there were too many of late."""
        crowded = len(self._came) == FRAMES and now - self._came[0] < FRAME_SECONDS
        self._came.append(now)
        return crowded

    def send(self, frame: str) -> None:
        """A frame as it is."""
        self._frames.put_nowait(frame)

    def say(self, op: int, data: Any = None) -> None:
        """A frame that is no event."""
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}, ensure_ascii=False))

    def close(self, code: int) -> None:
        """Close the connection after what was sent before."""
        self.ended_here = True
        self._frames.put_nowait(code)

    def abort(self) -> None:
        """Reset the socket."""
        self._frames.put_nowait(None)

    async def write(self) -> int:
        """Send what is queued, until the connection is over; the code to close it with, or 0 if it is broken."""
        with suppress(ConnectionError):
            while True:
                match await self._frames.get():
                    case str(frame):
                        await self.socket.send_str(frame)
                    case int(code):
                        return code
                    case None:
                        break
        if self._request.transport is not None:
            self._request.transport.abort()
        return 0
