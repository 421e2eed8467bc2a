"""How long: the grammar of durations, as regular expressions over the signs of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.understanding.slots.scanning import Token
from bot.understanding.slots.values import Duration

_UNITS = {
    "second": Duration(seconds=1),
    "minute": Duration(seconds=60),
    "quarter": Duration(seconds=900),
    "hour": Duration(seconds=3600),
    "day": Duration(days=1),
    "week": Duration(days=7),
    "fortnight": Duration(days=14),
    "month": Duration(months=1),
    "year": Duration(months=12),
}
_BY_SIGN = {"y": "year", "z": "month", "m": "minute", "2": "second"}

QUANTITY = "[n14]"
PIECE = (
    r"(?:LRu?|cu|h1?[u2yz]|[n1]qs1[u2]|1?qs1u|[n1]C1?h[u2yz]|nJ[uz]|[n1][u2y]C1h"
    r"|[n1][uy]h(?![u2yzH])|[n14][u2y]|nm(?=n[u2])|(?<=u)nm|[LR])"
)
PATTERN = f"{PIECE}(?:[C,]?{PIECE})*"
_PIECE = re.compile(PIECE)
_HOURS, _MINUTES, _SECONDS = (re.compile(rf"(\d+)\s?{unit}") for unit in "hms")


def unit_of(token: Token) -> str:
    """The unit that a token names."""
    return _BY_SIGN.get(token.sign, token.value)


def duration_of(tokens: Sequence[Token]) -> Duration:
    """What the tokens, which `PATTERN` matches, say together."""
    signs = "".join(token.sign for token in tokens)
    total = Duration()
    for match in _PIECE.finditer(signs):
        total += _piece(signs[match.start() : match.end()], tokens[match.start() : match.end()])
    return total


def _piece(signs: str, tokens: Sequence[Token]) -> Duration:
    if signs[0] in "LR":
        return _in_figures(tokens[0].value)
    if signs[0] == "c":
        return _on_the_clock(tokens[0].value)
    unit = next(_UNITS[unit_of(token)] for token in reversed(tokens) if token.sign in "uy2zm")
    first = tokens[0].number if tokens[0].sign in "n4" else 1.0
    if "q" in signs:
        return unit.times(first / 4)
    if signs[0] == "h":
        return unit.times(0.5)
    return unit.times(first + (0.5 if "h" in signs or "J" in signs else 0))


def _in_figures(text: str) -> Duration:
    """1h30m, 17h, 45m."""
    hours, minutes, seconds = (pattern.search(text) for pattern in (_HOURS, _MINUTES, _SECONDS))
    rest = re.search(r"h\s?(\d+)$", text)  # 1h30
    return Duration(
        seconds=sum(
            int(match[1]) * size for match, size in ((hours, 3600), (minutes or rest, 60), (seconds, 1)) if match
        )
    )


def _on_the_clock(text: str) -> Duration:
    parts = [int(part) for part in re.split("[:.]", text)]
    return Duration(seconds=sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False)))
