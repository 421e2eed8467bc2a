"""What people see when much goes wrong between Telegram and the program: every question answered, once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import pytest

from tests.channels.fast import FastTime
from tests.channels.running import running
from tests.channels.screen_rules import REPEAT, judge, question
from tests.channels.seeing import said
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Drop, Fail, Fault, Flood, Refuse, Truncate, UpdateFault
from tests.servers.bot_api_flood import FloodLimits
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

SPEED = 10.0
QUESTIONS = 20
QUICK = """[chat]
burst_seconds = 0.2
max_pending = 50"""
RATES = {
    "drop_before": 0.02,
    "drop_after": 0.02,
    "flood": 0.02,
    "long_flood": 0.001,
    "bad_gateway": 0.02,
    "bad_gateway_after": 0.01,
    "server_error": 0.01,
    "truncated": 0.02,
    "late_answer": 0.02,
    "duplicate_update": 0.05,
    "renumbered_update": 0.05,
}
SENDING = ("sendMessage", "editMessageText", "deleteMessage", "sendMessageDraft", "sendChatAction", "setMyCommands")


@dataclass(slots=True)
class Talk:
    """A chat in which people ask, and what they asked there."""

    chat: Chat
    people: list[Person]
    call: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, words: int) -> None:
        text = question(len(self.asked), words)
        self.asked.append(text)
        self.people[len(self.asked) % len(self.people)].says(self.chat, self.call + text)


def crowd(server: BotApiServer) -> list[Talk]:
    """Ten private chats, and three groups of two."""
    people = [server.person(f"P{number}") for number in range(10)]
    talks = [Talk(server.chat_private(person), [person]) for person in people]
    for number in range(3):
        pair = people[2 * number : 2 * number + 2]
        talks.append(Talk(server.chat_group(f"G{number}", *pair), pair, "@parley_test_bot "))
    return talks


async def ask_all(talks: list[Talk], server: BotApiServer, seed: int) -> None:
    """Everybody asks, at random and mixed up; some of what else arrives makes no sense."""
    draw = random.Random(seed)
    order = [talk for talk in talks for _ in range(QUESTIONS)]
    draw.shuffle(order)
    for place, talk in enumerate(order):
        talk.ask(draw.choice((1, 3, 10, 40)))
        if place % 40 == 0:
            server.malformed(talk.chat, talk.people[0], "unknown kind of update", "no date", "nothing at all")
        await asyncio.sleep(draw.choice((0, 0, 0.01, 0.03)))


# an update that comes late is not told again, so that it is lost where the answer that tells it is
REORDERED = (RATES | {"out_of_order_update": 0.05}, SENDING)


@pytest.mark.parametrize(
    ("seed", "rates", "methods"), [(1, RATES, None), (2, RATES, None), (3, *REORDERED), (4, *REORDERED)]
)
async def test_everybody_is_answered_once_in_order_and_wholly_whatever_goes_wrong(
    seed: int, rates: Mapping[str, float], methods: Collection[str] | None, home: Path
) -> None:
    fast = FastTime(UTC, speed=SPEED)
    async with BotApiServer(clock=fast.seconds, limits=FloodLimits()) as server:
        talks = crowd(server)

        def problems() -> list[str]:
            verdicts = [judge(server, talk.chat, talk.asked) for talk in talks]
            return [f"{talk.chat.key}: {each}" for talk, found in zip(talks, verdicts, strict=True) for each in found]

        server.faults.random(seed=seed, rates=rates, methods=methods)
        async with running(server, home, delay=0.001, more=QUICK, clock=fast, sleep=fast.sleep) as app:
            await ask_all(talks, server, seed)
            await quiet(server, problems)
            assert problems() == []
            assert await app.ledger.arrivals() == []
        assert problems() == []
    assert server.faults.happened.total() > 50


async def quiet(server: BotApiServer, problems: Callable[[], list[str]], *, seconds: float = 30) -> None:
    """Wait until nothing is wrong with any chat; what is wrong then, the test tells."""
    with suppress(TimeoutError):
        await server.wait_until(lambda: not problems(), seconds=seconds)


# -- one fault at a time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Drop(), Fail(502), Truncate()])
async def test_a_marked_repeat_is_made_once_whatever_happens_to_it(fault: Fault, home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        server.faults.next("sendMessage", Drop(after_execution=True))
        server.faults.next("editMessageText", fault)
        async with running(server, home):
            ann.says(chat, "Hello")
            await said(server, chat, "Hello", f"{REPEAT}\nHello")
        await said(server, chat, "Hello", f"{REPEAT}\nHello")


async def test_what_surely_did_not_arrive_is_sent_again_without_a_word(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        async with running(server, home):
            ann.says(chat, "Hello")
            await said(server, chat, "Hello")
            server.faults.next("sendMessage", Flood(1), Refuse(429, "Too Many Requests"))
            ann.says(chat, "Once more")
            await said(server, chat, "Hello", "Once more")


async def test_what_telegram_tells_twice_is_answered_once(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        server.faults.next_update(UpdateFault.DUPLICATE, UpdateFault.RENUMBERED)
        async with running(server, home):
            ann.says(chat, "one")
            await said(server, chat, "one")
            ann.says(chat, "two")
            await said(server, chat, "one", "two")
        async with running(server, home):
            ann.says(chat, "three")
            await said(server, chat, "one", "two", "three")


async def test_a_burst_line_by_line_says_every_line_once(home: Path) -> None:
    lines = [f"line {number}" for number in range(12)]
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        async with running(server, home, delay=0.02):
            for number, line in enumerate(lines):
                ann.says(chat, line)
                await server.wait_until(lambda: handed_out(server) > number)  # noqa: B023 # called at once
            await said(server, chat, "\n\n".join(lines))


def handed_out(server: BotApiServer) -> int:
    [counted] = server.statistics().updates.values()
    return counted.get("handed out", 0)
