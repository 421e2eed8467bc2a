"""One turn at a time in a conversation; others never wait for it."""

from __future__ import annotations

import asyncio
import gc

import pytest

from bot.errors import Busy
from bot.lanes import Lanes


async def test_turns_of_a_conversation_run_in_order_of_arrival() -> None:
    lanes, order, gate = Lanes(), list[int](), asyncio.Event()

    async def turn(number: int) -> None:
        async with lanes.hold("a"):
            await gate.wait()
            order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(turn(number))
        await asyncio.sleep(0)
        gate.set()
    assert order == [0, 1, 2, 3, 4]


async def test_another_conversation_does_not_wait() -> None:
    lanes = Lanes()
    async with lanes.hold("a"), asyncio.timeout(1), lanes.hold("b"):
        reached = True
    assert reached


async def test_too_many_waiting_turns_are_refused() -> None:
    lanes = Lanes(max_pending=2)

    async def turn() -> None:
        async with lanes.hold("a"):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(turn()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="already 2 messages"):
        async with lanes.hold("a"):
            raise AssertionError("must not get in")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cancelled_turn_lets_the_next_one_in() -> None:
    lanes = Lanes()
    holder = asyncio.create_task(_hold_for_ever(lanes))
    await asyncio.sleep(0)
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    async with asyncio.timeout(1), lanes.hold("a"):
        pass


async def test_conversations_in_which_nobody_waits_are_forgotten() -> None:
    lanes = Lanes()
    for number in range(1000):
        async with lanes.hold(str(number)):
            pass
    gc.collect()
    assert len(lanes._lanes) <= 1


async def _hold_for_ever(lanes: Lanes) -> None:
    async with lanes.hold("a"):
        await asyncio.Event().wait()
