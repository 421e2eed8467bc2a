"""The gateway: connections over which bots hear events, the sessions behind them, and everything that befalls those.

A session outlives its connection: what happens meanwhile is kept, and comes after RESUME. A bot that identifies anew
has missed what happened before, as in reality. In a test:

    server.gateway.close(4009)          every connection is closed with this code
    server.gateway.abort()              every socket is reset
    server.gateway.reconnect()          op 7
    server.gateway.invalidate(resumable=False)      op 9, and the sessions are gone or not
    server.gateway.refuse(2)            the next two connects get 503
    server.gateway.silent = True        heartbeats are not acknowledged
    server.gateway.hold_guilds = True   after READY no guild comes until `release_guilds`; messages do
    server.gateway.send("{")            a frame as it is
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.servers.discord_faults import EventFault, Faults
from tests.servers.discord_sessions import Connection, Session
from tests.servers.discord_things import BotAccount, Guild
from tests.servers.discord_world import MEMBERS, MESSAGE_CONTENT, Payload, World, available_guild

Json = dict[str, Any]
PRESENCES = 1 << 8
PRIVILEGED = MEMBERS | PRESENCES | MESSAGE_CONTENT
KNOWN_INTENTS = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25
LARGEST_FRAME = 4096
CLOSE_SECONDS = 1
_GUILDS, _MESSAGES, _REACTIONS, _TYPING = 1 << 0, 1 << 9, 1 << 10, 1 << 11
_DM_SHIFT = 3
"""How far the intent for direct messages is from the one for guilds, of messages, reactions and typing."""
_MEANS_NEW_SESSION = (1000, 1001)
"""Closes by the client after which its session is gone."""
_ENDS_SESSION = (4007, 4009)
"""Closes by the server that say so."""


def intent_of(event: str, *, direct: bool) -> int:
    """The intent that an event needs; 0 if it comes in any case."""
    shift = _DM_SHIFT if direct else 0
    for start, intent in (("MESSAGE_REACTION", _REACTIONS), ("MESSAGE_", _MESSAGES), ("TYPING_", _TYPING)):
        if event.startswith(start):
            return intent << shift
    if event.startswith("GUILD_MEMBER_"):
        return MEMBERS
    return _GUILDS if event.startswith(("GUILD_", "CHANNEL_", "THREAD_")) else 0


class Gateway:
    """Everything that is connected.

    Args:
        world: set by the server before anybody connects.
        faults: what happens to events.
        changed: called after each change of a session.
        heartbeat_seconds: how often clients shall say that they live.
        keep: how many events a session remembers; None: all.
    """

    world: World

    def __init__(
        self, *, faults: Faults, changed: Callable[[], None], heartbeat_seconds: float = 41.25, keep: int | None = None
    ) -> None:
        self.silent = False
        self.hold_guilds = False
        self.url = ""
        self.counted: Counter[str] = Counter()
        """How often each of connect, refused, identify, resume and event happened, and each close by its code."""
        self._faults = faults
        self._changed = changed
        self._heartbeat = int(heartbeat_seconds * 1000)
        self._keep = keep
        self._refusing = 0
        self._sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()

    # what befalls connections

    def refuse(self, connects: int = 1) -> None:
        """The next connects are refused."""
        self._refusing += connects

    def close(self, code: int, *, keep_session: bool | None = None, bot: BotAccount | None = None) -> None:
        """Close the connections (of a bot) with a code; 4007 and 4009 end the session, unless told otherwise."""
        for each in self._of(bot):
            self.counted[f"close {code}"] += 1
            if each.session and not (code not in _ENDS_SESSION if keep_session is None else keep_session):
                self._sessions.pop(each.session.id, None)
            each.close(code)

    def abort(self, *, bot: BotAccount | None = None) -> None:
        """Reset the sockets (of a bot)."""
        for each in self._of(bot):
            each.abort()

    def reconnect(self, *, bot: BotAccount | None = None) -> None:
        """Ask for a new connection: op 7."""
        for each in self._of(bot):
            each.say(7)

    def invalidate(self, *, resumable: bool, bot: BotAccount | None = None) -> None:
        """Say that the session is no longer valid: op 9."""
        for each in self._of(bot):
            if not resumable and each.session:
                self._sessions.pop(each.session.id, None)
            each.say(9, resumable)

    def send(self, frame: str, *, bot: BotAccount | None = None) -> None:
        """A frame as it is, on each connection."""
        for each in self._of(bot):
            each.send(frame)

    def send_event(self, name: str, data: Any, *, bot: BotAccount | None = None) -> None:
        """An event whose payload nobody looked at, with the next sequence number."""
        for each in self._of(bot):
            if each.session:
                self._deliver(each.session, name, data)

    def release_guilds(self) -> None:
        """Let the guilds come that were held."""
        self.hold_guilds = False
        for session in self._sessions.values():
            self._send_guilds(session)

    def connected(self, bot: BotAccount | None = None) -> int:
        """How many connections have a session: what a test waits for before people speak."""
        return sum(each.session is not None for each in self._of(bot))

    def _of(self, bot: BotAccount | None) -> list[Connection]:
        return [
            each for each in self._connections if bot is None or (each.session is not None and each.session.bot is bot)
        ]

    # events

    def dispatch(self, bot: BotAccount, event: str, make: Payload, guild_id: int | None) -> None:
        """Something that a bot hears, on each of its sessions that asked for it."""
        needed = intent_of(event, direct=guild_id is None)
        for session in self._sessions.values():
            if session.bot is bot and session.minds(guild_id) and (not needed or session.intents & needed):
                self._pass_on(session, event, make(session.intents))

    def _pass_on(self, session: Session, event: str, data: Any) -> None:
        fault = self._faults.pick_delivery()
        if fault is EventFault.LOST:
            return
        if fault is EventFault.LATE and session.held is None:
            session.held = (event, data)
            return
        self._deliver(session, event, data)
        if fault is EventFault.DUPLICATE:
            self._deliver(session, event, data)
        if session.held is not None:
            held, session.held = session.held, None
            self._deliver(session, *held)

    def _deliver(self, session: Session, event: str, data: Any) -> None:
        session.seq += 1
        self.counted["event"] += 1
        frame = json.dumps({"op": 0, "t": event, "s": session.seq, "d": data}, ensure_ascii=False)
        session.sent.append((session.seq, frame))
        if session.connection:
            session.connection.send(frame)

    # connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from HELLO to its end."""
        self.counted["connect"] += 1
        if self._refusing:
            self._refusing -= 1
            self.counted["refused"] += 1
            self._changed()
            return web.Response(status=503, text="upstream connect error", content_type="text/plain")
        socket = web.WebSocketResponse(max_msg_size=1 << 20, timeout=CLOSE_SECONDS)
        await socket.prepare(request)
        connection = Connection(socket, request)
        self._connections.add(connection)
        self._greet(connection, request)
        writer, listener = asyncio.create_task(connection.write()), asyncio.create_task(self._listen(connection))
        try:
            await asyncio.wait({writer, listener}, return_when=asyncio.FIRST_COMPLETED)
            if listener.done():
                listener.result()  # a mistake of this server is not to be passed over
            listener.cancel()
            if connection.ended_here and (code := await writer):
                # Only once nobody listens any more does a close wait for that of the other side.
                await asyncio.gather(listener, return_exceptions=True)
                await socket.close(code=code)
        finally:
            writer.cancel()
            await asyncio.gather(writer, listener, return_exceptions=True)
            self._part(connection)
        return socket

    async def _listen(self, connection: Connection) -> None:
        """Hear frames until the connection ends; one that shows no life for two heartbeats is closed."""
        while not connection.socket.closed:
            try:
                message = await connection.socket.receive(timeout=self._heartbeat / 500)
            except TimeoutError:
                return connection.close(4000)
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return None
            if message.type is not WSMsgType.TEXT:
                connection.close(4002)
            elif connection.is_flooding(self.world.now()):
                connection.close(4008)
            else:
                self._hear(connection, message.data)
            self._changed()
        return None

    def shut(self) -> None:
        """Close everything."""
        for connection in list(self._connections):
            connection.close(WSCloseCode.GOING_AWAY)

    def _greet(self, connection: Connection, request: web.Request) -> None:
        if request.query.get("v") not in ("9", "10"):
            connection.close(4012)
        elif request.query.get("encoding", "json") != "json":
            connection.close(4002)
        else:
            connection.say(10, {"heartbeat_interval": self._heartbeat, "_trace": []})

    def _part(self, connection: Connection) -> None:
        self._connections.discard(connection)
        session = connection.session
        if session is not None and session.connection is connection:
            session.connection = None
            if connection.socket.close_code in _MEANS_NEW_SESSION and not connection.ended_here:
                self._sessions.pop(session.id, None)
        self._changed()

    def _hear(self, connection: Connection, text: str) -> None:
        try:
            frame = json.loads(text)
            op, data = frame["op"], frame.get("d")
        except (ValueError, TypeError, KeyError, AttributeError):
            return connection.close(4002)
        if len(text.encode()) > LARGEST_FRAME:
            return connection.close(4002)
        if op == 1:
            return None if self.silent else connection.say(11)
        if op in (2, 6):
            return connection.close(4005) if connection.session else self._begin(connection, op, data)
        if connection.session is None:
            return connection.close(4003)
        if op == 8:
            return self._tell_members(connection.session, data)
        return None if op in (3, 4) else connection.close(4001)

    def _begin(self, connection: Connection, op: int, data: Any) -> None:
        if not isinstance(data, dict):
            return connection.close(4002)
        bot = self.world.bots.get(str(data.get("token")))
        if bot is None:
            return connection.close(4004)
        if op == 6:
            return self._resume(connection, bot, data)
        return self._identify(connection, bot, data)

    def _identify(self, connection: Connection, bot: BotAccount, data: Json) -> None:
        intents, shard = data.get("intents"), data.get("shard", [0, 1])
        if not _is_shard(shard):
            return connection.close(4010)
        if type(intents) is not int or intents & ~KNOWN_INTENTS:
            return connection.close(4013)
        if intents & PRIVILEGED & ~bot.granted:
            return connection.close(4014)
        self.counted["identify"] += 1
        self._drop_dead(bot, tuple(shard))
        session = Session(secrets.token_hex(16), bot, intents, tuple(shard), deque(maxlen=self._keep), 0, connection)
        self._sessions[session.id] = connection.session = session
        guilds = [each for each in self.world.guilds.values() if bot.id in each.members and session.minds(each.id)]
        session.guilds_to_come = guilds
        self._deliver(session, "READY", self._ready(session, guilds))
        if not self.hold_guilds:
            self._send_guilds(session)
        return None

    def _drop_dead(self, bot: BotAccount, shard: Iterable[int]) -> None:
        """Whoever begins anew does not resume what was before."""
        for session in list(self._sessions.values()):
            if session.bot is bot and session.shard == shard and session.connection is None:
                del self._sessions[session.id]

    def _ready(self, session: Session, guilds: list[Guild]) -> Json:
        bot = session.bot
        return {
            "v": 10,
            "user": bot.account.wire() | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(bot.id), "flags": application_flags(bot.granted)},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "geo_ordered_rtc_regions": [],
            "guild_join_requests": [],
        }

    def _send_guilds(self, session: Session) -> None:
        guilds, session.guilds_to_come = session.guilds_to_come, []
        for guild in guilds:
            if not session.intents & _GUILDS or guild.unavailable or session.bot.id not in guild.members:
                continue
            self._deliver(session, "GUILD_CREATE", available_guild(guild, session.bot)(session.intents))

    def _resume(self, connection: Connection, bot: BotAccount, data: Json) -> None:
        session = self._sessions.get(str(data.get("session_id")))
        seq = data.get("seq")
        if session is None or session.bot is not bot or type(seq) is not int:
            return connection.say(9, False)
        oldest = session.sent[0][0] if session.sent else session.seq + 1
        if seq > session.seq or seq + 1 < oldest:
            del self._sessions[session.id]
            return connection.say(9, False)
        self.counted["resume"] += 1
        if session.connection is not None:
            session.connection.close(4009)
        session.connection, connection.session = connection, session
        for number, frame in session.sent:
            if number > seq:
                connection.send(frame)
        resumed = {"op": 0, "t": "RESUMED", "s": session.seq, "d": {"_trace": []}}
        return connection.send(json.dumps(resumed))

    def _tell_members(self, session: Session, data: Any) -> None:
        """Answer op 8: everybody, those with a name that begins so, or those named."""
        number = str(data.get("guild_id")) if isinstance(data, dict) else ""
        guild = self.world.guilds.get(int(number)) if number.isdecimal() else None
        if guild is None or session.bot.id not in guild.members:
            return
        wanted = {int(each) for each in data.get("user_ids") or ()}
        start, limit = str(data.get("query") or "").lower(), int(data.get("limit") or 0)
        if not wanted and not start and not session.intents & MEMBERS:
            return
        members = [
            each.wire()
            for each in guild.members.values()
            if (each.account.id in wanted if wanted else each.account.username.lower().startswith(start))
        ]
        chunk = {
            "guild_id": str(guild.id),
            "members": list(itertools.islice(members, limit or None)),
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(each) for each in wanted if each not in guild.members],
        }
        if data.get("nonce"):
            chunk["nonce"] = data["nonce"]
        self._deliver(session, "GUILD_MEMBERS_CHUNK", chunk)


def application_flags(granted: int) -> int:
    """An application's flags: the privileged intents that a small one has switched on."""
    limited = {PRESENCES: 1 << 13, MEMBERS: 1 << 15, MESSAGE_CONTENT: 1 << 19}
    return sum(flag for intent, flag in limited.items() if granted & intent)


def _is_shard(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2 or not all(type(each) is int for each in value):
        return False
    return bool(0 <= value[0] < value[1])
