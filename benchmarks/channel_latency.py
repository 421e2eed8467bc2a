"""What Parley adds to the time until an answer is on the screen, beside a bare echo bot, at a rate that suits both."""

from __future__ import annotations

import argparse
import asyncio

from benchmarks.channel_crowd import options, percentile, town
from benchmarks.measure import median, report

PERCENTS = (50, 95, 99)


async def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Both sides in turn, on one server."""
    bares, ours = list[list[float]](), list[list[float]]()
    async with town() as place:
        _, calm = await place.join("bare", chosen.chats)
        _, crowd = await place.join("parley", chosen.chats)
        for _ in range(chosen.rounds):
            bares.append(await calm.talk(chosen.rate, chosen.seconds))
            ours.append(await crowd.talk(chosen.rate, chosen.seconds))
    figures: dict[str, object] = {"messages per second": chosen.rate, "chats": chosen.chats}
    for percent in PERCENTS:
        pairs = [(percentile(bare, percent), percentile(our, percent)) for bare, our in zip(bares, ours, strict=True)]
        figures[f"bare p{percent} ms"] = 1000 * median([bare for bare, _ in pairs])
        figures[f"parley p{percent} ms"] = 1000 * median([our for _, our in pairs])
        figures[f"added p{percent} ms, median of pairs"] = 1000 * median([our - bare for bare, our in pairs])
    return figures


def main() -> None:
    """Print what is added."""
    parser = options(__doc__ or "", rounds=5, seconds=10)
    parser.add_argument("--rate", type=float, default=50, help="messages per second")
    chosen = parser.parse_args()
    report("channel latency", asyncio.run(measure(chosen)), as_json=chosen.json)


if __name__ == "__main__":
    main()
