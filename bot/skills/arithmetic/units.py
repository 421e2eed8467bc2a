"""Units: which words name one, and exact conversion between them, by pint. Loaded when the first unit is met."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

NAMES = {"°c": "degC", "°f": "degF", "°": "degree", "jin": "jin", "c": "degC", "f": "degF"}
"""What pint calls otherwise; a bare C or F behind a number is a temperature to people, not a charge."""
OURS = ("jin = 0.5 * kilogram",)
NEVER = frozenset(["a", "an", "the", "is", "and", "b", "e", "k", "u", "x", "at", "are", "as"])
"""Words and letters that pint would take for a unit, and people do not mean so."""


class UnknownUnit(Exception):
    """Nothing measures so; `unit` is the word."""

    def __init__(self, unit: str) -> None:
        super().__init__(unit)
        self.unit = unit


@cache
def registry() -> Any:
    """pint's registry, with exact numbers."""
    import pint

    units: Any = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
    for line in OURS:
        units.define(line)
    return units


@cache
def is_unit(word: str) -> bool:
    """Whether the word names a unit."""
    if word.lower() in NEVER:
        return False
    try:
        parse(word)
    except UnknownUnit:
        return False
    return True


@cache
def parse(unit: str) -> Any:
    """The unit of a word or of several with signs between them, such as `km/h`.

    Raises:
        UnknownUnit: there is none.
    """
    import pint

    told = "".join(NAMES.get(part.lower(), part) for part in _parts(unit))
    for spelling in dict.fromkeys((told, told.lower())):
        try:
            return registry().parse_units(spelling)
        except (pint.PintError, AttributeError, TypeError, ValueError, KeyError):
            continue
    raise UnknownUnit(unit)


def _parts(unit: str) -> list[str]:
    parts, word = [], ""
    for sign in unit:
        if sign in "/*^" or sign.isdigit():
            parts += [word, sign] if word else [sign]
            word = ""
        else:
            word += sign
    return [*parts, word] if word else parts


def shown(unit: Any) -> str:
    """The unit as people write it: km/h, m², °C."""
    raised = {2: "²", 3: "³"}
    above: list[str] = []
    below: list[str] = []
    for name, power in sorted(unit._units.items()):
        size = abs(power)
        told = registry().get_symbol(name) + ("" if size == 1 else raised.get(size, f"^{size}"))
        (above if power > 0 else below).append(told)
    return "·".join(above or (["1"] if below else [])) + "".join(f"/{each}" for each in below)
