"""The Discord server's unreliable side: faults of calls, rate limits, and a process that outlives the bot."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import aiohttp
import discord
import httpx
import pytest

from tests.servers.discord_client import Scene, listening, routed
from tests.servers.discord_control import Remote
from tests.servers.discord_faults import (
    EVERY,
    Cloudflare,
    Delay,
    Drop,
    Fail,
    Fault,
    Limited,
    Refuse,
    Truncate,
)
from tests.servers.discord_limits import RateLimits
from tests.servers.discord_people import Upload
from tests.servers.discord_server import DiscordServer
from tests.servers.process import ServerProcess

ROOT = Path(__file__).resolve().parent.parent.parent


# -- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "executed"),
    [
        (Drop(), aiohttp.ClientError, False),
        (Drop(after_execution=True), aiohttp.ClientError, True),
        (Cloudflare(), discord.HTTPException, False),
        (Cloudflare(after_execution=True), discord.HTTPException, True),
        (Fail(503), discord.DiscordServerError, False),
        (Fail(503, after_execution=True), discord.DiscordServerError, True),
        (Refuse(403, 50013, "Missing Permissions"), discord.Forbidden, False),
        (Truncate(), json.JSONDecodeError, True),
    ],
)
async def test_a_fault_hits_one_call_before_or_after_it_was_executed(
    scene: Scene, fault: Fault, error: type[Exception], executed: bool
) -> None:
    scene.server.faults.next("create_message", fault)
    with pytest.raises(error):
        await scene.channel.send("first")
    await scene.channel.send("second")
    assert scene.server.screen.from_bots(scene.general) == (["first", "second"] if executed else ["second"])
    assert scene.server.statistics().faults == {type(fault).__name__.lower(): 1}


async def test_a_limit_is_waited_for_and_the_nonce_keeps_the_message_single(scene: Scene) -> None:
    scene.server.faults.next("create_message", Limited(0.01), Limited(0.01, everywhere=True, after_execution=True))
    await scene.channel.send("once", nonce=1)
    assert scene.server.screen.from_bots(scene.general) == ["once"]
    assert scene.server.statistics().routes["create_message"] == 3


async def test_a_bad_gateway_is_html_and_tried_again(scene: Scene) -> None:
    scene.server.faults.next(EVERY, Fail(502))
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(f"{scene.server.api_url}/users/@me", headers=_authority(scene.server.token))
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (502, "text/html")
    assert "via" not in answer.headers


async def test_a_delay_may_come_after_the_message(scene: Scene) -> None:
    scene.server.faults.next("create_message", Delay(30, after_execution=True))
    sending = asyncio.create_task(scene.channel.send("Seen"))
    await scene.server.wait_until(lambda: scene.server.screen.from_bots(scene.general) == ["Seen"])
    assert not sending.done()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_file_may_be_out_of_reach(scene: Scene) -> None:
    scene.ann.says(scene.general, "Look", Upload("notes.txt", b"Words"))
    file = (await scene.heard())[0].attachments[0]
    scene.server.faults.next("download", Fail(503), Drop(), Drop())  # aiohttp repeats a GET once by itself
    for error in (discord.HTTPException, aiohttp.ClientError):
        with pytest.raises(error):
            await file.read()
    assert await file.read() == b"Words"


async def test_only_routes_that_there_are_can_fail(scene: Scene) -> None:
    with pytest.raises(ValueError, match="no call is named 'sendMessage'"):
        scene.server.faults.next("sendMessage", Drop())


# -- limits -------------------------------------------------------------------------------------------------


def _authority(token: str) -> dict[str, str]:
    return {"Authorization": f"Bot {token}"}


async def test_five_messages_pass_in_five_seconds_a_channel() -> None:
    async with DiscordServer(clock=lambda: 1_790_000_000.0) as server:
        guild = server.guild("Friends", server.person())
        one, two = server.channel(guild, "one"), server.channel(guild, "two")
        async with httpx.AsyncClient(base_url=server.api_url, headers=_authority(server.token)) as raw:

            async def say(channel_id: int) -> httpx.Response:
                return await raw.post(f"/channels/{channel_id}/messages", json={"content": "x"})

            answers = [await say(one.id) for _ in range(6)]
            assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
            refused = answers[-1]
            assert refused.status_code == 429
            assert refused.json() == {
                "message": "You are being rate limited.",
                "retry_after": 5.0,
                "global": False,
            }
            assert (refused.headers["Via"], refused.headers["Content-Type"]) == ("1.1 google", "application/json")
            assert (await say(two.id)).status_code == 200
            assert refused.headers["X-RateLimit-Bucket"] == (await say(two.id)).headers["X-RateLimit-Bucket"]
            server.advance(5)
            assert (await say(one.id)).status_code == 200


async def test_all_calls_together_have_a_limit() -> None:
    async with DiscordServer(clock=lambda: 1_790_000_000.0, limits=RateLimits(per_second=2)) as server:
        async with httpx.AsyncClient(base_url=server.api_url, headers=_authority(server.token)) as raw:
            answers = [await raw.get(path) for path in ("/users/@me", "/gateway/bot", "/oauth2/applications/@me")]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["global"] is True
        assert (answers[-1].headers["X-RateLimit-Scope"], answers[-1].headers["X-RateLimit-Global"]) == (
            "global",
            "true",
        )


async def test_discord_py_keeps_within_the_limits_by_itself() -> None:
    limits = RateLimits({"create_message": (3, 0.2)})
    async with DiscordServer(limits=limits) as server:
        channel = server.channel(server.guild("Friends", server.person()), "general")
        async with listening(server) as client:
            place = client.get_partial_messageable(channel.id)
            for count in range(7):
                await place.send(str(count))
        assert server.screen.from_bots(channel) == [str(count) for count in range(7)]
        assert server.statistics().refusals == {}


# -- size, and a process of its own -------------------------------------------------------------------------


async def test_without_history_the_server_stays_flat() -> None:
    async with DiscordServer(keep_history=False, limits=None) as server:
        ann = server.person()
        channel = server.channel(server.guild("Friends", ann), "general")

        def chatter(messages: int) -> int:
            for number in range(messages):
                said = ann.says(channel, f"message {number}", Upload("x.txt"))
                ann.reacts(channel, said, "👍")
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = chatter(500)
            grown = chatter(2000) - before
        finally:
            tracemalloc.stop()
        assert grown < 100_000
        assert server.screen(channel)[-1].text == "message 1999"


async def test_a_server_in_its_own_process_is_driven_by_its_control_api() -> None:
    command = [sys.executable, "-m", "tests.servers.discord_server", "--port", "0"]
    with ServerProcess(command, ready=r"listening on (\S+)", environment={"PYTHONPATH": str(ROOT)}) as process:
        remote = Remote(process.url)
        ann = remote("person", name="Ann")["person"]
        guild = remote("guild", name="Friends", owner=ann)["guild"]
        general = remote("channel", guild=guild, name="general")["channel"]
        bot = remote("bot")
        remote("faults", route="create_message", faults=[{"kind": "limited", "retry_after": 60}])
        place = f"{bot['api_url']}/channels/{general}/messages"
        refused = await _post(place, bot["token"], content="x")
        assert refused["retry_after"] == 60
        row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}
        sent = await _post(place, bot["token"], content="Hello", components=[row])
        assert remote("wait", channel=general, contains="Hello")["texts"] == ["Hello"]
        said = remote("say", person=ann, channel=general, text="Hi", reply_to=int(sent["id"]))
        remote("react", person=ann, channel=general, message_id=said["message_id"], emoji="👍")
        remote("click", person=ann, channel=general, message_id=int(sent["id"]), button="Go")
        assert remote("screen", channel=general, person=ann)["text"] == "Parley: Hello <Go>\nAnn: Hi"
        assert [event["what"] for event in remote("history", channel=general)["events"]] == [
            "message",
            "message",
            "reaction",
            "pressed",
        ]
        assert remote("statistics")["refusals"] == {"429": 1}
        with pytest.raises(RuntimeError, match="no control named dance"):
            remote("dance")


async def _post(url: str, token: str, **fields: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as raw:
        answer: dict[str, Any] = (await raw.post(url, json=fields, headers=_authority(token))).json()
    return answer


def test_discord_py_is_pointed_elsewhere_only_for_a_while() -> None:
    before = discord.http.Route.BASE
    server = DiscordServer()
    with routed(server):
        assert discord.http.Route.BASE == server.api_url != before
    assert before == discord.http.Route.BASE
