"""A value as people read it: exact where that is short, and with a sign where it is rounded."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

from bot.skills.arithmetic import units
from bot.skills.arithmetic.evaluating import Value

MOST_DECIMALS = 12
ROUNDED = Context(prec=12)
MEASURED_DIGITS = 6
"""Of an amount of a unit that has no end: nobody measures finer."""
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
    told = exact if exact is not None else f"≈ {_rounded(number, is_amount=value.unit is not None)}"
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


def _rounded(number: Fraction, *, is_amount: bool) -> str:
    rounded = ROUNDED.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(ROUNDED)
    if is_amount:  # its whole part stays whole
        rounded = rounded.normalize(Context(prec=min(max(MEASURED_DIGITS, rounded.adjusted() + 1), ROUNDED.prec)))
    if -6 <= rounded.adjusted() < 15:
        whole, _, part = f"{rounded:f}".partition(".")
        sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
        return sign + _grouped(digits) + (f".{part}" if part else "")
    mantissa, _, exponent = f"{rounded:E}".partition("E")
    return f"{mantissa} × 10^{int(exponent)}"
