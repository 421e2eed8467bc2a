"""Kills the program again and again while people talk to it, and then looks whether every question is answered once.

A platform of its own, on loopback, outlives the program. It is killed with SIGKILL at random moments, and at each
of the named points between inbox and receipt (chaos_program); at the end everything settles, and what stands on the
people's screens is compared with what they asked (chaos_judge). The exit status is 1 where something is amiss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos_judge import VIOLATIONS, Verdict, judge
from benchmarks.chaos_people import Control, Talker, gather_people, look
from benchmarks.chaos_platforms import PLATFORMS, TELEGRAM, Platform
from benchmarks.chaos_processes import DEAD_PARCELS, OPEN_ARRIVALS, OPEN_PARCELS, Program, serving
from benchmarks.chaos_program import AT_START, POINTS
from benchmarks.measure import machine

SETTLE_SECONDS = 120.0
CONNECT_SECONDS = 60.0
POINT_SECONDS = 8.0
"""How long a life waits for its named point; a point that was not reached is tried again later."""
START_POINT_SECONDS = 2.0
TRIES = 5
LEAVES_SOMETHING = ("platform.send", "after")
"""The death after which the next life finds something whose outcome is unknown."""
LIVES_SECONDS = (0.5, 3.0, 5.0)
"""How long it lives at most, once it is connected: time for nothing, for one answer, for some."""
TOLD_VIOLATIONS = 40


@dataclass(frozen=True, slots=True)
class Options:
    """How much is done."""

    kills: int
    """At random moments, on top of those at named points."""
    chats: int
    seed: int
    minutes: float
    """After that nothing more is killed."""
    folder: Path
    platform: Platform = TELEGRAM
    is_full: bool = True
    """Whether it dies before and after each named point, instead of at one side of it, drawn by lot."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    figures: dict[str, object]
    verdict: Verdict

    @property
    def is_clean(self) -> bool:
        """Whether nothing is amiss."""
        return self.verdict.is_clean


class Campaign:
    """One run of the program through all its deaths."""

    def __init__(self, options: Options, program: Program, control: Control) -> None:
        self._options = options
        self._program = program
        self._control = control
        self._random = random.Random(options.seed)
        self._deadline = time.monotonic() + options.minutes * 60
        sides = ("before", "after")
        points = [point for point in POINTS if point not in options.platform.lacks]
        chosen = [
            (point, when) for point in points for when in (sides if options.is_full else self._random.sample(sides, 1))
        ]
        self._points = deque((point, when, 0) for point, when in chosen)
        self.kills = 0
        self.unreached: list[str] = []
        """The named points at which nothing was killed."""
        self.verdict = Verdict()

    async def run(self, talkers: Sequence[Talker]) -> None:
        """Kill it while they talk, then let everything settle."""
        if self._options.platform.forgets:
            await self._acquaint(talkers)
        is_over = asyncio.Event()
        talking = [asyncio.create_task(each.talk(is_over)) for each in talkers]
        try:
            await self._lives()
            await self._program.start()
            is_over.set()
            await asyncio.gather(*talking)
            await self._settle()
        finally:
            for task in talking:
                task.cancel()

    async def _acquaint(self, talkers: Sequence[Talker]) -> None:
        """Let it hear from everybody once: where nothing is told later, it cannot know of private chats otherwise."""
        await self._program.start()
        await self._control("connected", seconds=CONNECT_SECONDS)
        await asyncio.gather(*(each.ask_once() for each in talkers))
        await self._program.kill()

    async def _lives(self) -> None:
        left = self._options.kills
        while (left or self._points) and time.monotonic() < self._deadline:
            if self._points and (left == 0 or self._is_point_next(left)):
                await self._die_at_point()
            else:
                await self._die_at_random()
                left -= 1
            if not await self._program.kill():
                self.verdict.note("unexpected_words", "the program ended by itself")
        self.unreached += [f"{point}:{when}" for point, when, _ in self._points]

    def _is_point_next(self, left: int) -> bool:
        """At random; but what a death leaves behind must bring the next life to a point at its start."""
        is_chained = self._points[0][0] in AT_START
        return is_chained or self._random.random() * (left + len(self._points)) >= left

    async def _die_at_random(self) -> None:
        await self._program.start()
        if self._random.random() < 0.1:
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
        else:
            await self._program.until_connected()
            await self._program.ends_within(self._random.choice(LIVES_SECONDS) * self._random.random())
        self.kills += 1

    async def _die_at_point(self) -> None:
        point, when, tries = self._points.popleft()
        count = 1 if tries or point in AT_START else self._random.choice((1, 1, 2))
        await self._program.start(die_at=f"{point}:{when}:{count}")
        await self._program.until_connected()
        self.kills += 1
        if await self._program.ends_within(START_POINT_SECONDS if point in AT_START else POINT_SECONDS):
            return
        if tries + 1 == TRIES:
            self.unreached.append(f"{point}:{when}")
        elif point in AT_START:
            self._points.extendleft([(point, when, tries + 1), (*LEAVES_SOMETHING, TRIES - 1)])
        else:
            self._points.append((point, when, tries + 1))

    async def _settle(self) -> None:
        """Wait until nothing is under way any more, twice in a row."""
        deadline, quiet = time.monotonic() + SETTLE_SECONDS, 0
        while quiet < 2 and time.monotonic() < deadline:
            under_way = await self._control.waiting_updates(self._options.platform)
            under_way += self._program.count(OPEN_ARRIVALS) + self._program.count(OPEN_PARCELS)
            quiet = 0 if under_way else quiet + 1
            await asyncio.sleep(0.5)
        if quiet < 2:
            self.verdict.note("half_shown", "something was still under way at the end")

    async def look(self, talkers: Sequence[Talker]) -> None:
        """Compare the screens with what was asked."""
        for chat in {talker.chat.place.key: talker.chat for talker in talkers}.values():
            seen, drafts = await look(self._control, chat)
            self.verdict.add(judge(chat.questions, seen, chat=chat.place.key))
            self.verdict.counted["drafts_left"] += drafts
            screen = await self._control("screen", **chat.where)
            (self._options.folder / f"screen{chat.place.key}.txt").write_text(screen["text"], encoding="utf-8")


async def crash(options: Options) -> Outcome:
    """Run a campaign to its end."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(options.platform))
        control = Control(url)
        stack.push_async_callback(control.close)
        program = Program(options.folder, options.platform, url=url)
        stack.push_async_callback(program.kill)
        talkers = await gather_people(control, options.platform, chats=options.chats, seed=options.seed)
        await control("faults/random", seed=options.seed, **options.platform.faulty)
        campaign = Campaign(options, program, control)
        await campaign.run(talkers)
        await campaign.look(talkers)
        if not await program.stop():
            campaign.verdict.note("unexpected_words", "the program did not stop when it was asked to")
        figures = _figures(campaign, program, time.monotonic() - started)
        (options.folder / "log.txt").write_text("\n".join(program.log), encoding="utf-8")
    return Outcome(figures, campaign.verdict)


COUNTED = ("questions", "answers", "marked_repeats", "superseded_previews", "places_held_in_vain", "given_up")


def _figures(campaign: Campaign, program: Program, seconds: float) -> dict[str, object]:
    return {
        "kills": campaign.kills,
        "points_unreached": ", ".join(campaign.unreached) or "none",
        **{name: campaign.verdict.counted[name] for name in (*COUNTED, "drafts_left", *VIOLATIONS)},
        "set_aside": program.count(DEAD_PARCELS),
        "errors_logged": program.complaints,
        "seconds": round(seconds, 1),
    }


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="at random moments; named points come on top")
    parser.add_argument("--platform", choices=PLATFORMS, default=TELEGRAM.name)
    parser.add_argument("--chats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30, help="after that nothing more is killed")
    parser.add_argument("--folder", type=Path, help="keep database, log and screens there")
    parser.add_argument("--quick", action="store_true", help="die at one side of each named point only")
    parser.add_argument("--json", action="store_true", help="print one object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        platform = PLATFORMS[given.platform]
        options = Options(given.kills, given.chats, given.seed, given.minutes, folder, platform, not given.quick)
        try:
            outcome = asyncio.run(crash(options))
        except KeyboardInterrupt:
            return 130
    if given.json:
        told = {
            "benchmark": "chaos",
            "platform": given.platform,
            "machine": machine(),
            **outcome.figures,
            "violations": outcome.verdict.told,
        }
        print(json.dumps(told))
    else:
        print(f"chaos ({machine()})")
        for name, value in outcome.figures.items():
            print(f"  {name:<22} {value}")
        for line in outcome.verdict.told[:TOLD_VIOLATIONS]:
            print(f"  {line}", file=sys.stderr)
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
