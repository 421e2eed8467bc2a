"""Intents in messages: recognized where they are certain, learned again when their files change."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.protocols import DialogueState
from bot.types import Address, Conversation, Message, Person
from bot.understanding.encoder import SentenceEncoder
from bot.understanding.intent_library import LOOK_SECONDS, IntentLibrary
from bot.understanding.recognizing import IntentRecognizer
from tests.understanding.examples import EXAMPLES, FOREIGN

AT = datetime(2026, 3, 1, tzinfo=UTC)
ADDRESS = Address("console", "me")
STATE = DialogueState(Conversation(1, ADDRESS, AT, AT))


def said(text: str) -> Message:
    return Message(ADDRESS, Person("me"), text, AT)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of intents, with the examples in it."""
    path = tmp_path / "intents"
    path.mkdir()
    for name in EXAMPLES:
        write(path, name)
    return path


def write(folder: Path, name: str, called: str = "") -> None:
    lines = "\n".join(f"- {text}" for text in EXAMPLES[name])
    content = f"# {called or name}\n## Examples\n{lines}\n## Answers\n- Yes.\n"
    (folder / f"{name}.md").write_text(content, encoding="utf-8")


async def test_certain_intents_are_recognized_and_nothing_else(
    folder: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    async with IntentRecognizer(IntentLibrary([folder]), lambda: encoder, tmp_path / "cache") as recognizer:
        assert await recognizer.recognize(said("when do you open"), STATE) is None  # nothing is learned yet
        await recognizer.learned()
        found = await recognizer.recognize(said("when do you open today"), STATE)
        assert found is not None
        assert found.name == "opening_hours"
        assert found.confidence > 0.6
        assert len(found.alternatives) == 3
        for text in (FOREIGN[0], "", "😀"):
            assert await recognizer.recognize(said(text), STATE) is None


async def test_what_was_learned_goes_on_until_a_change_is_learned(
    folder: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    clock = Clock()
    library = IntentLibrary([folder], seconds=clock)

    async def name_of(recognizer: IntentRecognizer) -> str:
        found = await recognizer.recognize(said("when do you open today"), STATE)
        return found.name if found else ""

    async with IntentRecognizer(library, lambda: encoder, tmp_path / "cache") as recognizer:
        await recognizer.learned()
        write(folder, "opening_hours", called="hours")
        assert await name_of(recognizer) == "opening_hours"  # the change is not looked at yet
        clock.now += LOOK_SECONDS
        assert await name_of(recognizer) == "opening_hours"  # it is being learned
        await recognizer.learned()
        assert await name_of(recognizer) == "hours"
        (folder / "opening_hours.md").write_text("# hours\n## Nonsense\n", encoding="utf-8")
        clock.now += LOOK_SECONDS
        assert await name_of(recognizer) == "hours"
        await recognizer.learned()
        assert await name_of(recognizer) == "hours"


async def test_without_intents_no_encoder_is_opened(tmp_path: Path) -> None:
    def never() -> SentenceEncoder:
        raise AssertionError("the encoder was opened")

    async with IntentRecognizer(IntentLibrary([tmp_path]), never, tmp_path / "cache") as recognizer:
        assert await recognizer.recognize(said("when do you open"), STATE) is None
