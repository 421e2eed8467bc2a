"""How replies are followed to their end."""

from __future__ import annotations

from bot.answering import _follow
from bot.protocols import Reply
from bot.types import Finished, TextDelta, TurnState


async def test_a_stop_that_comes_after_the_end_changes_nothing() -> None:
    async def reply() -> Reply:
        yield TextDelta("Hello")
        yield Finished(turn_id=7)
        yield Finished(state=TurnState.STOPPED)

    assert await _follow(reply(), None) == ("Hello", Finished(turn_id=7))
