"""How much longer others wait for Parley while one person floods it, without and with a limit of messages a minute."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.channel_crowd import Crowd, Somebody, Town, options, percentile, town
from benchmarks.measure import median, report

LIMIT = 20
"""Messages that one person may send in a minute where there is a limit: what is configured if nothing is."""


@asynccontextmanager
async def flood(place: Town, flooder: Somebody, per_second: float) -> AsyncIterator[None]:
    """Somebody says something so many times a second, whatever is answered."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        began, said = loop.time(), 0
        while True:
            said += 1
            flooder.person.says(flooder.chat, f"Flood {said}")
            await asyncio.sleep(max(0.0, began + said / per_second - loop.time()))

    place.screen.watchers.pop(flooder.chat.key, None)
    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def compare(place: Town, crowd: Crowd, chosen: argparse.Namespace) -> dict[str, object]:
    """The same crowd in turn without and with somebody who floods."""
    flooder = crowd.people.pop()
    alone, beside = list[list[float]](), list[list[float]]()
    for _ in range(chosen.rounds):
        alone.append(await crowd.talk(chosen.rate, chosen.seconds))
        async with flood(place, flooder, chosen.flood):
            beside.append(await crowd.talk(chosen.rate, chosen.seconds))
    figures: dict[str, object] = {}
    for percent in (50, 95):
        pairs = [(percentile(one, percent), percentile(two, percent)) for one, two in zip(alone, beside, strict=True)]
        figures[f"p{percent} ms alone"] = 1000 * median([one for one, _ in pairs])
        figures[f"p{percent} ms beside the flood"] = 1000 * median([two for _, two in pairs])
        figures[f"ratio of p{percent}, median of pairs"] = median([two / one for one, two in pairs])
    return figures


async def measure(chosen: argparse.Namespace) -> dict[str, object]:
    """Two runs of Parley on one server: what one person may send is not limited, and limited."""
    figures: dict[str, object] = {"messages per second": chosen.rate, "flood per second": chosen.flood}
    async with town() as place:
        for name, limit in (("free", 0), ("parley", LIMIT)):
            async with place.joined(name, chosen.chats + 1, messages_per_minute=limit) as (_, crowd):
                found = await compare(place, crowd, chosen)
            figures |= {f"{'limited' if limit else 'unlimited'}, {key}": value for key, value in found.items()}
    return figures


def main() -> None:
    """Print the ratios."""
    parser = options(__doc__ or "", rounds=5, seconds=10)
    parser.add_argument("--rate", type=float, default=20, help="messages per second of all others together")
    parser.add_argument("--flood", type=float, default=30, help="messages per second of the one who floods")
    chosen = parser.parse_args()
    report("channel fairness", asyncio.run(measure(chosen)), as_json=chosen.json)


if __name__ == "__main__":
    main()
