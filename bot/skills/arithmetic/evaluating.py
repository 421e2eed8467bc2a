"""From a tree of sums to a value: exact where it can be, and said to be rounded where it cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from math import factorial, isqrt
from typing import Any

from bot.skills.arithmetic import units
from bot.skills.arithmetic.reading import Applied, Constant, Converted, Joined, Number, Tree

MOST_BITS = 20_000
"""Of a number: some six thousand digits."""
LARGEST_FACTORIAL = 1_500
PRECISE = Context(prec=40)
PI = Fraction("3.14159265358979323846264338327950288419716939937510")


class CannotCalculate(Exception):
    """There is no such value; `reason` is a key under `arithmetic` of the texts."""

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(reason)
        self.reason, self.values = reason, values


@dataclass(frozen=True, slots=True)
class Value:
    """A number, of a unit or of none."""

    number: Fraction
    unit: Any = None
    is_exact: bool = True
    is_percentage: bool = False


def evaluate(tree: Tree) -> Value:
    """The value of the tree.

    Raises:
        CannotCalculate: it has none.
    """
    match tree:
        case Number(value, unit):
            return Value(value, _unit(unit) if unit else None)
        case Constant():
            return Value(PI, is_exact=False)
        case Applied(name, of):
            return _applied(name, evaluate(of))
        case Joined(operator, left, right):
            return _bounded(_joined(operator, evaluate(left), evaluate(right)))
        case Converted(of, unit):
            return _converted(evaluate(of), _unit(unit))


def _unit(name: str) -> Any:
    try:
        return units.parse(name)
    except units.UnknownUnit as error:
        raise CannotCalculate("unknown_unit", unit=error.unit) from None


def _bounded(value: Value) -> Value:
    if max(value.number.numerator.bit_length(), value.number.denominator.bit_length()) > MOST_BITS:
        raise CannotCalculate("too_large")
    return value


# -- one thing ----------------------------------------------------------------------------------------------


def _applied(name: str, value: Value) -> Value:
    match name:
        case "-":
            return replace(value, number=-value.number)
        case "abs":
            return replace(value, number=abs(value.number))
        case "%":
            return replace(value, number=value.number / 100, is_percentage=True)
        case "!":
            return _factorial(value)
        case "sqrt":
            return _root(value)
    return value


def _factorial(value: Value) -> Value:
    if value.unit is not None or value.number.denominator != 1 or value.number < 0:
        raise CannotCalculate("no_factorial")
    if value.number > LARGEST_FACTORIAL:
        raise CannotCalculate("too_large")
    return Value(Fraction(factorial(int(value.number))))


def _root(value: Value) -> Value:
    if value.number < 0:
        raise CannotCalculate("no_root")
    above, below = isqrt(value.number.numerator), isqrt(value.number.denominator)
    is_exact = above**2 == value.number.numerator and below**2 == value.number.denominator
    unit = value.unit ** Fraction(1, 2) if value.unit is not None else None
    root = Fraction(above, below) if is_exact else Fraction(_decimal(value.number).sqrt(PRECISE))
    return Value(root, unit, value.is_exact and is_exact)


# -- two things ---------------------------------------------------------------------------------------------


def _joined(operator: str, left: Value, right: Value) -> Value:
    match operator:
        case "+" | "-":
            return _added(left, right if operator == "+" else replace(right, number=-right.number))
        case "*" | "of":
            return _measured(left.number * right.number, left, right, lambda one, two: one * two)
        case "off":
            return replace(right, number=right.number * (1 - left.number))
        case "/":
            if not right.number:
                raise CannotCalculate("divided_by_zero")
            return _measured(left.number / right.number, left, right, lambda one, two: one / two)
        case "mod":
            if not right.number:
                raise CannotCalculate("divided_by_zero")
            right = _converted(right, left.unit) if left.unit is not None else right
            return replace(left, number=left.number % right.number)
    return _raised(left, right)


def _added(left: Value, right: Value) -> Value:
    if right.is_percentage and not left.is_percentage:  # 100 + 10 % is 110 to everybody
        return replace(left, number=left.number * (1 + right.number), is_exact=left.is_exact and right.is_exact)
    if (left.unit is None) != (right.unit is None):
        raise CannotCalculate("unit_missing", unit=units.shown(left.unit if right.unit is None else right.unit))
    right = _converted(right, left.unit) if left.unit is not None else right
    return replace(left, number=left.number + right.number, is_exact=left.is_exact and right.is_exact)


def _measured(number: Fraction, left: Value, right: Value, of_units: Any) -> Value:
    """The units of a product; what cancels out is gone."""
    is_exact, is_percentage = left.is_exact and right.is_exact, left.is_percentage and right.is_percentage
    if left.unit is None and right.unit is None:
        return Value(number, None, is_exact, is_percentage)
    none = units.registry().dimensionless
    unit = of_units(left.unit if left.unit is not None else none, right.unit if right.unit is not None else none)
    amount = units.registry().Quantity(number, unit)
    if unit.dimensionless:
        return Value(Fraction(amount.to(none).magnitude), None, is_exact)
    return Value(number, unit, is_exact)


def _raised(base: Value, power: Value) -> Value:
    if power.unit is not None:
        raise CannotCalculate("no_power")
    if power.number.denominator != 1:
        return _raised_by_part(base, power)
    exponent = int(power.number)
    if not base.number and exponent < 0:
        raise CannotCalculate("divided_by_zero")
    size = max(base.number.numerator.bit_length(), base.number.denominator.bit_length())
    if size * abs(exponent) > MOST_BITS and abs(base.number) != 1:
        raise CannotCalculate("too_large")
    unit = base.unit**exponent if base.unit is not None else None
    return Value(base.number**exponent, unit, base.is_exact and power.is_exact)


def _raised_by_part(base: Value, power: Value) -> Value:
    if base.unit is not None or base.number < 0 or (not base.number and power.number < 0):
        raise CannotCalculate("no_power")
    if power.number == Fraction(1, 2):
        return _root(base)
    if abs(power.number) > MOST_BITS:
        raise CannotCalculate("too_large")
    raised = PRECISE.power(_decimal(base.number), _decimal(power.number))
    if abs(raised.adjusted()) > MOST_BITS // 4:
        raise CannotCalculate("too_large")
    return Value(Fraction(raised), is_exact=False)


def _converted(value: Value, unit: Any) -> Value:
    if value.unit is None:
        raise CannotCalculate("unit_missing", unit=units.shown(unit))
    import pint

    try:
        amount = units.registry().Quantity(value.number, value.unit).to(unit).magnitude
    except pint.PintError:
        raise CannotCalculate("units_differ", one=units.shown(value.unit), other=units.shown(unit)) from None
    return replace(value, number=Fraction(amount), unit=unit, is_exact=value.is_exact and isinstance(amount, Fraction))


def _decimal(number: Fraction) -> Decimal:
    return PRECISE.divide(Decimal(number.numerator), Decimal(number.denominator))
