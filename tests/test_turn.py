"""A turn while it runs: followed, stopped, timed."""

from __future__ import annotations

import asyncio

from bot.protocols import Reply
from bot.turn import RunningTurn
from bot.types import Finished, TextDelta, TurnState


async def saying(*texts: str, release: asyncio.Event) -> Reply:
    for text in texts:
        yield TextDelta(text)
    await release.wait()
    yield Finished()


async def test_a_turn_that_is_stopped_before_its_reply_begins_ends() -> None:
    turn, release = RunningTurn(), asyncio.Event()
    events = turn.follow(saying("a", release=release))
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)  # the reader is made, and has not begun
    turn.stop()
    async with asyncio.timeout(5):
        end = await first
    assert isinstance(end, Finished)
    assert end.state is TurnState.STOPPED
    await events.aclose()


async def test_what_was_said_before_the_stop_is_heard() -> None:
    turn, release = RunningTurn(), asyncio.Event()
    heard = []
    async for event in turn.follow(saying("a", "b", release=release)):
        heard.append(event)
        if event == TextDelta("b"):
            turn.stop()
    assert heard[:2] == [TextDelta("a"), TextDelta("b")]
    assert isinstance(heard[2], Finished)
    assert heard[2].state is TurnState.STOPPED


async def test_an_end_has_the_times_of_the_turn() -> None:
    turn, release = RunningTurn(), asyncio.Event()
    release.set()
    turn.begin()
    *_, end = [event async for event in turn.follow(saying("a", release=release))]
    assert isinstance(end, Finished)
    assert 0 < end.timings.first_seconds <= end.timings.total_seconds
