"""Reads a file of intents: Markdown, with a heading for each intent and lists below it.

Goes on after a mistake, so that all of them are told at once. Knows one file; what holds between files is in
`bot.understanding.intent_library`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.understanding.intents import SLOT_KINDS, AnyLanguage, Example, Intent, Mark, Mistake, Place, Slot

SECTIONS = {
    "examples": "examples", "示例": "examples", "例句": "examples",
    "answers": "answers", "回答": "answers",
    "skill": "skill", "技能": "skill",
    "slots": "slots", "槽位": "slots",
}  # fmt: skip
"""What a section may be called."""
OPTIONAL = ("optional", "可选")

_NAME = re.compile(r"[^\W\d][\w-]*(\.[\w-]+)*")
_SECTION = re.compile(r"(?P<name>[^()（）]+?)\s*(?:[(（](?P<language>[a-z]{2,3})[)）])?")
_ITEM = re.compile(r"(?P<indent>\s*)[-*]\s+(?P<text>.+)")
_MARK = re.compile(r"\[(?P<words>[^\[\]]+)\]\((?P<slot>[\w-]+)\)")
_SLOT = re.compile(r"(?P<name>[\w-]+)\s*[(（](?P<kind>[^()（）]+)[)）]\s*(?:[:：]\s*(?P<question>.+))?")
_QUESTION = re.compile(r"(?P<language>[a-z]{2,3})\s*[:：]\s*(?P<question>.+)")


def read_intents(path: Path, content: str) -> tuple[list[Intent], list[Mistake]]:
    """The intents of a file, and what is wrong in it."""
    reader = _Reader(path)
    for number, line in _without_comments(content):
        reader.take(number, line)
    reader.end()
    if not reader.intents and not reader.mistakes:
        reader.mistakes.append(Mistake(Place(path, 1), "intents.file_empty"))
    return reader.intents, reader.mistakes


def _without_comments(content: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; what stands between <!-- and --> is blank."""
    blanked = re.sub(r"<!--.*?(-->|\Z)", lambda match: "\n" * match[0].count("\n"), content, flags=re.DOTALL)
    return enumerate(blanked.splitlines(), 1)


@dataclass(slots=True)
class _Draft:
    """An intent while its lines are read."""

    name: str
    place: Place
    description: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    slot_places: dict[str, Place] = field(default_factory=dict)
    answers: dict[str, list[str]] = field(default_factory=dict)
    skill: str = ""
    sections: set[tuple[str, str]] = field(default_factory=set)

    def finished(self) -> Intent:
        return Intent(
            name=self.name,
            description=" ".join(self.description),
            examples=tuple(self.examples),
            slots=tuple(self.slots.values()),
            answers={language: tuple(texts) for language, texts in self.answers.items()},
            skill=self.skill,
            place=self.place,
        )


class _Reader:
    """Takes line by line; what each means depends on the headings above it."""

    def __init__(self, path: Path) -> None:
        self.intents: list[Intent] = []
        self.mistakes: list[Mistake] = []
        self._path = path
        self._draft: _Draft | None = None
        self._section = ""
        self._language = AnyLanguage
        self._slot = ""

    def take(self, number: int, line: str) -> None:
        """The next line."""
        place, text = Place(self._path, number), line.strip()
        if not text:
            return
        if text.startswith("## "):
            self._begin_section(text[3:].strip(), place)
        elif text.startswith("# "):
            self._begin_intent(text[2:].strip(), place)
        elif self._draft is None:
            self._note(place, "intents.no_heading")
        elif not self._section:
            self._draft.description.append(text)
        elif self._section != "unknown":
            getattr(self, f"_take_{self._section}")(self._draft, line.rstrip(), place)

    def end(self) -> None:
        """No line follows."""
        if self._draft is not None:
            self._check(self._draft)
            self.intents.append(self._draft.finished())
        self._draft = None

    def _note(self, place: Place, key: str, **values: object) -> None:
        self.mistakes.append(Mistake(place, key, values))

    # -- headings -------------------------------------------------------------------------------------------

    def _begin_intent(self, name: str, place: Place) -> None:
        self.end()
        self._draft, self._section = _Draft(name, place), ""
        if not _NAME.fullmatch(name):
            self._note(place, "intents.bad_name", name=name)

    def _begin_section(self, heading: str, place: Place) -> None:
        if self._draft is None:
            self._note(place, "intents.no_heading")
            return
        match = _SECTION.fullmatch(heading)
        self._section = SECTIONS.get(match["name"].lower(), "unknown") if match else "unknown"
        self._language = (match["language"] if match else None) or AnyLanguage
        self._slot = ""
        if self._section == "unknown":
            self._note(place, "intents.unknown_section", name=heading)
        elif (self._section, self._language) in self._draft.sections:
            self._note(place, "intents.section_twice", name=heading)
        self._draft.sections.add((self._section, self._language))

    # -- lines below a heading ------------------------------------------------------------------------------

    def _take_examples(self, draft: _Draft, line: str, place: Place) -> None:
        if not (item := _ITEM.fullmatch(line)):
            self._note(place, "intents.no_item")
            return
        example = _example(item["text"].strip(), place)
        if "](" in example.text or not example.text.strip():
            self._note(place, "intents.bad_mark")
        draft.examples.append(example)

    def _take_answers(self, draft: _Draft, line: str, place: Place) -> None:
        texts = draft.answers.setdefault(self._language, [])
        item = _ITEM.fullmatch(line)
        if item and not item["indent"]:
            texts.append(item["text"].strip())
        elif texts and line[0].isspace():
            texts[-1] += "\n" + line.strip()
        else:
            self._note(place, "intents.no_item")

    def _take_skill(self, draft: _Draft, line: str, place: Place) -> None:
        if draft.skill or not _NAME.fullmatch(line.strip()):
            self._note(place, "intents.bad_skill")
        draft.skill = line.strip()

    def _take_slots(self, draft: _Draft, line: str, place: Place) -> None:
        item = _ITEM.fullmatch(line)
        if item and item["indent"] and self._slot and (match := _QUESTION.fullmatch(item["text"].strip())):
            slot = draft.slots[self._slot]
            questions = {**slot.questions, match["language"]: match["question"]}
            draft.slots[self._slot] = Slot(slot.name, slot.kind, slot.choices, slot.is_optional, questions)
            return
        match = _SLOT.fullmatch(item["text"].strip()) if item else None
        if match is None:
            self._note(place, "intents.bad_slot")
            return
        self._slot = match["name"]
        if self._slot in draft.slots:
            self._note(place, "intents.slot_twice", name=self._slot)
        draft.slots[self._slot] = self._slot_of(match, place)
        draft.slot_places[self._slot] = place

    def _slot_of(self, match: re.Match[str], place: Place) -> Slot:
        words = [word.strip() for word in re.split("[,，、]", match["kind"]) if word.strip()]
        rest = tuple(word for word in words if word not in OPTIONAL)
        questions = {AnyLanguage: match["question"]} if match["question"] else {}
        is_optional = len(rest) < len(words)
        if len(rest) > 1:
            return Slot(match["name"], "choice", rest, is_optional, questions)
        kind = rest[0] if rest else "text"
        if kind not in SLOT_KINDS:
            self._note(place, "intents.slot_kind", kind=kind, kinds=", ".join(SLOT_KINDS))
        return Slot(match["name"], kind, (), is_optional, questions)

    # -- at the end of an intent ----------------------------------------------------------------------------

    def _check(self, draft: _Draft) -> None:
        if not draft.examples:
            self._note(draft.place, "intents.no_examples", name=draft.name)
        if bool(draft.skill) == any(draft.answers.values()):
            key = "intents.both_actors" if draft.skill else "intents.no_actor"
            self._note(draft.place, key, name=draft.name)
        for example in draft.examples:
            for mark in example.marks:
                if mark.slot not in draft.slots:
                    self._note(example.place, "intents.slot_undeclared", name=mark.slot)
        for slot in draft.slots.values():
            if not slot.questions and not slot.is_optional:
                self._note(draft.slot_places[slot.name], "intents.slot_unasked", name=slot.name)


def _example(marked: str, place: Place) -> Example:
    """The text without its marks, and what they mark."""
    text, marks, last = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[last : match.start()]
        marks.append(Mark(match["slot"], len(text), len(text) + len(match["words"])))
        text += match["words"]
        last = match.end()
    return Example(text + marked[last:], tuple(marks), place)
