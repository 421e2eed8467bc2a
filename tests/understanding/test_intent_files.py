"""Files of intents: what people write is understood, and every mistake is told with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.texts import Texts
from bot.understanding.intent_files import read_intents
from bot.understanding.intent_library import LOOK_SECONDS, IntentLibrary, labelled
from bot.understanding.intents import AnyLanguage, IntentMistakes, Mark

GOOD = """
<!-- a remark
# not_an_intent
-->
# reminder.create
Somebody wants
to be reminded.

## Examples
- remind me at [six](time) to [call Ann](what)
* [六点](time)提醒我

## Skill
reminders

## Slots
- time (time): When?
  - zh: 什么时候？
- what (text, optional)
- size (small, medium, large): Which size?

# 营业时间
## 示例
- 你们几点开门
## 回答（zh）
- 九点。
  周日休息。
- 九点开门。
## Answers
- At nine.
"""


def test_everything_that_is_written_is_read() -> None:
    [reminder, hours], mistakes = read_intents(Path("a.md"), GOOD)
    assert mistakes == []
    assert (reminder.name, reminder.description) == ("reminder.create", "Somebody wants to be reminded.")
    assert reminder.skill == "reminders"
    [first, second] = reminder.examples
    assert first.text == "remind me at six to call Ann"
    assert first.marks == (Mark("time", 13, 16), Mark("what", 20, 28))
    assert second.text == "六点提醒我"
    assert first.place.line == 10
    time, what, size = reminder.slots
    assert time.questions == {AnyLanguage: "When?", "zh": "什么时候？"}
    assert (what.kind, what.is_optional) == ("text", True)
    assert (size.kind, size.choices) == ("choice", ("small", "medium", "large"))
    assert hours.answers == {"zh": ("九点。\n周日休息。", "九点开门。"), AnyLanguage: ("At nine.",)}


BASE = "# a\n## Examples\n- one\n## Answers\n- yes\n"
MISTAKES = {
    "words before any heading": ("hello\n" + BASE, 1, "no intent has begun"),
    "a section before any heading": ("## Examples\n", 1, "no intent has begun"),
    "a name with spaces": (BASE.replace("# a", "# two words", 1), 1, "“two words” is no name"),
    "an unknown section": (BASE + "## Sentences\n- x\n", 6, "no section “Sentences”"),
    "a section that comes twice": (BASE + "## Examples\n- two\n", 6, "a second time"),
    "an example without a dash": (BASE.replace("- one", "one"), 3, "begins with “- ”"),
    "a mark that is not closed": (BASE.replace("- one", "- at [six](time"), 3, "not closed"),
    "no example": ("# a\n## Answers\n- yes\n", 1, "no examples"),
    "neither answers nor a skill": ("# a\n## Examples\n- one\n", 1, "neither answers nor a skill"),
    "both answers and a skill": (BASE + "## Skill\nchat\n", 1, "both answers and a skill"),
    "a skill of two lines": ("# a\n## Examples\n- one\n## Skill\nchat\ntalk\n", 6, "holds one line"),
    "a marked slot that is not listed": (BASE.replace("- one", "- at [six](time)"), 3, "not listed"),
    "a slot nobody asks for": (BASE + "## Slots\n- time (time)\n", 7, "nobody asks"),
    "an unknown kind of value": (BASE + "## Slots\n- time (hour): When?\n", 7, "no kind of value “hour”"),
    "a slot without a kind": (BASE + "## Slots\n- time: When?\n", 7, "this is no slot"),
    "a slot that is listed twice": (BASE + "## Slots\n- t (time): A?\n- t (time): B?\n", 8, "a second time"),
    "an empty file": ("\n<!-- nothing -->\n", 1, "no intent is in this file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(name: str) -> None:
    content, line, told = MISTAKES[name]
    _, mistakes = read_intents(Path("a.md"), content)
    sentences = [mistake.told(Texts("en")) for mistake in mistakes]
    assert any(sentence.startswith(f"a.md:{line}: ") and told in sentence for sentence in sentences), sentences


# -- several files ------------------------------------------------------------------------------------------


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_what_stands_twice_is_told_with_both_places(tmp_path: Path) -> None:
    first = write(tmp_path, "a.md", BASE)
    second = write(tmp_path, "b.md", BASE.replace("- one", "- ONE "))
    with pytest.raises(IntentMistakes) as caught:
        IntentLibrary([tmp_path]).read()
    told = caught.value.told(Texts("en"))
    assert f"{second}:1: the name “a” stands already at {first}:1" in told
    assert f"{second}:3: this example stands already at {first}:3" in told
    assert told.startswith("2 things are not right")


def test_an_edited_file_is_noticed_and_a_mistake_leaves_the_last_good_ones(tmp_path: Path) -> None:
    clock = Clock()
    library = IntentLibrary([tmp_path], seconds=clock)
    assert library.intents() == ()
    write(tmp_path, "a.md", BASE)
    assert library.intents() == ()  # looked at a moment ago
    clock.now += LOOK_SECONDS
    assert [intent.name for intent in library.intents()] == ["a"]
    write(tmp_path, "a.md", BASE + "## Nonsense\n")
    clock.now += LOOK_SECONDS
    assert [intent.name for intent in library.intents()] == ["a"]
    assert [mistake.key for mistake in library.mistakes] == ["intents.unknown_section"]
    write(tmp_path, "a.md", BASE.replace("# a", "# b", 1))
    clock.now += LOOK_SECONDS
    assert [intent.name for intent in library.intents()] == ["b"]
    assert library.mistakes == ()


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "").write_bytes(b"# a\n\xff\xfe")
    with pytest.raises(IntentMistakes) as caught:
        IntentLibrary([tmp_path]).read()
    assert "a.md:2: this is not UTF-8" in str(caught.value)


def test_a_persons_own_file_hides_the_one_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "own", "a.md", BASE.replace("- one", "- mine"))
    write(tmp_path / "ours", "a.md", BASE)
    write(tmp_path / "ours", "README.md", "This is about intents.")
    [intent] = IntentLibrary([tmp_path / "own", tmp_path / "ours"]).read()
    assert labelled([intent]).texts == ("mine",)
