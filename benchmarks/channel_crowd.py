"""The people of the channel benchmarks: a Bot API server on loopback, and a crowd that talks to one bot on it.

Everybody has a private chat, and says something only when the last thing was answered, so that both sides answer as
many messages with as many. An answer that does not repeat the question ends the run.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.channel_sides import Side, side
from tests.servers.bot_api import KEPT_MESSAGES, BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_screen import Json, Place, Screen, Shown
from tests.servers.bot_api_world import Chat

TOKENS = {"parley": "7000001:parley", "bare": "7000002:bare", "free": "7000003:free"}
ANSWER_SECONDS = 60
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


class WatchedScreen(Screen):
    """A screen whose watchers see what bots write at the moment at which it is there."""

    watchers: dict[str, Callable[[Shown], None]]

    def show(self, chat: Place, message: Json, *, from_bot: bool) -> Shown:
        shown = super().show(chat, message, from_bot=from_bot)
        if from_bot and (watcher := self.watchers.get(chat.key)):
            watcher(shown)
        return shown


@dataclass(slots=True)
class Somebody:
    """One person in their chat; `asked_at` is set while they wait for an answer."""

    person: Person
    chat: Chat
    number: int
    said: str = ""
    asked_at: float | None = None


@dataclass(slots=True)
class Crowd:
    """People who talk to one bot. `waits` are the seconds from each question to its answer on the screen."""

    people: list[Somebody]
    waits: list[float] = field(default_factory=list)
    asked: int = 0
    on_answer: Callable[[Somebody], None] = lambda somebody: None
    failure: str = ""
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, somebody: Somebody) -> None:
        """Let them say something, of which no two things are alike."""
        self.asked += 1
        somebody.said = f"Person {somebody.number} says a few words, and this is number {self.asked}"
        somebody.asked_at = time.perf_counter()
        somebody.person.says(somebody.chat, somebody.said)

    def see(self, somebody: Somebody, shown: Shown) -> None:
        """Something that the bot wrote is on their screen."""
        if somebody.asked_at is None or shown.text != somebody.said:
            self.failure = f"{shown.text!r} answers {somebody.said!r}"
        else:
            self.waits.append(time.perf_counter() - somebody.asked_at)
            somebody.asked_at = None
            self.on_answer(somebody)
        self._answered.set()

    async def wait_answered(self, count: int) -> None:
        """Return when so many answers have come, over all.

        Raises:
            RuntimeError: a wrong one came.
            TimeoutError: none came for a while.
        """
        while len(self.waits) < count:
            self._answered.clear()
            await asyncio.wait_for(self._answered.wait(), ANSWER_SECONDS)
            if self.failure:
                raise RuntimeError(self.failure)

    async def chatter(self, seconds: float) -> tuple[int, float]:
        """Everybody asks again at once when they were answered; how many answers came in how many seconds."""
        before, began = len(self.waits), time.perf_counter()
        self._ask_on(lambda: time.perf_counter() - began < seconds)
        await asyncio.sleep(seconds)
        await self.wait_answered(self.asked)
        return len(self.waits) - before, time.perf_counter() - began

    async def exchange(self, count: int) -> None:
        """The same for so many questions."""
        until = self.asked + count
        self._ask_on(lambda: self.asked < until)
        await self.wait_answered(until)

    def _ask_on(self, is_on: Callable[[], bool]) -> None:
        def ask(somebody: Somebody) -> None:
            if is_on():
                self.ask(somebody)

        self.on_answer = ask
        for somebody in self.people:
            ask(somebody)

    async def talk(self, per_second: float, seconds: float) -> list[float]:
        """So many questions a second, one person after the other; the seconds that each answer took."""
        before, loop = len(self.waits), asyncio.get_running_loop()
        self.on_answer = lambda somebody: None
        began = loop.time()
        for index in range(round(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + index / per_second - loop.time()))
            somebody = self.people[index % len(self.people)]
            if somebody.asked_at is not None:
                await self.wait_answered(self.asked)
            self.ask(somebody)
        await self.wait_answered(self.asked)
        return self.waits[before:]


@dataclass(frozen=True, slots=True)
class Town:
    """A Bot API server with a crowd for each of the bots."""

    server: BotApiServer
    screen: WatchedScreen
    stack: AsyncExitStack
    home: Path

    def crowd(self, token: str, size: int) -> Crowd:
        """So many people who talk to that bot."""
        bot = self.server.bot(token)
        crowd = Crowd([])
        for number in range(size):
            person = self.server.person(f"P{number}")
            somebody = Somebody(person, self.server.chat_private(person, bot=bot), number)
            crowd.people.append(somebody)
            self.screen.watchers[somebody.chat.key] = partial(crowd.see, somebody)
        return crowd

    async def join(self, name: str, size: int) -> tuple[Side, Crowd]:
        """A side as `joined` has it, until the town ends."""
        return await self.stack.enter_async_context(self.joined(name, size))

    @asynccontextmanager
    async def joined(self, name: str, size: int, *, messages_per_minute: int = 0) -> AsyncIterator[tuple[Side, Crowd]]:
        """A side in a process of its own, with so many people, each of whom was answered once.

        Args:
            name: one of TOKENS.
            size: how many people.
            messages_per_minute: of one person; 0 is no limit.
        """
        token = TOKENS[name]
        crowd = self.crowd(token, size)
        kind = "bare" if name == "bare" else "parley"
        running = side(kind, self.server.url, token, self.home / name, messages_per_minute=messages_per_minute)
        async with running as found:
            pin(found.process.pid, CORES[1:])
            for somebody in crowd.people:
                crowd.ask(somebody)
            await crowd.wait_answered(size)
            yield found, crowd


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """The server, in this process; what joined it ends with the block."""
    pin(os.getpid(), CORES[:1])
    # a bot that ends leaves its last poll unanswered
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    tokens = {token: f"{name}_bot" for name, token in TOKENS.items()}
    with tempfile.TemporaryDirectory() as home:
        async with BotApiServer(tokens=tokens, keep_history=False) as server, AsyncExitStack() as stack:
            screen = WatchedScreen(now=server.now, changed=server.changed, keep=KEPT_MESSAGES)
            screen.watchers = {}
            server.screen = server.world.screen = screen
            yield Town(server, screen, stack, Path(home))
    pin(os.getpid(), CORES)


def pin(process_id: int, cores: Sequence[int]) -> None:
    """Let the server compute on the first core and the bots on the others, so that none takes another's time."""
    if cores and sys.platform == "linux":
        os.sched_setaffinity(process_id, cores)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many per cent do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def options(about: str, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """The arguments that these benchmarks share."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=rounds, help="repetitions; medians are reported")
    parser.add_argument("--seconds", type=float, default=seconds, help="of each side in each round")
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one object")
    return parser
