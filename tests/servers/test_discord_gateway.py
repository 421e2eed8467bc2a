"""The Discord server's gateway: intents, sessions that are resumed, and all the ways in which a connection ends."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers.discord_client import Listener, Scene, listening, routed, staged
from tests.servers.discord_faults import EventFault, malformed_events
from tests.servers.discord_gateway import KNOWN_INTENTS
from tests.servers.discord_messages import view
from tests.servers.discord_server import DiscordServer

# -- what is heard ------------------------------------------------------------------------------------------


def without_contents() -> Listener:
    intents = discord.Intents.all()
    intents.message_content = False
    return Listener(intents=intents)


async def test_contents_are_withheld_without_the_intent() -> None:
    async with DiscordServer(limits=None) as server, staged(server, without_contents()) as scene:
        direct = server.dm(scene.ann)
        scene.ann.says(scene.general, "to all")
        scene.ann.says(scene.general, f"to {server.mention}")
        scene.ann.says(direct, "to you")
        assert [message.content for message in await scene.heard(3)] == ["", f"to {server.mention}", "to you"]


async def test_the_api_withholds_contents_that_the_application_may_not_read() -> None:
    async with (
        DiscordServer(limits=None, granted=0) as server,
        staged(server, Listener(intents=discord.Intents.default())) as scene,
    ):
        scene.ann.says(scene.general, "to all")
        await scene.channel.send("own")
        assert [each.content async for each in scene.channel.history()] == ["own", ""]


async def test_only_events_that_were_asked_for_come() -> None:
    intents = discord.Intents(guilds=True, dm_messages=True)
    async with DiscordServer(limits=None) as server, staged(server, Listener(intents=intents)) as scene:
        scene.ann.says(scene.general, "unheard")
        scene.ann.types(scene.general)
        scene.ann.says(server.dm(scene.ann), "heard")
        assert [message.content for message in await scene.heard()] == ["heard"]
        assert "typing" not in scene.client.events


async def test_a_privileged_intent_that_is_not_granted_ends_the_client() -> None:
    async with DiscordServer(granted=0) as server:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with listening(server):
                pass


async def test_members_are_told_when_they_are_asked_for(scene: Scene) -> None:
    guild = scene.client.guilds[0]
    assert sorted(member.display_name for member in await guild.chunk()) == ["Ann", "Parley"]
    assert [member.id for member in await guild.query_members("ann")] == [scene.ann.id]


async def test_a_message_may_come_before_the_guild_that_it_was_said_in() -> None:
    async with DiscordServer(limits=None) as server:
        server.gateway.hold_guilds = True
        async with staged(server) as scene:
            scene.ann.says(scene.general, "Too early")
            message = (await scene.heard())[0]
            assert isinstance(message.channel, discord.PartialMessageable)
            server.gateway.release_guilds()
            await scene.until("guild_available")
            scene.ann.says(scene.general, "In time")
            assert isinstance((await scene.heard(2))[1].channel, discord.TextChannel)


async def test_a_guild_that_is_down_comes_back(scene: Scene) -> None:
    scene.server.outage(scene.guild)
    await scene.until("guild_unavailable")
    async with listening(scene.server) as other:
        assert [guild.unavailable for guild in other.guilds] == [True]
    scene.server.outage(scene.guild, over=True)
    await scene.until("guild_available", times=2)
    scene.ann.says(scene.general, "Back")
    assert [message.content for message in await scene.heard()] == ["Back"]


async def test_shards_hear_of_their_own_guilds() -> None:
    milliseconds = itertools.count()
    async with DiscordServer(limits=None, clock=lambda: 1_790_000_000 + next(milliseconds) / 1000) as server:
        ann = server.person("Ann")
        guilds = [server.guild(f"Guild {count}", ann) for count in range(8)]
        shares = [{guild.id for guild in guilds if (guild.id >> 22) % 2 == shard} for shard in range(2)]
        assert all(shares)
        for shard, share in enumerate(shares):
            async with listening(server, Listener(shard_id=shard, shard_count=2)) as client:
                assert {guild.id for guild in client.guilds} == share


class Sharded(Listener, discord.AutoShardedClient):
    """A client that asks how many shards it shall have."""


async def test_a_client_takes_as_many_shards_as_are_recommended() -> None:
    async with DiscordServer(limits=None, shards=2) as server, staged(server, Sharded()) as scene:
        await server.wait_until(lambda: server.gateway.connected() == 2)
        scene.ann.says(server.dm(scene.ann), "Once")
        scene.ann.says(scene.general, "And once")
        assert {message.content for message in await scene.heard(2)} == {"Once", "And once"}
        assert server.gateway.counted["identify"] == 2


# -- sessions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["abort", "op 7", "op 9", "4000", "4009 of a session that lives", "1000 of the server"])
async def test_what_was_said_meanwhile_comes_once_after_a_resume(scene: Scene, end: str) -> None:
    gateway = scene.server.gateway
    match end:
        case "abort":
            gateway.abort()
        case "op 7":
            gateway.reconnect()
        case "op 9":
            gateway.invalidate(resumable=True)
        case _:
            gateway.close(int(end[:4]), keep_session=True)
    for text in ("one", "two"):
        scene.ann.says(scene.general, text)
    await scene.until("resumed")
    scene.ann.says(scene.general, "three")
    assert [message.content for message in await scene.heard(3)] == ["one", "two", "three"]
    assert (gateway.counted["identify"], gateway.counted["resume"]) == (1, 1)


@pytest.mark.parametrize("close", [None, 4007, 4009])
async def test_a_session_that_is_gone_begins_anew_and_misses_what_was_said(scene: Scene, close: int | None) -> None:
    gateway = scene.server.gateway
    if close:
        gateway.close(close)
    else:
        gateway.invalidate(resumable=False)
    scene.ann.says(scene.general, "missed")
    await scene.until("ready", times=2)
    scene.ann.says(scene.general, "heard")
    assert [message.content for message in await scene.heard()] == ["heard"]
    assert gateway.counted["identify"] == 2


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013, 4014])
async def test_some_closes_end_the_client(code: int) -> None:
    async with DiscordServer() as server:
        client = Listener()
        with routed(server):
            running = asyncio.create_task(client.start(server.token))
            await server.wait_until(server.gateway.connected)
            server.gateway.close(code)
            with pytest.raises((discord.ConnectionClosed, discord.PrivilegedIntentsRequired)):
                await running
            await client.close()


async def test_a_silent_gateway_is_left_and_the_session_resumed() -> None:
    client = Listener(heartbeat_timeout=0.4)
    async with DiscordServer(limits=None, heartbeat_seconds=0.05) as server, staged(server, client) as scene:
        server.gateway.silent = True
        await scene.until("disconnect")
        server.gateway.silent = False
        await scene.until("resumed")
        scene.ann.says(scene.general, "Back?")
        assert [message.content for message in await scene.heard()] == ["Back?"]


async def test_a_first_connect_that_is_refused_ends_the_client() -> None:
    async with DiscordServer() as server:
        server.gateway.refuse()
        with pytest.raises(AttributeError):  # discord.py 2.7.1 wants to resume what never was
            async with listening(server):
                pass
        async with listening(server) as client:
            assert client.is_ready()
        assert server.gateway.counted["refused"] == 1


# -- events that go astray ----------------------------------------------------------------------------------


async def test_events_come_twice_late_or_never(scene: Scene) -> None:
    faults = (EventFault.DUPLICATE, EventFault.LATE, None, EventFault.LOST)
    scene.server.faults.next_event(*faults)
    for text in ("twice", "late", "early", "lost", "last"):
        scene.ann.says(scene.general, text)
    heard = [message.content for message in await scene.heard(5)]
    assert heard == ["twice", "twice", "early", "late", "last"]
    assert scene.server.statistics().faults == {"duplicate_event": 1, "late_event": 1, "lost_event": 1}


async def test_a_malformed_event_ends_the_client() -> None:
    async with DiscordServer() as server:
        ann = server.person("Ann")
        general = server.channel(server.guild("Friends", ann), "general")
        client = discord.Client(intents=discord.Intents.all())
        with routed(server):
            running = asyncio.create_task(client.start(server.token))
            await server.wait_until(server.gateway.connected)
            server.malformed(general, ann, "no id")
            with pytest.raises(KeyError):
                await running
            await client.close()


# -- frames, without discord.py -----------------------------------------------------------------------------


class Raw:
    """A connection that speaks in frames."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket = socket
        self.token = token

    async def say(self, op: int, data: Any = None) -> None:
        await self.socket.send_json({"op": op, "d": data})

    async def identify(self, **changes: Any) -> None:
        await self.say(2, {"token": self.token, "intents": KNOWN_INTENTS, "properties": {}} | changes)

    async def frame(self) -> Any:
        """The next frame, or the code of the close that came instead."""
        message = await self.socket.receive(timeout=10)
        return message.json() if message.type is aiohttp.WSMsgType.TEXT else self.socket.close_code

    async def event(self, name: str) -> Any:
        """The next event of this name."""
        while True:
            frame = await self.frame()
            assert isinstance(frame, dict), frame
            if frame["t"] == name:
                return frame


@asynccontextmanager
async def connected(server: DiscordServer, query: str = "?v=10&encoding=json") -> AsyncIterator[Raw]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.gateway_url}{query}") as socket,
    ):
        yield Raw(socket, server.token)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([{"op": 99}], 4003),
        (["{"], 4002),
        (["[]"], 4002),
        ([{"op": 1, "d": "x" * 5000}], 4002),
        ([{"op": 2, "d": {"token": "wrong", "intents": 1}}], 4004),
        ([{"op": 2, "d": {"intents": 1 << 30}}], 4013),
        ([{"op": 2, "d": {"intents": 1, "shard": [2, 2]}}], 4010),
        ([{"op": 2, "d": {"intents": 1}}, {"op": 2, "d": {"intents": 1}}], 4005),
        ([{"op": 2, "d": {"intents": 1}}, {"op": 99}], 4001),
    ],
)
async def test_wrong_frames_close_the_connection(frames: list[Any], code: int) -> None:
    async with DiscordServer() as server, connected(server) as bot:
        assert (await bot.frame())["op"] == 10
        for frame in frames:
            if isinstance(frame, dict) and isinstance(frame.get("d"), dict):
                frame = frame | {"d": {"token": server.token} | frame["d"]}
            await bot.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))
        while isinstance(came := await bot.frame(), dict):
            pass
        assert came == code


async def test_an_unknown_version_is_refused() -> None:
    async with DiscordServer() as server, connected(server, "?v=6&encoding=json") as bot:
        assert await bot.frame() == 4012


async def test_a_session_is_resumed_from_where_the_client_stopped() -> None:
    async with DiscordServer() as server:
        ann = server.person("Ann")
        general = server.channel(server.guild("Friends", ann), "general")
        async with connected(server) as bot:
            await bot.identify()
            session = (await bot.event("READY"))["d"]["session_id"]
            last = (await bot.event("GUILD_CREATE"))["s"]
            ann.says(general, "unread")
            await bot.socket.close(code=4000)
        async with connected(server) as bot:
            await bot.say(6, {"token": server.token, "session_id": session, "seq": last})
            frames = [await bot.frame() for _ in range(3)]
            assert [frame["t"] for frame in frames] == [None, "MESSAGE_CREATE", "RESUMED"]
            assert frames[1]["s"] == last + 1
            await bot.socket.close(code=1000)
        async with connected(server) as bot:
            await bot.say(6, {"token": server.token, "session_id": session, "seq": last})
            assert [(await bot.frame())["op"] for _ in range(2)] == [10, 9]


async def test_who_shows_no_life_is_left_and_who_says_too_much_too() -> None:
    async with DiscordServer(heartbeat_seconds=0.02) as server, connected(server) as mute, connected(server) as loud:
        for _ in range(121):
            await loud.say(1, None)
        for bot, code in ((mute, 4000), (loud, 4008)):
            while isinstance(came := await bot.frame(), dict):
                pass
            assert came == code


async def test_heartbeats_are_acknowledged() -> None:
    async with DiscordServer() as server, connected(server) as bot:
        assert (await bot.frame())["d"]["heartbeat_interval"] == 41250
        await bot.say(1, None)
        assert (await bot.frame())["op"] == 11


async def test_malformed_events_reach_the_bot_as_they_are() -> None:
    async with DiscordServer() as server:
        ann = server.person("Ann")
        general = server.channel(server.guild("Friends", ann), "general")
        async with connected(server) as bot:
            await bot.identify()
            await bot.event("GUILD_CREATE")
            server.malformed(general, ann)
            said = general.messages[server.screen(general)[0].message_id]
            expected = malformed_events(view(server.world, said, server.bot(), intents=KNOWN_INTENTS))
            await bot.event("MESSAGE_CREATE")
            came = [await bot.frame() for _ in expected]
            assert [{"t": frame["t"], "d": frame["d"]} for frame in came] == list(expected.values())
            server.gateway.send('{"op": 0, "t"')
            assert (await bot.socket.receive(timeout=10)).data == '{"op": 0, "t"'
