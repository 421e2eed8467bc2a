"""A process that takes in, answers and delivers without end: `python -m tests.storage.bookkeeper URL FIRST`.

It first deals with what an earlier one left over, and accepts some updates from before FIRST again; then updates from
number FIRST on, each twice. Several run at once. It prints `accepted N` or `delivered N` once the ledger has promised
it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import count

from bot.ledger import Arrival, Ledger, Parcel, ParcelState
from storage import open_books
from tests.storage.values import NOON, arrived, parcel

AT_ONCE = 8
MOST_PARTS = 4
"""Answers have different lengths, so that those that run at once are not all at the same point."""


def _say(what: str, number: int) -> None:
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


async def _deliver(ledger: Ledger, waiting: Sequence[Parcel]) -> None:
    for each in waiting:
        await ledger.attempt(each.id)
        await ledger.delivered(each.id, f"m{each.id}", at=NOON)


async def _answer(ledger: Ledger, arrival: Arrival) -> None:
    number = int(arrival.update.message.id)
    await ledger.post([parcel("…", arrival_id=arrival.id, state=ParcelState.PREVIEW)], at=NOON)
    part = parcel(f"answer to {number}", arrival_id=arrival.id, turn_id=number)
    await _deliver(ledger, await ledger.finish([arrival.id], [part] * (number % MOST_PARTS + 1), at=NOON))
    _say("delivered", number)


async def _accept(ledger: Ledger, number: int) -> list[Arrival]:
    arrivals = await ledger.accept([arrived(f"question {number}", number)], at=NOON)
    _say("accepted", number)
    return arrivals


async def _work(ledger: Ledger, numbers: Iterator[int]) -> None:
    for number in numbers:
        once, again = await asyncio.gather(_accept(ledger, number), _accept(ledger, number))
        for arrival in once + again:
            await _answer(ledger, arrival)


async def _keep(url: str, first: int) -> None:
    async with open_books(url) as books:
        await _deliver(books.ledger, await books.ledger.parcels())
        for arrival in await books.ledger.arrivals():
            await _answer(books.ledger, arrival)
        numbers = count(max(1, first - AT_ONCE))
        await asyncio.gather(*(_work(books.ledger, numbers) for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(_keep(sys.argv[1], int(sys.argv[2])))
