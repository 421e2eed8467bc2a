"""A value as people read it: exact where that is short, and with a sign where it is rounded."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

from bot.skills.arithmetic import units
from bot.skills.arithmetic.evaluating import Value

MOST_DECIMALS = 12
ROUNDED = Context(prec=12)
LONGEST_INTEGER = 1000
LARGEST_DENOMINATOR = 1000
GROUPED_FROM = 5
"""Digits of a whole number that are grouped by threes."""


def written(value: Value) -> str:
    """The value, with its unit."""
    number, is_percentage = value.number, value.is_percentage
    if is_percentage:
        number *= 100
    exact = _exact(number) if value.is_exact else None
    told = exact if exact is not None else f"≈ {_rounded(number)}"
    if value.is_exact and exact is None and value.unit is None and number.denominator <= LARGEST_DENOMINATOR:
        told += f" ({number.numerator}/{number.denominator})"
    return told + ("%" if is_percentage else "") + (f" {units.shown(value.unit)}" if value.unit is not None else "")


def _exact(number: Fraction) -> str | None:
    """All of it; None where it has no end, or one that nobody reads to."""
    below, decimals = number.denominator, 0
    while below % 10 == 0:
        below, decimals = below // 10, decimals + 1
    while below % 2 == 0:
        below, decimals = below // 2, decimals + 1
    while below % 5 == 0:
        below, decimals = below // 5, decimals + 1
    if below != 1 or decimals > MOST_DECIMALS or abs(number) >= Fraction(10) ** LONGEST_INTEGER:
        return None
    whole, part = divmod(abs(number.numerator) * 10**decimals // number.denominator, 10**decimals)
    fraction = f".{part:0{decimals}d}".rstrip("0").rstrip(".") if decimals else ""
    return ("-" if number < 0 else "") + _grouped(str(whole)) + fraction


def _grouped(digits: str) -> str:
    return f"{int(digits):,}" if GROUPED_FROM <= len(digits) <= 60 else digits


def _rounded(number: Fraction) -> str:
    rounded = ROUNDED.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(ROUNDED)
    if -6 <= rounded.adjusted() < 15:
        whole, _, part = f"{rounded:f}".partition(".")
        sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
        return sign + _grouped(digits) + (f".{part}" if part else "")
    mantissa, _, exponent = f"{rounded:E}".partition("E")
    return f"{mantissa} × 10^{int(exponent)}"
