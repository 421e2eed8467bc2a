"""Connections break and are refused, and the bot hears what it has to; what only its owner can mend is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from pydantic import ValidationError

from adapters.contract import ScriptedIntake, receiving
from adapters.discord.adapter import DiscordAdapter
from bot import plugins
from bot.errors import AccountRefused, Rejected
from bot.texts import Texts
from tests.adapters.discord.scripted import adapter_for, scene
from tests.servers.discord_faults import Fail
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_world import MESSAGE_CONTENT


def test_it_is_found_by_its_name() -> None:
    assert plugins.load("adapters", "discord") is DiscordAdapter


@pytest.mark.parametrize("wrong", [{"token": ""}, {"token": "t", "listen": ["general"]}, {"token": "t", "tokn": "x"}])
def test_a_table_that_is_wrong_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DiscordAdapter.Config.model_validate(wrong)


def test_ids_may_be_numbers() -> None:
    assert DiscordAdapter.Config.model_validate({"token": "t", "servers": [42]}).servers == ("42",)


# -- what ends it -------------------------------------------------------------------------------------------


async def test_a_token_that_is_refused_is_told(server: DiscordServer) -> None:
    with pytest.raises(AccountRefused) as told:
        async with adapter_for(server, token="mistyped"):
            pass
    assert "Reset Token" in str(told.value) and "mistyped" not in str(told.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [(4004, "Reset Token"), (4014, "Message Content Intent"), (4010, "shards"), (4012, "discord.py"), (4013, "shards")],
)
async def test_a_connection_that_is_refused_for_good_ends_with_what_to_do(
    server: DiscordServer, code: int, says: str
) -> None:
    async with adapter_for(server) as adapter:
        running = asyncio.create_task(adapter.run(ScriptedIntake()))
        await server.wait_until(server.gateway.connected)
        server.gateway.close(code)
        with pytest.raises(Rejected) as told:
            await asyncio.wait_for(running, 10)
    assert says in str(told.value)
    assert told.value.told(Texts("zh")) != str(told.value)


async def test_a_switch_that_is_moved_off_while_it_runs_is_lived_with(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(server) as on:
        server.bot().granted &= ~MESSAGE_CONTENT
        server.gateway.close(4014)
        await server.wait_until(lambda: server.gateway.counted["identify"] == 2 and server.gateway.connected())
        on.ann.says(on.direct, "Hello")
        await on.intake.said("Hello")
    assert "Message Content Intent is off" in caplog.text


# -- what does not ------------------------------------------------------------------------------------------


def breaks(server: DiscordServer) -> dict[str, Callable[[], None]]:
    gateway = server.gateway
    codes = (1000, 1006, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009)
    broken: dict[str, Callable[[], None]] = {f"close {code}": partial(gateway.close, code) for code in codes}
    broken |= {"abort": gateway.abort, "op 7": gateway.reconnect}
    broken |= {"op 9, gone": partial(gateway.invalidate, resumable=False)}
    broken |= {"op 9, kept": partial(gateway.invalidate, resumable=True)}
    broken |= {
        frame: partial(gateway.send, frame) for frame in ("{", "[]", '{"op": 99}', '{"op": 0, "t": "READY", "s": 1}')
    }
    return broken


NAMES = [*breaks(DiscordServer())]


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_breaks_the_connection_what_is_said_is_heard_once_and_in_order(
    server: DiscordServer, name: str
) -> None:
    async with scene(server) as on:
        on.ann.says(on.direct, "before")
        await on.intake.said("before")
        breaks(server)[name]()
        on.ann.says(on.direct, "meanwhile")
        on.ann.says(on.general, f"{server.mention} and here")
        await on.intake.said("meanwhile")
        await on.intake.said("and here")
        on.ann.says(on.direct, "after")
        await on.intake.said("after")
        said = [update.message.text for update in await on.intake.messages(4)]
    assert [text for text in said if text != "and here"] == ["before", "meanwhile", "after"]


async def test_a_first_connect_that_is_refused_is_tried_again(server: DiscordServer) -> None:
    server.gateway.refuse(4)
    server.faults.next("get_gateway", Fail(503), Fail(502))
    async with scene(server) as on:
        on.ann.says(on.direct, "Hello")
        await on.intake.said("Hello")
    assert server.gateway.counted["refused"] == 4


async def test_where_nothing_comes_not_even_heartbeats_another_connection_is_made() -> None:
    async with DiscordServer(heartbeat_seconds=0.2) as server, scene(server) as on:
        on.adapter._gateway._connection.heartbeat_timeout = 0.5  # a minute, otherwise
        server.gateway.reconnect()
        await server.wait_until(lambda: server.gateway.counted["resume"] and server.gateway.connected())
        server.gateway.silent = True
        await server.wait_until(lambda: server.gateway.counted["resume"] > 1)
        server.gateway.silent = False
        on.ann.says(on.direct, "Hello")
        await on.intake.said("Hello")


async def test_what_makes_no_sense_is_passed_over_without_a_new_connection(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(server) as on:
        server.malformed(on.direct, on.ann)
        on.ann.says(on.direct, "Still there?")
        await on.intake.said("Still there?")
    assert server.gateway.counted["connect"] == 1
    assert "cannot be read: MESSAGE_CREATE" in caplog.text


async def test_messages_before_the_servers_are_known_wait_for_what_was_missed(server: DiscordServer) -> None:
    async with scene(server) as on:
        on.ann.says(on.general, f"{server.mention} one")
        await on.intake.said("one")
        server.gateway.hold_guilds = True
        server.gateway.invalidate(resumable=False)
        on.ann.says(on.general, f"{server.mention} two")
        await server.wait_until(lambda: server.gateway.counted["identify"] == 2 and server.gateway.connected())
        on.ann.says(on.general, f"{server.mention} three")
        server.gateway.release_guilds()
        await on.intake.said("three")
        assert [update.message.text for update in await on.intake.messages(3)] == ["one", "two", "three"]


async def test_a_reader_of_histories_stays_within_its_bounds(server: DiscordServer) -> None:
    async with scene(server, history_messages=120) as on:
        on.ann.says(on.direct, "first")
        await on.intake.said("first")
        server.gateway.refuse(1)
        server.gateway.close(4009)
        for number in range(150):
            on.ann.says(on.direct, f"no. {number}")
        await on.intake.said("no. 149")
        said = [update.message.text for update in await on.intake.messages(1)]
    assert said[:2] == ["first", "no. 30"] and len(said) == 121


async def test_it_receives_again_after_it_was_stopped(server: DiscordServer) -> None:
    ann = server.person("Ann")
    direct = server.dm(ann)
    async with adapter_for(server) as adapter:
        for text in ("one", "two"):
            async with receiving(adapter) as intake:
                await server.wait_until(server.gateway.connected)
                ann.says(direct, text)
                await intake.said(text)
