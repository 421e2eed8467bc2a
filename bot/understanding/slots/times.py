"""What phrases of a time of day mean: half past six, 三点一刻. Rules for `phrases`."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.understanding.slots.calendar import Clock, Moment
from bot.understanding.slots.rules import Rule, Tokens


def _clock(hour: int, minute: int = 0, *, text: str = "", half: str = "") -> Clock:
    """`text` is the hour as it stands there: one with a zero before it is one of twenty-four."""
    certain = hour > 12 or hour == 0 or (len(text) > 1 and text[0] in "0０") or text[:1] in ("零", "〇")
    return Clock(hour, minute, half=half, certain=certain)


def _half(tokens: Tokens) -> str:
    return tokens[-1].value if tokens[-1].sign == "a" else ""


def _literal(signs: str, tokens: Tokens, moment: Moment) -> Clock:
    figures = re.split("[:.]", tokens[0].value)
    hour, minute = int(figures[0]), int(figures[1])
    is_named = not tokens[0].text[:1].isdigit()  # noon, midnight
    second = int(figures[2]) if len(figures) > 2 else 0
    clock = _clock(hour, minute, text=figures[0], half=_half(tokens))
    return replace(clock, second=second, certain=clock.certain or is_named)


def _numbers(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """6 pm, eight fifteen pm, at seven thirty, at 1530."""
    numbers = [token for token in tokens if token.sign in "n4"]
    if any(not token.number.is_integer() for token in numbers):
        return None
    hour, minute = numbers[0].whole, numbers[1].whole if len(numbers) > 1 else 0
    if len(numbers) == 1 and hour >= 100:
        hour, minute = divmod(hour, 100)
    is_good = hour <= 24 and minute < 60 and (len(numbers) == 1 or minute >= 10 or numbers[1].text[:1] == "0")
    return _clock(hour, minute, text=numbers[0].text, half=_half(tokens)) if is_good else None


def _military(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """At 2300 hours."""
    hour, minute = divmod(tokens[1].whole, 100)
    return Clock(hour, minute, certain=True) if tokens[2].value == "hour" and hour else None


def _hours_in_figures(signs: str, tokens: Tokens, moment: Moment) -> Clock:
    return Clock(int(re.match(r"\d+", tokens[-1].value)[0]), certain=True)  # type: ignore[index]


def _past_or_to(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """Half past six, a quarter to seven, twenty to five."""
    turn = max(signs.find("P"), signs.find("T"))
    hour = tokens[turn + 1].whole
    minutes = 30 if "h" in signs[:turn] else 15
    if "n" in signs[:turn]:
        minutes = tokens[signs.index("n")].whole
        is_usual = "u" in signs[:turn] or minutes in (5, 10, 20, 25)
        if not is_usual or minutes >= 60:
            return None
    if not 1 <= hour <= 12:
        return None
    if signs[turn] == "T":
        hour, minutes = hour - 1 or 12, 60 - minutes
    return Clock(hour, minutes, half=_half(tokens))


def _oclock(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """Five o'clock, 三点十分, 九点一刻, 八点半."""
    if not tokens[0].number.is_integer():
        return None
    after = tokens[2:]
    minute = 0
    if signs[2:3] == "h":
        minute = 30
    elif signs[2:4] == "nq":
        minute = 15 * after[0].whole
    elif signs[2:3] == "n":
        minute = after[0].whole
    if minute == 0 and signs[2:3] == "n" and after[0].text[:1] not in "零〇0":
        return None
    return _clock(tokens[0].whole, minute, text=tokens[0].text, half=_half(tokens))


def _oclock_and_tens(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """六点五十, whatever follows; 六点五 may be the beginning of something else."""
    return _oclock(signs, tokens, moment) if len(tokens[2].text) > 1 else None


def _short_of(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """差一刻七点, 七点差五分."""
    missing, hour = (tokens[1], tokens[3]) if signs[0] == "K" else (tokens[3], tokens[0])
    minutes = missing.whole * (15 if "q" in signs else 1)
    return Clock(hour.whole - 1 or 12, 60 - minutes) if 0 < minutes < 60 else None


RULES: tuple[Rule, ...] = (
    (r"ca?", _literal),
    (r"nn?a", _numbers),
    (r"[@~]+nn?a|[@~]+[n4]n?(?![auozyqJh2N.HO]|C1|Cu|[PT]n)|@+[n4](?=\.)", _numbers),
    (r"n(?=Fsp|@p)", _numbers),
    (r"@nu", _military),
    (r"[@~]s?R", _hours_in_figures),
    (r"h?Pna?|1?hPna?|1?q[PT]na?|nu?[PT]na?", _past_or_to),
    (r"nH(?:nm|nq|h|n(?![uzymrqn.])|i)?a?", _oclock),
    (r"nHn(?=\.)", _oclock_and_tens),
    (r"K[n]q?m?nH|nHKn[qm]", _short_of),
)
