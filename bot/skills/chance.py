"""`/roll` and `/choose`: dice, numbers and picks that nobody can foresee."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.protocols import Command, Immediate, Reply
from bot.skills.context import SkillContext
from bot.types import Act, Finished, TextDelta

MOST_DICE = 100
MOST_SIDES = 1_000_000
TERM = re.compile(r"(?P<sign>[+-]?)(?:(?P<count>\d*)[dDwW](?P<sides>\d+|%)|(?P<number>\d+))")
RANGE = re.compile(r"(?P<low>-?\d+)(?:-|–|\.\.|to|bis|到|至)(?P<high>-?\d+)")
BETWEEN = re.compile(r"\s*(?:[,，;；、/|\n]|\bor\b|还是|或者|或)\s*", re.IGNORECASE)
DrawBelow = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Roll:
    """What was thrown: the notation, each die in order, and their sum with what is added."""

    notation: str
    dice: tuple[int, ...]
    total: int


def roll(text: str, below: DrawBelow = secrets.randbelow) -> Roll | None:
    """Throw what the text says: `2d6+1`, `d20`, `1-100`, `6` for one die of six sides; nothing is one ordinary die.

    Args:
        text: the notation, as tabletop games write it.
        below: draws a number from 0 to one less than its argument.

    Returns None where the text is no such notation, or asks for more than `MOST_DICE` dice or `MOST_SIDES` sides.
    """
    notation = re.sub(r"\s+", "", text)
    if not notation:
        return roll("1d6", below)
    if span := RANGE.fullmatch(notation):
        low, high = sorted((int(span["low"]), int(span["high"])))
        return Roll(f"{low}–{high}", (), low + below(high - low + 1)) if high - low < MOST_SIDES else None
    if notation.isdecimal():
        return roll(f"1d{notation}", below)
    return _throw(notation, below)


def _throw(notation: str, below: DrawBelow) -> Roll | None:
    terms = list(TERM.finditer(notation))
    is_whole = "".join(term[0] for term in terms) == notation and all(term["sign"] for term in terms[1:])
    if not is_whole or not any(term["sides"] for term in terms):
        return None
    dice: list[int] = []
    total = 0
    for term in terms:
        sign = -1 if term["sign"] == "-" else 1
        if term["number"]:
            total += sign * min(int(term["number"][:12]), MOST_SIDES)
            continue
        count, sides = int(term["count"] or 1), 100 if term["sides"] == "%" else int(term["sides"][:12])
        if not 1 <= count <= MOST_DICE - len(dice) or not 1 <= sides <= MOST_SIDES:
            return None
        thrown = [1 + below(sides) for _ in range(count)]
        dice += thrown
        total += sign * sum(thrown)
    return Roll(notation, tuple(dice), total)


def options(text: str) -> list[str]:
    """The things between which is to be chosen, each once; without commas or `or`, the words."""
    parts = [part.strip(" ?？。.") for part in BETWEEN.split(text)]
    found = list(dict.fromkeys(part for part in parts if part))
    return found if len(found) > 1 else list(dict.fromkeys(text.split()))


class ChanceSkill:
    """Throws and picks."""

    commands: Sequence[Command] = (
        Command("roll", "[2d6]", immediate=Immediate.ALWAYS),
        Command("choose", "A, B, C", immediate=Immediate.ALWAYS),
    )

    def __init__(self, below: DrawBelow = secrets.randbelow) -> None:
        """`below` draws a number from 0 to one less than its argument."""
        self._below = below

    def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        return self._roll(context) if context.understanding.name.endswith("roll") else self._choose(context)

    async def _roll(self, context: SkillContext) -> Reply:
        thrown = roll(context.argument, self._below)
        if thrown is None:
            yield TextDelta(context.texts.get("chance.no_dice", dice=MOST_DICE))
            yield Finished(act=Act("reject", {"reason": "no_dice"}))
            return
        single = " + ".join(map(str, thrown.dice)) if len(thrown.dice) > 1 else ""
        yield TextDelta(f"🎲 `{thrown.notation}` → **{thrown.total}**" + (f" ({single})" if single else ""))
        yield Finished(act=Act("roll", {"dice": thrown.notation, "thrown": thrown.dice, "total": thrown.total}))

    async def _choose(self, context: SkillContext) -> Reply:
        found = options(context.argument)
        if len(found) < 2:
            yield TextDelta(context.texts.get("chance.nothing_to_choose"))
            yield Finished(act=Act("ask_missing", {"slot": "options"}))
            return
        chosen = found[self._below(len(found))]
        yield TextDelta(context.texts.get("chance.chosen", option=chosen))
        yield Finished(act=Act("choose", {"options": found, "chosen": chosen}))
