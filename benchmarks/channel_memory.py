"""Parley's memory and database over many messages of many chats: neither may grow but by what is kept."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from benchmarks.channel_crowd import options, town
from benchmarks.measure import report

STEPS = 10


async def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Figures after each tenth of the messages."""
    figures: dict[str, object] = {}
    step = chosen.messages // STEPS
    async with town() as place:
        side, crowd = await place.join("parley", chosen.chats)
        resident, stored = list[float](), list[int]()
        for number in range(1, STEPS + 1):
            await crowd.exchange(step)
            resident.append(side.resident_mib())
            stored.append(database_bytes(place.home / "parley"))
            figures[f"MiB after {number * step}"] = resident[-1]
            figures[f"database MiB after {number * step}"] = stored[-1] / 2**20
    half = STEPS // 2
    figures["MiB grown in the second half"] = resident[-1] - resident[half - 1]
    figures["database bytes a message"] = (stored[-1] - stored[half - 1]) / (step * half)
    return figures


def database_bytes(home: Path) -> int:
    """The database with its journals."""
    return sum(file.stat().st_size for file in home.glob("parley.db*"))


def main() -> None:
    """Print the figures."""
    parser = options(__doc__ or "", rounds=1, seconds=0)
    parser.add_argument("--messages", type=int, default=100_000)
    chosen = parser.parse_args()
    report("channel memory", asyncio.run(measure(chosen)), as_json=chosen.json)


if __name__ == "__main__":
    main()
