"""Dice fall as games write them, and picks are among what was named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.skills.chance import MOST_DICE, MOST_SIDES, options, roll
from tests.channels.memory import MemoryAdapter, talking


def falls(*numbers: int) -> Iterator[int]:
    yield from numbers


@pytest.mark.parametrize(
    ("notation", "draws", "dice", "total"),
    [
        ("", (3,), (4,), 4),
        ("d20", (19,), (20,), 20),
        ("2d6+1", (0, 5), (1, 6), 8),
        ("2d6 - 1d4", (5, 5, 3), (6, 6, 4), 8),
        ("8", (7,), (8,), 8),
        ("d%", (99,), (100,), 100),
        ("3w6", (0, 0, 0), (1, 1, 1), 3),
        ("1-100", (41,), (), 42),
        ("10到20", (10,), (), 20),
        ("5 + d4", (0,), (1,), 6),
    ],
)
def test_dice_are_thrown_as_they_are_written(
    notation: str, draws: tuple[int, ...], dice: tuple[int, ...], total: int
) -> None:
    numbers = falls(*draws)
    thrown = roll(notation, lambda _: next(numbers))
    assert thrown is not None
    assert (thrown.dice, thrown.total) == (dice, total)
    assert next(numbers, None) is None


@pytest.mark.parametrize(
    "text", ["dd", "2d", "hello", "101d6", "60d6+60d6", "d0", "0d6", "d9999999", "2d6d6", "1-99999999", "2+2"]
)
def test_what_is_no_throw_is_refused(text: str) -> None:
    assert roll(text) is None


@given(st.integers(1, MOST_DICE), st.integers(1, MOST_SIDES))
def test_every_die_shows_one_of_its_sides(count: int, sides: int) -> None:
    thrown = roll(f"{count}d{sides}")
    assert thrown is not None
    assert len(thrown.dice) == count
    assert all(1 <= die <= sides for die in thrown.dice)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tea, coffee or water", ["tea", "coffee", "water"]),
        ("red blue", ["red", "blue"]),
        ("茶、咖啡还是水？", ["茶", "咖啡", "水"]),
        ("stay home or go out?", ["stay home", "go out"]),
        ("tea, tea, coffee", ["tea", "coffee"]),
        ("  ", []),
    ],
)
def test_options_are_told_apart(text: str, found: list[str]) -> None:
    assert options(text) == found


async def test_it_throws_and_chooses_in_a_chat(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("/roll 3d1")])
        await adapter.until("3 (1 + 1 + 1)")
        await exchange.accept([adapter.said("/choose yes")])
        await adapter.until("Between what")
        await exchange.accept([adapter.said("/roll a dice")])
        await adapter.until("I cannot throw that")
        await exchange.accept([adapter.said("/choose tea or tea, coffee")])
        await adapter.until("I choose")
