"""`parley intents`, as somebody types it, with the real encoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.cli import main
from tests.understanding.conftest import models_folder
from tests.understanding.examples import EXAMPLES

__all__ = ["models_folder"]


@pytest.fixture(autouse=True)
def installed(home: Path, models_folder: Path) -> None:
    """The real encoder in the test's own data folder."""
    (home / "models").mkdir(parents=True)
    (home / "models" / "all-minilm-l6-v2").symlink_to(models_folder / "all-minilm-l6-v2")


@pytest.fixture
def intents(home: Path) -> Path:
    """The folder of intents, with the examples in it."""
    folder = home / "prompts" / "intents"
    folder.mkdir(parents=True)
    for name, texts in EXAMPLES.items():
        lines = "\n".join(f"- {text}" for text in texts)
        (folder / f"{name}.md").write_text(f"# {name}\n## Examples\n{lines}\n## Answers\n- Yes.\n", encoding="utf-8")
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What the program says, wherever it says it."""
    capsys.readouterr()
    assert main(["intents", *arguments]) == status
    output = capsys.readouterr()
    return output.out + output.err


def test_without_intents_it_says_how_to_begin(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "parley intents new NAME" in told(capsys)
    assert "parley intents new NAME" in told(capsys, "try", "hello", status=1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_new_file_is_right_as_it_is(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LANG", f"{language}.UTF-8")
    told(capsys, "new", "opening_hours")
    [listed] = json.loads(told(capsys, "list", "--json"))
    assert listed["name"] == "opening_hours"
    assert len(listed["examples"]) == 2
    assert "opening_hours.md" in told(capsys, "new", "opening_hours", status=1)
    told(capsys, "new", "two words", status=1)


def test_intents_are_listed_with_what_they_hold(intents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "opening_hours: 12 examples, answers" in told(capsys, "list")


def test_a_mistake_is_told_with_file_and_line(intents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (intents / "broken.md").write_text("# broken\n## Sentences\n", encoding="utf-8")
    assert f"{intents / 'broken.md'}:2: there is no section “Sentences”" in told(capsys, "train", status=1)


def test_training_is_done_once(intents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Trained on 60 examples of 5 intents" in told(capsys, "train")
    assert "Nothing has changed" in told(capsys, "train")


def test_a_text_is_tried_with_its_reasons(intents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "try", "when", "does", "your", "shop", "open")
    assert "“when does your shop open” → opening_hours" in said
    assert "like the example" in said
    assert "for no intent" in told(capsys, "try", "explain the theory of relativity")
    data = json.loads(told(capsys, "try", "--json", "when does your shop open"))
    assert data["intent"] == "opening_hours"
    assert data["is_familiar"]
    assert set(data["words"]) & {"shop", "open", "when"}


def test_an_example_in_the_wrong_place_is_found(intents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = intents / "play_music.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("- play some jazz", "- play some jazz\n- please wake me at nine"), encoding="utf-8")
    said = told(capsys, "confusions")
    assert "play_music is taken for set_alarm" in said
    assert "please wake me at nine" in said
