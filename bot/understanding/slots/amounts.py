"""Numbers, and amounts with units and currencies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from bot.understanding.slots.lexicon import MOST_WORDS, lexicon
from bot.understanding.slots.scanning import Token, tokens_of
from bot.understanding.slots.values import Amount, SlotKind, Value

_SIGNS_BEFORE = frozenset("$€£¥￥₹")
_PERCENT = "百分之"
_SCALES = {"万": 10_000, "亿": 100_000_000, "千": 1000}


def numbers_of(tokens: Sequence[Token], text: str) -> list[Value]:
    """Every number, ordinals included."""
    found = []
    place = 0
    while place < len(tokens):
        read = _number_at(tokens, place, text)
        if read:
            number, last = read
            start = tokens[place].start
            if start and text[start - 1] in "-−负" and (start < 2 or not text[start - 2].isalnum()):
                number, start = -number, start - 1
            found.append(_value(SlotKind.NUMBER, number, start, tokens[last].end, text))
            place = last
        place += 1
    return found


def _number_at(tokens: Sequence[Token], place: int, text: str) -> tuple[Decimal, int] | None:
    """The number that begins there, and its last token."""
    token = tokens[place]
    signs = "".join(each.sign for each in tokens[place : place + 4])
    if token.sign in "Oo2":
        figures = re.match(r"\d+", token.value)
        return (Decimal(figures[0]), place) if figures else None
    if token.sign not in "n4":
        return None
    number = Decimal(token.value)
    if signs.startswith("nHn") and not token.text.isascii():  # 三点五
        return number + _fraction(tokens[place + 2].value), place + 2
    if signs.startswith("nC1h"):
        return number + Decimal("0.5"), place + 3
    if signs.startswith("nn") and text[token.end : token.end + 1] in _SCALES:  # 3.5万
        return number * Decimal(tokens[place + 1].value or 1), place + 1
    return number, place


def _fraction(figures: str) -> Decimal:
    return Decimal(f"0.{figures}")


def amounts_of(text: str, tokens: Sequence[Token] | None = None) -> list[Value]:
    """Every number with a unit or a currency, before or after it."""
    tokens = tokens_of(text) if tokens is None else tokens
    found = []
    place = 0
    while place < len(tokens):
        read = _number_at(tokens, place, text) if tokens[place].sign in "n4" else None
        if read and (value := _with_unit(text, tokens, place, *read)):
            found.append(value)
            place = read[1]
        place += 1
    return found


def _with_unit(text: str, tokens: Sequence[Token], place: int, number: Decimal, last: int) -> Value | None:
    start, end = tokens[place].start, tokens[last].end
    before = text[:start].rstrip()
    if before[-1:] in _SIGNS_BEFORE and (unit := lexicon().measures.get(before[-1])):
        return _value(SlotKind.AMOUNT, Amount(number, unit), len(before) - 1, end, text)
    if before.endswith(_PERCENT):
        return _value(SlotKind.AMOUNT, Amount(number, "%"), len(before) - len(_PERCENT), end, text)
    measured = _unit_at(text, end)
    if measured is None:
        return None
    unit, end = measured
    factor, _, name = unit.rpartition(" ")
    number = number * Decimal(factor) if factor else number
    following = next((token for token in tokens if token.start == end), None)
    if name == "CNY" and following and following.sign == "n" and len(following.text) == 1:  # 三块五
        return _value(SlotKind.AMOUNT, Amount(number + _fraction(following.value), name), start, following.end, text)
    return _value(SlotKind.AMOUNT, Amount(number, name), start, end, text)


_UNIT_WORD = re.compile(r"[a-z°%$€£/]+")


def _unit_at(text: str, place: int) -> tuple[str, int] | None:
    """The unit that is written there, and where it ends."""
    measures = lexicon().measures
    while text[place : place + 1] in (" ", "-") and place < len(text):
        place += 1
    if not text[place : place + 1].isascii() or text[place : place + 1] in "%":
        for length in range(4, 0, -1):
            if unit := measures.get(text[place : place + length]):
                return unit, min(place + length, len(text))
    ends: list[int] = []
    end = place
    while len(ends) < MOST_WORDS and (word := _UNIT_WORD.match(text, end)):
        ends.append(word.end())
        end = word.end() + 1 if text[word.end() : word.end() + 1] == " " else len(text)
    return next(((measures[text[place:end]], end) for end in reversed(ends) if text[place:end] in measures), None)


def _value(kind: SlotKind, value: Decimal | Amount, start: int, end: int, text: str) -> Value:
    return Value(kind, value, start, end, text[start:end])
