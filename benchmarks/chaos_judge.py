"""Compares what people asked with what stands on their screens: lost, doubled, out of order, half shown.

Every question is a row of pieces, `q12v1n3of5`: piece 3 of 5 of question 12 as it was first worded. The bot says back
what it was told, so that a chat's screen is a sequence of pieces. Pure; knows no processes.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.texts import Texts

PIECE = re.compile(r"\bq(\d+)v(\d+)n(\d+)of(\d+)\b")
FILLER = re.compile(r"\bla+\b")
SPEAKER = re.compile(r"\bP\d+:(?= |$)", re.MULTILINE)
"""Who asks, as the prompt of a group names them."""
_TEXTS = Texts("en")
REPEAT = _TEXTS.get("delivery.repeat")
GIVEN_UP = _TEXTS.get("delivery.given_up")
WAITED = re.compile(re.escape(_TEXTS.get("delivery.waited", seconds=0)).replace("0", r"\d+"))
VIOLATIONS = (
    "lost",
    "edits_lost",
    "unmarked_duplicates",
    "surplus_repeats",
    "out_of_order",
    "half_shown",
    "unexpected_words",
)


class Piece(NamedTuple):
    """One piece of a question, as somebody sees it."""

    question: int
    version: int
    number: int
    of: int

    def is_next(self, other: Piece) -> bool:
        """Whether `other` goes on from here."""
        return other[:2] == self[:2] and other.number == self.number + 1


@dataclass(slots=True)
class Question:
    """Something that was asked; `version` counts how often it was worded."""

    number: int
    message_id: int
    version: int = 1

    def last_piece(self, pieces: int) -> str:
        """What stands at the end of its answer."""
        return f"q{self.number}v{self.version}n{pieces}of{pieces}"


def worded(number: int, version: int, *, pieces: int, filler: str) -> str:
    """The question's text."""
    return f" {filler} ".join(f"q{number}v{version}n{index}of{pieces}" for index in range(1, pieces + 1))


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the bot. `texts` are all that it ever said, the newest last."""

    message_id: int
    texts: tuple[str, ...]
    has_stop: bool = False
    """Whether a button stands under it that stops the reply."""

    @property
    def text(self) -> str:
        """What it says."""
        return self.texts[-1]

    @property
    def pieces(self) -> list[Piece]:
        """The pieces that it shows."""
        return [Piece(*map(int, found)) for found in PIECE.findall(self.text)]

    @property
    def is_marked(self) -> bool:
        """Whether it was ever said to be a possible repeat."""
        return any(REPEAT in text for text in self.texts)

    @property
    def is_bare(self) -> bool:
        """Whether it says nothing but that."""
        return self.text.strip() == REPEAT

    @property
    def is_preview(self) -> bool:
        """Whether it shows an answer that is not whole yet."""
        return self.has_stop

    @property
    def other_words(self) -> str:
        """What is neither a question's nor a known remark."""
        text = self.text.replace(REPEAT, "").replace(GIVEN_UP, "")
        return FILLER.sub("", PIECE.sub("", SPEAKER.sub("", WAITED.sub("", text)))).strip()


@dataclass(slots=True)
class Verdict:
    """What was counted, and a line on each violation."""

    counted: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def note(self, violation: str, about: str) -> None:
        """Count something that must not be."""
        self.counted[violation] += 1
        self.told.append(f"{violation}: {about}")

    def add(self, other: Verdict) -> None:
        """Take up what was found in another chat."""
        self.counted.update(other.counted)
        self.told += other.told

    @property
    def is_clean(self) -> bool:
        """Whether nothing is as it must not be."""
        return not any(self.counted[name] for name in VIOLATIONS)


def judge(questions: Sequence[Question], seen: Sequence[Seen], *, chat: str = "") -> Verdict:
    """What is wrong in one chat.

    Args:
        questions: in the order in which they were asked.
        seen: the messages of the bot that stand there, in order.
        chat: names it.
    """
    verdict = Verdict()
    standing = _without_originals(seen, verdict, chat)
    for message in standing:
        if message.other_words:
            verdict.note("unexpected_words", f"{chat}: {message.message_id}: {message.other_words[:200]!r}")
    shown = _shows([piece for message in standing for piece in message.pieces], verdict, chat)
    _compare(questions, shown, sum(GIVEN_UP in each.text for each in standing), verdict, chat)
    return verdict


def _without_originals(seen: Sequence[Seen], verdict: Verdict, chat: str) -> list[Seen]:
    """The messages without those that a marked one below repeats, and without places that were held in vain."""
    standing: list[Seen] = []
    for message in seen:
        if GIVEN_UP in message.text:
            # only what stands just before it can be what it was given up with
            begun = [each for each in standing[-1:] if each.is_preview]
            verdict.counted["superseded_previews"] += len(begun)
            standing = [each for each in standing if each not in begun]
        if message.is_marked and not message.is_bare:
            originals = [each for each in standing if _begins_like(each, message)]
            whole = [each for each in originals if len(each.pieces) >= len(message.pieces)]
            verdict.counted["marked_repeats"] += 1
            verdict.counted["superseded_previews"] += len(originals) - len(whole)
            if len(whole) > 1:
                verdict.note("surplus_repeats", f"{chat}: {message.message_id} stands there {len(whole) + 1} times")
            held = [each for each in standing if each.is_bare]
            verdict.counted["places_held_in_vain"] += len(held)
            standing = [each for each in standing if each not in originals and each not in held]
        standing.append(message)
    for message in standing:
        if message.is_bare:
            verdict.note("half_shown", f"{chat}: {message.message_id} only holds a place")
        if message.has_stop:
            verdict.note("half_shown", f"{chat}: {message.message_id} is still a preview")
    return standing


def _begins_like(message: Seen, other: Seen) -> bool:
    one, two = message.pieces[:1], other.pieces[:1]
    if not one and not message.is_bare and GIVEN_UP not in message.text:  # no piece of it had come yet
        return any(text.replace(REPEAT, "").strip().startswith(message.text) for text in other.texts)
    return bool(one and two) and (one[0].question, one[0].number) == (two[0].question, two[0].number)


def _shows(pieces: Sequence[Piece], verdict: Verdict, chat: str) -> list[Piece]:
    """The first piece of everything that is shown completely, in order."""
    complete: list[Piece] = []
    last: Piece | None = None
    for piece in [*pieces, Piece(-1, 0, 1, 1)]:
        if last is not None and last.is_next(piece):
            last = piece
            continue
        if last is not None and last.number == last.of:
            complete.append(last)
        elif last is not None:
            verdict.note("half_shown", f"{chat}: q{last.question}v{last.version} ends at {last.number} of {last.of}")
        if piece.number != 1:
            verdict.note("half_shown", f"{chat}: q{piece.question}v{piece.version} begins at {piece.number}")
        last = piece
    return complete


def _compare(questions: Sequence[Question], shown: Sequence[Piece], excuses: int, verdict: Verdict, chat: str) -> None:
    versions: dict[int, list[int]] = {}
    for piece in shown:
        versions.setdefault(piece.question, []).append(piece.version)
    missing = [each.number for each in questions if each.number not in versions]
    verdict.counted["questions"] += len(questions)
    verdict.counted["answers"] += len(questions) - len(missing)
    verdict.counted["given_up"] += min(excuses, len(missing))
    for number in missing[excuses:]:
        verdict.note("lost", f"{chat}: q{number}")
    excuses = max(0, excuses - len(missing))
    for question in questions:
        found = versions.get(question.number, [])
        if len(found) > 1:
            verdict.note("unmarked_duplicates", f"{chat}: q{question.number} as {found}")
        if found and question.version not in found and excuses:
            verdict.counted["given_up"] += 1
            excuses -= 1
        elif found and question.version not in found:
            verdict.note("edits_lost", f"{chat}: q{question.number} shows {found} instead of {question.version}")
    asked = {question.number: place for place, question in enumerate(questions)}
    places = [asked[number] for number in versions if number in asked]
    for one, two in itertools.pairwise(places):
        if one > two:
            verdict.note("out_of_order", f"{chat}: q{questions[two].number} after q{questions[one].number}")
