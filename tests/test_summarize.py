"""`/summarize`: of texts of any length, within the model's window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.app import open_app
from bot.config import load
from bot.generation.model import GeneratorSettings
from bot.texts import Texts
from bot.types import Address, Failed, Finished, Message, Person, ReplyEvent, Role, Status, TextDelta, TurnState
from tests.test_engine import ANN, HERE, NOON, Dialogue, dialogue_at, end_of, text_of

WINDOW = 2048
ROOM = WINDOW - WINDOW // 4
TASK, TOGETHER = (Texts("en").get(f"tasks.{name}") for name in ("summarize", "summarize_together"))


@pytest.fixture
async def dialogue(tmp_path: Path) -> AsyncIterator[Dialogue]:
    """With a model whose tokens are words, and that repeats what it is asked as far as it may."""
    async with dialogue_at(tmp_path / "parley.db", settings=GeneratorSettings(context_length=WINDOW)) as opened:
        yield opened


async def summary(dialogue: Dialogue, text: str = "/summarize", **values: Any) -> list[ReplyEvent]:
    """Every event of the reply."""
    message = Message(values.pop("address", HERE), values.pop("person", ANN), text, NOON, **values)
    return [event async for event in dialogue.engine.respond(message)]


def prompts(dialogue: Dialogue) -> list[str]:
    """What the model was asked."""
    asked = [prompt.messages for prompt in dialogue.generator.history]
    assert all(len(messages) == 1 and messages[0].role is Role.USER for messages in asked)
    return [messages[0].content for messages in asked]


def story(words: int) -> str:
    """Sentences of ten words, each of which is to be found again."""
    return " ".join(f"Sentence {number} has ten words in it, as every other." for number in range(words // 10))


# -- what is summarised -------------------------------------------------------------------------------------


async def test_what_the_message_quotes_is_summarised_in_one_go_where_it_fits(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("It is ", "short.")
    events = await summary(dialogue, quote="A long story.\nIt ends well.")
    assert prompts(dialogue) == [f"{TASK}\n\nA long story.\nIt ends well."]
    assert text_of(events) == "It is short."
    end = end_of(events)
    assert isinstance(end, Finished) and end.act and end.act.slots == {"of": "quote", "parts": 1}
    assert (end.model, end.usage.completion_tokens, end.turn_id) == ("echo", 2, None)


async def test_what_the_message_replies_to_is_summarised_and_the_conversation_stays_where_it_is(
    dialogue: Dialogue,
) -> None:
    dialogue.generator.enqueue("a long answer")
    await dialogue.say("one")
    await dialogue.say("two")
    before = await dialogue.turns()
    dialogue.generator.history.clear()
    await summary(dialogue, after_turn_id=2, reply_to="9")
    assert prompts(dialogue) == [f"{TASK}\n\na long answer"]
    assert await dialogue.turns() == before


async def test_what_follows_the_command_is_summarised(dialogue: Dialogue) -> None:
    await summary(dialogue, "/summarize Some text\n\nof two paragraphs.")
    assert prompts(dialogue) == [f"{TASK}\n\nSome text\n\nof two paragraphs."]


async def test_a_private_conversation_is_summarised_with_who_said_what(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("hello, too")
    await dialogue.say("hello")
    dialogue.generator.history.clear()
    await summary(dialogue)
    assert prompts(dialogue) == [f"{TASK}\n\nUser: hello\n\nAssistant: hello, too"]
    assert [text for _, text in await dialogue.turns()] == ["hello", "hello, too"]


async def test_a_conversation_of_a_group_is_summarised_with_names_and_also_what_left_the_window(
    dialogue: Dialogue,
) -> None:
    group = Address("test", "group")
    for number in range(12):
        dialogue.generator.enqueue("yes")
        person = Person(str(number % 2), ("Ann", "Bob")[number % 2])
        await summary(dialogue, f"{number} {'word ' * 200}", address=group, person=person, is_private=False)
    dialogue.generator.history.clear()
    await summary(dialogue, address=group, is_private=False)
    read = "".join(prompt for prompt in prompts(dialogue) if prompt.startswith(TASK))
    assert all(f"{('Ann', 'Bob')[number % 2]}: {number} word" in read for number in range(12))


async def test_nothing_is_told_to_be_nothing(dialogue: Dialogue) -> None:
    events = await summary(dialogue)
    assert text_of(events).startswith("There is nothing to sum up.")
    assert dialogue.generator.history == []


# -- texts that are longer than the window ------------------------------------------------------------------


async def test_a_long_text_is_read_wholly_in_parts_that_fit_and_summed_up_in_rounds(dialogue: Dialogue) -> None:
    text = story(20_000)
    events = await summary(dialogue, quote=text)
    asked = prompts(dialogue)
    assert all(len(prompt.split()) <= ROOM for prompt in asked)
    first = [prompt for prompt in asked if prompt.startswith(TASK)]
    assert " ".join(prompt.removeprefix(TASK).strip() for prompt in first) == text
    assert len(first) > 13 and 2 < len(asked) - len(first) < len(first)
    assert all(prompt.startswith(TOGETHER) for prompt in asked[len(first) :])
    told = [event.text for event in events if isinstance(event, Status) and "Summing" in event.text]
    assert told[0] == f"Summing up: part 1 of {len(first)}." and len(told) == len(asked) - 1
    end = end_of(events)
    assert isinstance(end, Finished) and end.act and end.act.slots["parts"] == len(first)
    assert 0 < len(text_of(events).split()) <= WINDOW // 4


async def test_the_summary_is_of_the_summaries(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("First part.")
    dialogue.generator.enqueue("Second part.")
    dialogue.generator.enqueue("Both.")
    events = await summary(dialogue, quote=story(2500))
    assert prompts(dialogue)[2] == f"{TOGETHER}\n\nFirst part.\n\nSecond part."
    assert text_of(events) == "Both."
    end = end_of(events)
    assert isinstance(end, Finished)
    assert end.usage.prompt_tokens == sum(len(prompt.split()) for prompt in prompts(dialogue))


async def test_a_model_that_does_not_get_to_the_point_is_told_of_instead_of_asked_for_ever(dialogue: Dialogue) -> None:
    for _ in range(9):
        dialogue.generator.enqueue(story(1400))
    end = end_of(await summary(dialogue, quote=story(10_000)))
    assert isinstance(end, Failed) and "hardly shorter" in end.text
    assert len(dialogue.generator.history) < 10


async def test_a_model_that_goes_round_in_circles_is_cut_short(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue(
        "It is ", "a story. ", "It ends well for all. ", "It ends well for all. ", "It is. ", "No."
    )
    assert text_of(await summary(dialogue, quote="text")) == "It is a story. It ends well for all. "


async def test_a_sentence_that_goes_round_in_circles_is_cut_short(dialogue: Dialogue) -> None:
    clauses = ["It tells what is kept, ", *["which models are sent to the server, "] * 9]
    dialogue.generator.enqueue(*clauses)
    said = text_of(await summary(dialogue, quote="text"))
    assert said == "It tells what is kept, which models are sent to the server…"


async def test_a_summary_ends_with_a_whole_sentence(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue(*["It ", "is ", "so. "], *(f"and{number} " for number in range(500)))
    events = await summary(dialogue, quote="text")
    end = end_of(events)
    assert text_of(events) == "It is so. "
    assert isinstance(end, Finished) and end.state is TurnState.COMPLETE


async def test_a_summary_without_a_sentence_is_told_as_far_as_it_goes(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue(*(f"and{number} " for number in range(500)))
    assert text_of(await summary(dialogue, quote="text")).split()[-1] == "and255"


async def test_a_model_that_says_nothing_is_told_of(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("")
    end = end_of(await summary(dialogue, quote="text"))
    assert isinstance(end, Failed) and "no answer" in end.text


async def test_a_summary_in_the_making_can_be_stopped(tmp_path: Path) -> None:
    slow = GeneratorSettings(context_length=WINDOW, echo_delay_seconds=0.01)
    async with dialogue_at(tmp_path / "slow.db", settings=slow) as dialogue:
        events: list[ReplyEvent] = []

        async def read() -> None:
            message = Message(HERE, ANN, "/summarize", NOON, quote=story(20_000))
            async for event in dialogue.engine.respond(message):
                events.append(event)

        reading = asyncio.create_task(read())
        async with asyncio.timeout(10):
            while not any(isinstance(event, Status) and "part 1" in event.text for event in events):
                await asyncio.sleep(0.01)
            assert text_of(await dialogue.say("/stop")) == "Stopped."
            await reading
        end = end_of(events)
        assert isinstance(end, Finished) and end.state is TurnState.STOPPED
        assert len(dialogue.generator.history) == 1


# -- with the real model ------------------------------------------------------------------------------------

MINUTES = """Ann: Who has the key to the garden shed?

Bob: I gave it to Carla on Monday, because she wanted to repair the roof.

Carla: Yes, I have it. The roof is done, and it cost 240 euros. I can bring the key on Friday at six.

Ann: Great. Then we meet in the garden on Friday at six and plant the apple trees.

Bob: I will bring two spades and some water."""


@pytest.mark.timeout(240)
async def test_the_default_model_sums_up_more_than_its_window_holds(default_model: Path, home: Path) -> None:
    home.mkdir()
    model = f'[model]\nname = "{default_model}"\ncontext_length = 512\n[sampling]\ntemperature = 0.0\nmax_tokens = 48\n'
    (home / "parley.toml").write_text(model)
    async with open_app(load(home / "parley.toml")) as app:
        message = Message(HERE, ANN, "/summarize", NOON, quote=f"{MINUTES}\n\n" * 5)
        events = [event async for event in app.engine.respond(message)]
    end = end_of(events)
    assert isinstance(end, Finished) and end.act and int(str(end.act.slots["parts"])) > 1
    said = text_of(events)
    assert 0 < len(said) < len(MINUTES) and "garden" in said.lower()
    assert any(isinstance(event, TextDelta) for event in events)
