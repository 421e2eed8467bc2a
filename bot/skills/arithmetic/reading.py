"""From text to a tree of sums: a small grammar, read by precedence (Pratt, "Top down operator precedence", 1973).

sum      := signed ((+ | -) product)*
product  := power ((* | / | mod | of | off) power)*
power    := postfix (^ power)?
postfix  := value (% | !)*
value    := number unit* | ( sum ) | function value | constant
whole    := sum (to unit)?
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

DEEPEST = 100
LONGEST = 1000
_NUMBER = r"(?P<number>(?:\d[\d,_' ]*)?\.?\d+(?:e[+-]?\d+)?(?![\d.]))"
TOKEN = re.compile(rf"\s*(?:{_NUMBER}|(?P<word>°?[^\W\d_]+|°)|(?P<sign>[-+*/^%!()]))", re.IGNORECASE)
GROUPED = re.compile(r"\d{1,3}(?:[,' _]\d{3})+(?:\.\d+)?")
FUNCTIONS = ("sqrt", "abs")
CONSTANTS = ("pi",)
BINDING = {"+": 10, "-": 10, "*": 20, "/": 20, "mod": 20, "of": 20, "off": 20, "^": 40}
SIGN_BINDING = 30


class CannotRead(Exception):
    """The text is no arithmetic; `where` is what was not understood."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


@dataclass(frozen=True, slots=True)
class Number:
    """A number, with a unit where it has one: words and signs, such as `km/h`."""

    value: Fraction
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A function, sign or postfix (-, sqrt, abs, %, !) of something."""

    name: str
    of: Tree


@dataclass(frozen=True, slots=True)
class Joined:
    """Two things with an operator between them."""

    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Converted:
    """Something, wanted in a unit."""

    of: Tree
    unit: str


Tree = Number | Constant | Applied | Joined | Converted


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def read(text: str, is_unit: Callable[[str], bool]) -> Tree:
    """The tree of an arithmetic text.

    Args:
        text: in the notation of `words.plain`.
        is_unit: whether a word names a unit.

    Raises:
        CannotRead: it is none.
    """
    if len(text) > LONGEST:
        raise CannotRead(text[:20] + "…")
    return _Reader(text, list(_tokens(text)), is_unit).whole()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise CannotRead(text[at : at + 20].strip())
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
        at = match.end()


class _Reader:
    def __init__(self, text: str, tokens: list[_Token], is_unit: Callable[[str], bool]) -> None:
        self._text, self._tokens, self._is_unit = text, tokens, is_unit
        self._at = self._depth = 0

    def whole(self) -> Tree:
        tree = self._sum(0)
        if self._next_word() in ("to", "in", "as"):
            self._at += 1
            tree = Converted(tree, self._wanted_unit())
        if self._at < len(self._tokens):
            raise self._lost()
        return tree

    def _sum(self, least: int) -> Tree:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._lost()
        left = self._value()
        while (operator := self._operator()) and BINDING[operator] >= least:
            self._at += 1
            # a power binds to the right
            left = Joined(operator, left, self._sum(BINDING[operator] + (operator != "^")))
        self._depth -= 1
        return left

    def _operator(self) -> str:
        token = self._peek()
        told = token.text.lower() if token else ""
        return told if told in BINDING else ""

    def _value(self) -> Tree:
        token = self._take()
        if token.kind == "number":
            value = self._amount(_number(token.text))
        elif token.text == "(":
            value = self._sum(0)
            if self._take().text != ")":
                self._at -= 1
                raise self._lost()
        elif token.text in ("-", "+"):
            value = Applied(token.text, self._sum(SIGN_BINDING))
        elif token.text.lower() in FUNCTIONS:
            value = Applied(token.text.lower(), self._sum(SIGN_BINDING))
        elif token.text.lower() in CONSTANTS:
            value = Constant(token.text.lower())
        else:
            self._at -= 1
            raise self._lost()
        while (after := self._peek()) and after.text in ("%", "!"):
            self._at += 1
            value = Applied(after.text, value)
        return value

    # -- amounts --------------------------------------------------------------------------------------------

    def _amount(self, value: Fraction) -> Tree:
        """A number with its unit; `5 ft 3 in` is a sum of two."""
        unit = self._unit()
        amount: Tree = Number(value, unit)
        following = self._peek()
        if unit and following and following.kind == "number":
            at = self._at
            self._at += 1
            more = self._amount(_number(following.text))
            if isinstance(more, Number) and not more.unit:
                self._at = at
                raise self._lost()
            amount = Joined("+", amount, more)
        return amount

    def _unit(self) -> str:
        parts: list[str] = []
        while (token := self._peek()) is not None:
            if token.kind == "word" and self._is_a_unit_here(token):
                parts.append(token.text)
                self._at += 1
            elif parts and token.text in ("/", "*") and self._is_unit_after(token):
                parts.append(token.text)
                self._at += 1
                continue
            elif parts and token.text == "^" and self._is_small_number_after():
                parts += ["^", self._tokens[self._at + 1].text]
                self._at += 2
            else:
                break
            if self._peek_text() not in ("/", "*", "^"):
                break
        return "".join(parts)

    def _wanted_unit(self) -> str:
        if unit := self._unit():
            return unit
        raise self._lost()

    def _is_a_unit_here(self, token: _Token) -> bool:
        """`in` is an inch only where no unit follows that something could be wanted in."""
        word = token.text.lower()
        if word in ("to", "as", "of", "off", "mod"):
            return False
        if word == "in" and (following := self._peek(1)) and following.kind == "word":
            return following.text.lower() in ("to", "as", "in")
        return self._is_unit(token.text)

    def _is_unit_after(self, token: _Token) -> bool:
        following = self._peek(1)
        return following is not None and following.kind == "word" and self._is_unit(following.text)

    def _is_small_number_after(self) -> bool:
        following = self._peek(1)
        return following is not None and following.kind == "number" and following.text in ("2", "3", "4")

    # -- tokens ---------------------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> _Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _peek_text(self) -> str:
        token = self._peek()
        return token.text if token else ""

    def _next_word(self) -> str:
        return self._peek_text().lower()

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise self._lost()
        self._at += 1
        return token

    def _lost(self) -> CannotRead:
        token = self._peek()
        return CannotRead(self._text[token.at : token.at + 20].strip() if token else self._text[-20:].strip())


def _number(text: str) -> Fraction:
    """`1,234.5` and `1 234.5` are grouped; in `1,5` the comma is a decimal one."""
    mantissa, _, exponent = text.lower().partition("e")
    if GROUPED.fullmatch(mantissa):
        mantissa = re.sub(r"[,' _]", "", mantissa)
    elif re.fullmatch(r"\d+,\d+", mantissa):
        mantissa = mantissa.replace(",", ".")
    if not re.fullmatch(r"\d*\.?\d+", mantissa) or len(exponent.lstrip("+-")) > 3:
        raise CannotRead(text)
    return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
