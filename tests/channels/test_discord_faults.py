"""What people see when much goes wrong between Discord and the program: every question answered, once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from pathlib import Path

import pytest

from tests.channels.discord_seeing import connected
from tests.channels.fast import FastTime
from tests.channels.running import running
from tests.channels.screen_rules import judge_channel, question
from tests.servers.discord_people import Person
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel

SPEED = 10.0
QUESTIONS = 10
QUICK = """[chat]
burst_seconds = 0.2
max_pending = 50"""
CALLS = {
    "drop_before": 0.02,
    "drop_after": 0.02,
    "limited": 0.02,
    "cloudflare": 0.005,
    "server_error": 0.01,
    "server_error_after": 0.01,
    "bad_gateway": 0.02,
    "bad_gateway_after": 0.01,
    "unavailable": 0.01,
    "truncated": 0.02,
    "late_answer": 0.02,
}
TOLD_TWICE = CALLS | {"duplicate_event": 0.1}
OUT_OF_ORDER = CALLS | {"late_event": 0.05}
CLOSES = (1000, 1006, 4000, 4007, 4009)


def breaks(server: DiscordServer) -> list[Callable[[], None]]:
    """All that befalls a connection."""
    gateway = server.gateway

    def refuse() -> None:
        gateway.refuse(3)
        gateway.abort()

    return [
        refuse,
        gateway.abort,
        gateway.reconnect,
        partial(gateway.invalidate, resumable=False),
        partial(gateway.invalidate, resumable=True),
        partial(gateway.send, "{"),
        *(partial(gateway.close, code) for code in CLOSES),
    ]


@dataclass(slots=True)
class Talk:
    """A channel in which people ask, and what they asked there."""

    channel: Channel
    people: list[Person]
    call: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, words: int) -> None:
        text = question(len(self.asked), words)
        self.asked.append(text)
        self.people[len(self.asked) % len(self.people)].says(self.channel, self.call + text)


def crowd(server: DiscordServer) -> list[Talk]:
    """Six private chats, two channels and a thread."""
    people = [server.person(f"P{number}") for number in range(6)]
    guild = server.guild("Friends", *people)
    talks = [Talk(server.dm(person), [person]) for person in people]
    channels = [server.channel(guild, name) for name in ("general", "garden")]
    channels.append(people[0].opens_thread(channels[0], "weather"))
    return talks + [Talk(channel, people[:2], f"{server.mention} ") for channel in channels]


async def ask_all(talks: list[Talk], server: DiscordServer, seed: int) -> None:
    """Everybody asks, at random and mixed up, while connections break; some of what else is told makes no sense."""
    draw = random.Random(seed)
    order = [talk for talk in talks for _ in range(QUESTIONS)]
    draw.shuffle(order)
    coming = breaks(server)
    draw.shuffle(coming)
    for place, talk in enumerate(order):
        talk.ask(draw.choice((1, 3, 10, 40)))
        if place % 40 == 0:
            server.malformed(talk.channel, talk.people[0], "no author", "unknown channel", "nothing at all")
        if place % 8 == 7:
            await server.wait_until(server.gateway.connected, seconds=45)
            coming[place // 8 % len(coming)]()
        await asyncio.sleep(draw.choice((0, 0.01, 0.03, 0.06)))


@pytest.mark.parametrize(("seed", "rates"), [(2, TOLD_TWICE), (3, OUT_OF_ORDER)])
async def test_everybody_is_answered_once_in_order_and_wholly_whatever_goes_wrong(
    seed: int, rates: dict[str, float], home: Path
) -> None:
    fast = FastTime(UTC, speed=SPEED)
    async with DiscordServer(clock=fast.seconds) as server:
        talks = crowd(server)

        def problems() -> list[str]:
            verdicts = [judge_channel(server, talk.channel, talk.asked) for talk in talks]
            return [f"{talk.channel.id}: {each}" for talk, found in zip(talks, verdicts, strict=True) for each in found]

        async with running(server, home, delay=0.001, more=QUICK, clock=fast, sleep=fast.sleep) as app:
            await connected(server)
            for talk in talks:  # so that private chats are known
                talk.ask(1)
            await server.wait_until(lambda: not problems(), seconds=30)
            server.faults.random(seed=seed, rates=rates)
            await ask_all(talks, server, seed)
            with suppress(TimeoutError):
                await server.wait_until(lambda: not problems(), seconds=60)
            assert problems() == []
            assert await app.ledger.arrivals() == []
        assert problems() == []
    assert server.faults.happened.total() > 10
    assert server.gateway.counted["resume"] and server.gateway.counted["identify"] > 1
