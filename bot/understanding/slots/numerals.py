"""Numbers in words: Chinese numerals as a run of signs, English ones word by word; knows nothing of the text around."""

from __future__ import annotations

from collections.abc import Sequence

CHINESE_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000}
CHINESE_GROUPS = {"万": 10_000, "亿": 100_000_000}
CHINESE_SIGNS = "".join([*CHINESE_DIGITS, *CHINESE_SCALES, *CHINESE_GROUPS])


def chinese(text: str) -> int:
    """The number that a run of `CHINESE_SIGNS` says: 一百零五, also digit by digit as in 二〇二六."""
    if all(sign in CHINESE_DIGITS for sign in text):
        return int("".join(str(CHINESE_DIGITS[sign]) for sign in text))
    total = group = digit = 0
    for sign in text:
        if sign in CHINESE_DIGITS:
            digit = CHINESE_DIGITS[sign]
        elif sign in CHINESE_SCALES:
            group += (digit or 1) * CHINESE_SCALES[sign]
            digit = 0
        elif sign == "亿":
            total = (total + group + digit or 1) * CHINESE_GROUPS[sign]
            group = digit = 0
        else:
            total += (group + digit or 1) * CHINESE_GROUPS[sign]
            group = digit = 0
    return total + group + digit


def english(values: Sequence[float]) -> tuple[float, int]:
    """The number that the first of these words make together, and how many they are: 2, 1000, 20, 6 make 2026."""
    total, group, last = 0.0, float(values[0]), float(values[0])
    used = 1
    for value in values[1:]:
        if value == 100 and 0 < group < 100:
            group *= 100
        elif value >= 1000 and group > 0:
            total, group = total + group * value, 0.0
        elif not _continues(value, last):
            break
        else:
            group += value
        last, used = value, used + 1
    return total + group, used


def _continues(value: float, last: float) -> bool:
    """Whether a smaller number goes on with what was said: 20 and 1, 100 and 5."""
    if last >= 100:
        return value < last and value < 1000
    return 20 <= last < 100 and last % 10 == 0 and 1 <= value <= 9
