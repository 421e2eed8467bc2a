"""Messages answered in a second: Parley, which stores everything, beside a bare echo bot of python-telegram-bot."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass

from benchmarks.channel_crowd import Crowd, options, town
from benchmarks.channel_sides import Side
from benchmarks.measure import median, report


@dataclass(frozen=True, slots=True)
class Sample:
    """One side in one round."""

    per_second: float
    cpu_ms: float
    """Of the bot's process, a message."""


async def sample(side: Side, crowd: Crowd, seconds: float) -> Sample:
    """Everybody talks for so long."""
    before = side.cpu_seconds()
    count, took = await crowd.chatter(seconds)
    return Sample(count / took, 1000 * (side.cpu_seconds() - before) / count)


async def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Both sides in turn, on one server."""
    bares, ours = list[Sample](), list[Sample]()
    async with town() as place:
        bare = await place.join("bare", chosen.chats)
        parley = await place.join("parley", chosen.chats)
        for _ in range(chosen.rounds):
            bares.append(await sample(*bare, chosen.seconds))
            ours.append(await sample(*parley, chosen.seconds))
        calls = dict(place.server.statistics().methods)
    ratios = [our.per_second / other.per_second for our, other in zip(ours, bares, strict=True)]
    costs = [our.cpu_ms / other.cpu_ms for our, other in zip(ours, bares, strict=True)]
    return {
        "bare messages per second": median([each.per_second for each in bares]),
        "parley messages per second": median([each.per_second for each in ours]),
        "ratio, median of pairs": median(ratios),
        "ratios": ", ".join(f"{ratio:.2f}" for ratio in ratios),
        "bare CPU ms a message": median([each.cpu_ms for each in bares]),
        "parley CPU ms a message": median([each.cpu_ms for each in ours]),
        "ratio of CPU, median of pairs": median(costs),
        "calls": calls,
    }


def main() -> None:
    """Print the ratio."""
    chosen = options(__doc__ or "", rounds=5, seconds=10).parse_args()
    report("channel throughput", asyncio.run(measure(chosen)), as_json=chosen.json)


if __name__ == "__main__":
    main()
