"""Sums as people write them come out exactly; what is none is refused in words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.skills.arithmetic.evaluating import CannotCalculate, evaluate
from bot.skills.arithmetic.reading import CannotRead, read
from bot.skills.arithmetic.units import is_unit
from bot.skills.arithmetic.words import plain
from bot.skills.arithmetic.writing import written


def calculated(text: str) -> str:
    return written(evaluate(read(plain(text), is_unit)))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2+2", "4"),
        ("3 plus 4 times 2", "11"),
        ("(1 + 2) * 3^2", "27"),
        ("2^3^2", "512"),
        ("-2^2", "-4"),
        ("2 * -3", "-6"),
        ("10 - 4 - 3", "3"),
        ("12 : 4", "3"),
        ("7 x 8", "56"),
        ("10 mod 3", "1"),
        ("10!", "3,628,800"),
        ("½ + ¼", "0.75"),
        ("0.1 + 0.2", "0.3"),
        ("1e3 * 2", "2000"),
        ("1,234.5 * 2", "2469"),
        ("1,5 + 1", "2.5"),
        ("10 000 / 4", "2500"),
        ("square root of 144", "12"),
        ("sqrt(2)", "≈ 1.41421356237"),
        ("1/3", "≈ 0.333333333333 (1/3)"),
        ("2^-2", "0.25"),
        ("2**0.5", "≈ 1.41421356237"),
        ("10^30", "1,000,000,000,000,000,000,000,000,000,000"),
        ("15% of 80", "12"),
        ("100 + 10%", "110"),
        ("20% off 50", "40"),
        ("5% + 5%", "10%"),
        ("what is 12 divided by 5?", "2.4"),
        ("1２＋3", "15"),
        ("3加4乘以2等于多少？", "11"),
        ("200的15%", "30"),
        ("16的平方根", "4"),
        ("百分之15", "15%"),
        ("百分之十五", "15%"),
        ("三百零五除以五等于多少", "61"),
        ("three hundred and five divided by 5", "61"),
        ("what's seven times eight?", "56"),
        ("half of 11", "5.5"),
        ("a hundred minus one", "99"),
    ],
)
def test_a_sum_comes_out_as_people_mean_it(text: str, result: str) -> None:
    assert calculated(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("5 ft 3 in to cm", "160.02 cm"),
        ("5 in in cm", "12.7 cm"),
        ("how many minutes in 3 hours?", "180 min"),
        ("how many cm are 5 inches", "12.7 cm"),
        ("20°C to F", "68 °F"),
        ("20 degrees celsius in fahrenheit", "68 °F"),
        ("-40 °F to °C", "-40 °C"),
        ("100 km/h to m/s", "≈ 27.7778 m/s"),
        ("3 m * 2 m", "6 m²"),
        ("10 km / 2 h", "5 km/h"),
        ("6 m / 2 m", "3"),
        ("50 km/h * 2 h", "100 km"),
        ("1 GB in MB", "1000 MB"),
        ("5公里等于多少米", "5000 m"),
        ("3小时换算成分钟", "180 min"),
        ("2斤是多少克", "1000 g"),
    ],
)
def test_units_are_converted_multiplied_and_cancelled(text: str, result: str) -> None:
    assert calculated(text) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1/0", "divided_by_zero"),
        ("5 mod 0", "divided_by_zero"),
        ("0^-1", "divided_by_zero"),
        ("9^9^9", "too_large"),
        ("5000!", "too_large"),
        ("2^0.5^-99999", "too_large"),
        ("sqrt(-1)", "no_root"),
        ("(-8)^0.3", "no_power"),
        ("2.5!", "no_factorial"),
        ("3 m + 2 kg", "units_differ"),
        ("5 + 3 m", "unit_missing"),
        ("5 to km", "unit_missing"),
    ],
)
def test_what_has_no_result_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotCalculate) as refused:
        calculated(text)
    assert refused.value.reason == reason


NO_SUMS = (
    "",
    "hello",
    "2 +",
    "(2",
    "2)",
    "2 2",
    "1.2.3",
    "__import__('os')",
    "import os",
    "100 usd in eur",
    "2 + cheese",
    "%",
)
TOO_MUCH = ("(" * 500 + "1" + ")" * 500, "-" * 400 + "1", "1" * 2000, "1+" * 300 + "x")


@pytest.mark.parametrize("text", [*NO_SUMS, *TOO_MUCH])
def test_what_is_no_sum_is_not_read_as_one(text: str) -> None:
    with pytest.raises(CannotRead):
        calculated(text)


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Two sums made into one."""
    return st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})")


@given(st.recursive(st.integers(0, 999).map(str), joined, max_leaves=12))
def test_whole_numbers_come_out_as_python_has_them(text: str) -> None:
    assert evaluate(read(plain(text), is_unit)).number == Fraction(eval(text))
