"""Cuts a text into tokens: words of the lexicon, numbers, times and dates in figures; everything else is one kind.

Each token has the sign of its kind, so that the grammar can be regular expressions over signs. Every sign of the text
keeps its place; full-width and traditional forms are read like the usual ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import takewhile

from bot.understanding.slots.lexicon import LONGEST_SIGNS, MOST_WORDS, Lexicon, Word, lexicon, respelt
from bot.understanding.slots.numerals import CHINESE_SIGNS, chinese, english

# what stands in figures
CLOCK, DATE, ORDINAL, YEAR, LENGTH, HOURS = "c", "k", "O", "4", "L", "R"
NUMBER, UNKNOWN, COMMA, BREAK = "n", ".", ",", "|"
LONGEST_TEXT = 2000
"""Signs that are looked at; nobody says when in a text as long as a book."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text."""

    sign: str
    value: str
    """As the data files and `_FIGURES` have it; of numbers, the figures."""
    start: int
    end: int
    text: str

    @property
    def number(self) -> float:
        """The value of a number."""
        return float(self.value)

    @property
    def whole(self) -> int:
        """The value of a number or an ordinal, whole."""
        return int(float(self.value.rstrip("sthndr")))


def normalised(text: str) -> str:
    """The text in lower case, with full-width and traditional forms replaced; of the same length."""
    known = lexicon()
    if text.isascii():
        return text.lower()
    folded = "".join(sign if sign.isascii() else _folded(sign) for sign in text)
    return folded.translate(known.simplified)


def _folded(sign: str) -> str:
    one = unicodedata.normalize("NFKC", sign).lower()
    return one if len(one) == 1 else sign


_FIGURES = re.compile(
    r"""
    (?P<k>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?=t\d|(?!\d))|\d{1,2}[./]\d{1,2}[./]\d{4}(?!\d)
         |(?<!\d[./])\d{1,2}/\d{1,2}(?![\d/])) (?:t(?=\d{1,2}:))?
   |(?P<c>\d{1,2}:\d{2}(?::\d{2})?(?!\d) | \d{1,2}\.\d{2}(?=\s?[ap]\.?m))
   |(?P<L>\d+\s?h\s?\d+\s?(?:m(?:ins?)?)?(?![a-z]) | \d+\s?(?:m|s)(?![a-z/]))
   |(?P<R>\d+\s?h(?![a-z]))
   |(?P<O>\d{1,2}(?:st|nd|rd|th)(?![a-z]))
   |(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?)
    """,
    re.VERBOSE | re.ASCII,
)
_LETTERS = re.compile(r"[a-z]+(?:['’][a-z]+)?")
_WORDS_AHEAD = re.compile(r"[a-z0-9@&][a-z0-9.'’]*")
_NUMERALS = re.compile(f"[{CHINESE_SIGNS}]+")
_CHINESE_ORDINAL = re.compile(f"第([{CHINESE_SIGNS}]+)")
_BREAKS = frozenset(".!?;。！？；\n")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text that is normalised."""
    text, known = text[:LONGEST_TEXT], lexicon()
    found: list[Token] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token = _token_at(text, place, known)
        found.append(token)
        place = token.end
    return _with_day_lists(_with_sums(found))


def _token_at(text: str, place: int, known: Lexicon) -> Token:
    sign = text[place]
    if sign.isascii():
        return (
            (sign.isdigit() and _figures_at(text, place, known)) or _words_at(text, place, known) or _other(text, place)
        )
    word = _signs_at(text, place, known)
    if ordinal := _CHINESE_ORDINAL.match(text, place):
        return Token("o", str(chinese(ordinal[1])), place, ordinal.end(), ordinal[0])
    numeral = _NUMERALS.match(text, place)
    if numeral and (word is None or numeral.end() > word.end):
        return Token(NUMBER, str(chinese(numeral[0])), place, numeral.end(), numeral[0])
    return word or _other(text, place)


def _figures_at(text: str, place: int, known: Lexicon) -> Token | None:
    word = _words_at(text, place, known)  # such as 2moro
    if word and word.sign != UNKNOWN:
        return word
    match = _FIGURES.match(text, place)
    if match is None:
        return None
    sign = match.lastgroup or NUMBER
    value = match[sign]
    if sign == NUMBER:
        value = value.replace(",", "")
        if len(value) == 4 and value.isdigit() and 1900 <= int(value) < 2200:
            sign = YEAR
    return Token(sign, value, place, match.end(), match[0])


def _words_at(text: str, place: int, known: Lexicon) -> Token | None:
    """The longest known phrase that begins there, else the word."""
    first = _WORDS_AHEAD.match(text, place)
    if first is None:
        return None
    ends = [first.end()]
    while len(ends) < MOST_WORDS:
        following = _WORDS_AHEAD.match(text, ends[-1] + 1) if text[ends[-1] : ends[-1] + 1] in (" ", "-") else None
        if following is None:
            break
        ends.append(following.end())
    for end in reversed(ends):
        for trimmed in (end, _without_stop(text, place, end)):
            if word := known.words.get(text[place:trimmed].replace("-", " ").replace("’", "'")):
                return Token(word.sign, word.value, place, trimmed, text[place:trimmed])
    letters = _LETTERS.match(text, place)
    if letters is None:
        return None
    word = _misspelt(letters[0], known)
    return Token(word.sign, word.value, place, letters.end(), letters[0])


def _without_stop(text: str, place: int, end: int) -> int:
    """Where the words end without the full stop or the apostrophe of a following sentence or genitive."""
    return place + len(text[place:end].rstrip(".'’"))


def _misspelt(letters: str, known: Lexicon) -> Word:
    meant = known.words.get(letters) or known.words.get(respelt(letters, known) or "")
    return meant or Word(UNKNOWN, letters)


def _signs_at(text: str, place: int, known: Lexicon) -> Token | None:
    for length in range(LONGEST_SIGNS, 0, -1):
        if word := known.words.get(text[place : place + length]):
            end = min(place + length, len(text))
            return Token(word.sign, word.value, place, end, text[place:end])
    return None


def _other(text: str, place: int) -> Token:
    sign = text[place]
    if sign in ",，-–":
        return Token(COMMA, sign, place, place + 1, sign)
    return Token(BREAK if sign in _BREAKS else UNKNOWN, sign, place, place + 1, sign)


# -- numbers of several words -------------------------------------------------------------------------------


def _with_sums(tokens: list[Token]) -> list[Token]:
    """Numbers of several words become one: "one hundred and five", "1.2 million", "twenty first"."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        run = _number_words(tokens, place)
        if len(run) > 1:
            value, used = english([token.number for token in run])
            last = run[used - 1]
            sign = run[used - 1].sign
            found.append(Token(sign, f"{value:.15g}", run[0].start, last.end, ""))
            place = tokens.index(last, place) + 1
        else:
            found.append(tokens[place])
            place += 1
    return found


def _number_words(tokens: list[Token], place: int) -> list[Token]:
    """The numbers that follow each other there, an "and" after hundreds left out; an ordinal ends them."""
    run: list[Token] = []
    for index in range(place, len(tokens)):
        token = tokens[index]
        if token.sign == "C" and run and run[-1].number >= 100 and _is_word(tokens[index + 1 : index + 2]):
            continue
        if token.sign == NUMBER and (not run or token.text.isalpha() or " " in token.text) and token.text[:1] < "一":
            run.append(token)
            continue
        if token.sign == "o" and run and run[-1].number in (20, 30):
            run.append(token)
        break
    return run


def _is_word(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].sign == NUMBER and tokens[0].text.isalpha()


# -- several weekdays ---------------------------------------------------------------------------------------

_DAY_DIGITS = {sign: str(value) for value, sign in enumerate("一二三四五六日")} | {"天": "6"}
_NO_DAY_BEFORE = frozenset("Hmuyzrqn")
"""What makes the digits before it a number: 点, 分, units …"""


def _with_day_lists(tokens: list[Token]) -> list[Token]:
    """周一三五 and 周一、三、五 become three weekdays each."""
    found: list[Token] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1].sign if index + 1 < len(tokens) else BREAK
        is_after_day = bool(found) and _follows_weekday(found)
        is_digits = token.sign in "n." and all(sign in _DAY_DIGITS for sign in token.text) and bool(token.text)
        if is_after_day and is_digits and following not in _NO_DAY_BEFORE:
            found.extend(
                replace(token, sign="w", value=_DAY_DIGITS[sign], start=token.start + i, end=token.start + i + 1)
                for i, sign in enumerate(token.text)
            )
        else:
            found.append(token)
    return found


def _follows_weekday(found: list[Token]) -> bool:
    linked = list(takewhile(lambda token: token.sign in "C,", reversed(found)))
    before = found[: len(found) - len(linked)]
    return bool(before) and before[-1].sign == "w" and not before[-1].text.isascii()
