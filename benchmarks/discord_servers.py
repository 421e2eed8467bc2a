"""A hundred servers of ten channels talk to one bot on Discord, some faster than Discord lets it answer.

Discord's limits hold: five messages in five seconds a channel, fifty calls a second in all. Whoever talks in another
channel must not wait for those; and Parley's memory must not grow with what is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.channel_crowd import CORES, percentile, pin
from benchmarks.chaos_platforms import DISCORD
from benchmarks.measure import median, report
from tests.servers.discord_people import Person
from tests.servers.discord_screen import Json, Pings, Place, Screen, Shown
from tests.servers.discord_server import KEPT_MESSAGES, DiscordServer
from tests.servers.discord_things import Channel

ANSWER_SECONDS = 60.0
FLOOD_SECONDS = 0.6
"""Between two messages in a channel that talks too fast."""
END_SECONDS = 30.0


class WatchedScreen(Screen):
    """A screen whose watchers see what bots write at the moment at which it is there."""

    watchers: dict[int, Callable[[Shown], None]]

    def show(self, channel: Place, message: Json, *, pings: Pings, only_for: int | None = None) -> Shown:
        shown = super().show(channel, message, pings=pings, only_for=only_for)
        if shown.from_bot and (watcher := self.watchers.get(channel.id)):
            watcher(shown)
        return shown


@dataclass(slots=True)
class Corner:
    """One channel, and somebody who talks there when they were answered."""

    person: Person
    channel: Channel
    mention: str
    asked_at: float | None = None
    said: str = ""
    wrong: str = ""
    waits: list[float] = field(default_factory=list)

    def ask(self, number: int) -> None:
        """Say something that nobody has said."""
        self.said = f"This is number {number}"
        self.asked_at = time.perf_counter()
        self.person.says(self.channel, f"{self.mention} {self.said}")

    def see(self, shown: Shown) -> None:
        """Something that the bot wrote is there."""
        if self.asked_at is None or not shown.text.endswith(f": {self.said}"):  # after the name of who asked
            self.wrong = f"{shown.text!r} answers {self.said!r}"
        else:
            self.waits.append(time.perf_counter() - self.asked_at)
            self.asked_at = None


@dataclass(slots=True)
class City:
    """All channels; `quiet` ones are measured, `loud` ones talk too fast at times."""

    server: DiscordServer
    quiet: list[Corner]
    loud: list[Corner]
    asked: int = 0

    async def talk(self, per_second: float, seconds: float) -> list[float]:
        """So many questions a second, each in another channel; the seconds that each answer took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        before = {id(corner): len(corner.waits) for corner in self.quiet}
        for index in range(round(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + index / per_second - loop.time()))
            corner = self.quiet[self.asked % len(self.quiet)]
            await self._answered(corner)
            self.asked += 1
            corner.ask(self.asked)
        for corner in self.quiet:
            await self._answered(corner)
        return [wait for corner in self.quiet for wait in corner.waits[before[id(corner)] :]]

    async def _answered(self, corner: Corner) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            while corner.asked_at is not None:
                if corner.wrong:
                    raise RuntimeError(corner.wrong)
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def flooded(self) -> AsyncIterator[None]:
        """While the block runs, the loud channels talk whatever is answered."""

        async def shout(corner: Corner) -> None:
            while True:
                corner.person.says(corner.channel, f"{corner.mention} again")
                await asyncio.sleep(FLOOD_SECONDS)

        tasks = [asyncio.create_task(shout(corner)) for corner in self.loud]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def build(server: DiscordServer, screen: WatchedScreen, chosen: argparse.Namespace) -> City:
    """The servers, with one person in each channel."""
    corners = []
    for number in range(chosen.servers):
        people = [server.person(f"P{number}x{index}") for index in range(chosen.channels)]
        guild = server.guild(f"Server {number}", people[0], *people[1:])
        for index, person in enumerate(people):
            corners.append(Corner(person, server.channel(guild, f"channel-{index}"), server.mention))
    random.Random(chosen.seed).shuffle(corners)
    loud, quiet = corners[: chosen.loud], corners[chosen.loud :]
    screen.watchers = {corner.channel.id: corner.see for corner in quiet}
    return City(server, quiet, loud)


@asynccontextmanager
async def program(server: DiscordServer, home: Path) -> AsyncIterator[psutil.Popen]:
    """`parley run`, connected, until the block ends."""
    file = home / "parley.toml"
    table = DISCORD.configuration.format(url=server.url, websocket=server.url.replace("http", "ws", 1))
    file.write_text(table.replace("echo_delay_seconds = 0.015\n", ""), encoding="utf-8")
    variables = {**os.environ, "PARLEY_HOME": str(home)}
    process = psutil.Popen(
        [sys.executable, "-m", "benchmarks.chaos_program", "--config", str(file), "run"], env=variables
    )
    try:
        await server.wait_until(server.gateway.connected, seconds=ANSWER_SECONDS)
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(_end, process)


def _end(process: psutil.Popen) -> None:
    try:
        process.wait(END_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()


async def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """The quiet channels in turn alone and beside the loud ones."""
    figures: dict[str, object] = {"channels": chosen.servers * chosen.channels, "of them loud": chosen.loud}
    alone, beside, memory = list[list[float]](), list[list[float]](), list[float]()
    pin(os.getpid(), CORES[:1])
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = await stack.enter_async_context(DiscordServer(keep_history=False))
        screen = WatchedScreen(now=server.now, changed=server.changed, keep=KEPT_MESSAGES)
        server.screen = server.world.screen = screen
        city = build(server, screen, chosen)
        process = await stack.enter_async_context(program(server, home))
        pin(process.pid, CORES[1:])
        await city.talk(chosen.rate, chosen.seconds)
        for _ in range(chosen.rounds):
            alone.append(await city.talk(chosen.rate, chosen.seconds))
            async with city.flooded():
                beside.append(await city.talk(chosen.rate, chosen.seconds))
            memory.append(process.memory_info().rss / 2**20)
        figures["questions answered"] = city.asked
    for percent in (50, 95):
        pairs = [(percentile(one, percent), percentile(two, percent)) for one, two in zip(alone, beside, strict=True)]
        figures[f"p{percent} ms alone"] = 1000 * median([one for one, _ in pairs])
        figures[f"p{percent} ms beside the loud"] = 1000 * median([two for _, two in pairs])
        figures[f"ratio of p{percent}, median of pairs"] = median([two / one for one, two in pairs])
    figures["longest ms beside the loud"] = 1000 * max(wait for waits in beside for wait in waits)
    figures |= {"MiB after the first round": memory[0], "MiB after the last": memory[-1]}
    return figures


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--channels", type=int, default=10, help="of each server")
    parser.add_argument("--loud", type=int, default=20, help="channels that talk faster than the limits")
    parser.add_argument("--rate", type=float, default=20, help="questions a second in all other channels together")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each half of a round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one object")
    chosen = parser.parse_args()
    report("discord servers", asyncio.run(measure(chosen)), as_json=chosen.json)


if __name__ == "__main__":
    main()
