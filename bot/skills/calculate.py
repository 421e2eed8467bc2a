"""`/calc`: arithmetic with units, exact, without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.protocols import Command, Immediate, Reply
from bot.skills.arithmetic.evaluating import CannotCalculate, evaluate
from bot.skills.arithmetic.reading import CannotRead, read
from bot.skills.arithmetic.units import is_unit
from bot.skills.arithmetic.words import plain
from bot.skills.arithmetic.writing import written
from bot.skills.context import SkillContext
from bot.types import Act, Finished, TextDelta


class CalculateSkill:
    """Says what something comes to."""

    commands: Sequence[Command] = (Command("calc", "SUM", immediate=Immediate.ALWAYS),)

    async def respond(self, context: SkillContext) -> Reply:
        """The value of what follows the command."""
        if not context.argument:
            yield TextDelta(context.texts.get("arithmetic.nothing"))
            yield Finished(act=Act("ask_missing", {"slot": "sum"}))
            return
        try:
            # the first unit loads the library of units, and large powers take a while
            asked, result = await asyncio.to_thread(_calculate, context.argument)
        except CannotRead as error:
            yield TextDelta(context.texts.get("arithmetic.not_understood", where=_literal(error.where)))
            yield Finished(act=Act("reject", {"reason": "not_understood"}))
        except CannotCalculate as error:
            yield TextDelta(context.texts.get(f"arithmetic.{error.reason}", **error.values))
            yield Finished(act=Act("reject", {"reason": error.reason}))
        else:
            yield TextDelta(f"{_literal(_said(context.argument))} {'' if result.startswith('≈') else '= '}**{result}**")
            yield Finished(act=Act("calculate", {"sum": asked, "result": result}))


def _calculate(text: str) -> tuple[str, str]:
    asked = " ".join(plain(text).split())
    return asked, written(evaluate(read(asked, is_unit)))


def _said(text: str) -> str:
    """The sum as it was asked for, without the mark that only asks."""
    return " ".join(text.split()).rstrip("?？= ") or text


def _literal(text: str) -> str:
    """The text as code, since its stars are no emphasis."""
    return f"`{text.replace('`', ' ')}`"
