"""One turn, from a message to its reply, over the real store with a scripted model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.clock import Clock
from bot.conversations import Shown
from bot.engine import Engine
from bot.errors import GeneratorUnavailable, ModelError
from bot.generation.echo import EchoGenerator
from bot.generation.model import GeneratorSettings
from bot.protocols import Command, Store
from bot.skills.chat import ChatSkill
from bot.skills.context import ChatSettings, Models
from bot.skills.conversations import ConversationsSkill
from bot.skills.help import HelpSkill
from bot.skills.personas import Personas
from bot.skills.settings import SettingsSkill
from bot.skills.summarize import SummarizeSkill
from bot.types import (
    Address,
    Attachment,
    Failed,
    Finished,
    Message,
    Person,
    ReasoningDelta,
    ReplyEvent,
    Role,
    Sampling,
    Status,
    TextDelta,
    Turn,
    TurnDraft,
    TurnState,
)
from bot.understanding.commands import CommandRecognizer
from storage import open_store

HERE = Address("test", "1")
THERE = Address("test", "2")
ANN = Person("ann", "Ann")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Dialogue:
    """An engine over a store on disk, and the generator behind it."""

    engine: Engine
    store: Store
    generator: EchoGenerator
    loads: list[str] = field(default_factory=list)

    async def say(
        self,
        text: str,
        *,
        address: Address = HERE,
        person: Person = ANN,
        owner: bool = False,
        private: bool = True,
        after: int | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> list[ReplyEvent]:
        """Every event of the reply."""
        message = Message(address, person, text, NOON, is_from_owner=owner, is_private=private)
        message = replace(message, after_turn_id=after, attachments=attachments)
        return [event async for event in self.engine.respond(message)]

    async def turns(self, address: Address = HERE) -> list[tuple[str, str]]:
        """Role and text of each turn on the path."""
        conversation = await self.engine.current_conversation(address)
        return [(turn.role.value, turn.text) for turn in await self.store.path(conversation.id)]


def text_of(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[ReplyEvent]) -> Finished | Failed:
    """The last event, and the only one of its kind."""
    ends = [event for event in events if isinstance(event, Finished | Failed)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0]


@asynccontextmanager
async def dialogue_at(
    path: Path,
    *,
    settings: GeneratorSettings | None = None,
    sampling: Sampling | None = None,
    reasoning: bool = False,
    shown: Shown | None = None,
    models: Sequence[str] = ("echo", "other"),
) -> AsyncIterator[Dialogue]:
    generator, loads = EchoGenerator(settings=settings), list[str]()

    async def load(name: str) -> EchoGenerator:
        loads.append(name)
        if name == "broken":
            raise ModelError("generation.no_chat_template", model=name)
        return generator

    def check(name: str) -> str:
        if name not in ("echo", "other", "broken"):
            raise ModelError("errors.plugin_unknown", group="models", name=name, hint="echo")
        return name

    async with open_store(f"sqlite:///{path}") as store:
        engine = Engine(
            store=store,
            models=Models(load, lambda name: bool(loads), lambda: [*models], check, "echo"),
            personas=Personas(),
            skills={
                "help": HelpSkill(),
                "conversations": ConversationsSkill(),
                "settings": SettingsSkill(),
                "summarize": SummarizeSkill(),
                "chat": ChatSkill(),
            },
            recognizers=[CommandRecognizer()],
            settings=ChatSettings(sampling or Sampling(), "parley", reasoning),
            clock=Clock.at(NOON, ZoneInfo("UTC")),
            language="en",
            shown=shown,
            max_pending=2,
        )
        yield Dialogue(engine, store, generator, loads)


@pytest.fixture
async def dialogue(tmp_path: Path) -> AsyncIterator[Dialogue]:
    async with dialogue_at(tmp_path / "parley.db") as found:
        yield found


async def test_talk_is_answered_and_remembered(dialogue: Dialogue) -> None:
    events = await dialogue.say("hello there")
    end = end_of(events)
    assert text_of(events) == "hello there"
    assert isinstance(end, Finished)
    assert end.understanding is not None
    assert (end.understanding.name, end.model, end.generator) == ("chat", "echo", "echo")
    assert end.timings.total_seconds >= end.timings.first_seconds > 0
    assert await dialogue.turns() == [("user", "hello there"), ("assistant", "hello there")]
    stored = await dialogue.store.turn(end.turn_id or 0)
    assert stored is not None
    assert stored.evidence["persona"] == "parley"
    assert stored.usage.completion_tokens == 2


async def test_the_next_prompt_begins_with_the_one_before(dialogue: Dialogue) -> None:
    for text in ("one", "two", "three"):
        await dialogue.say(text)
    prompts = [prompt.messages for prompt in dialogue.generator.history]
    assert prompts[2][: len(prompts[1])] == prompts[1]
    assert prompts[1][: len(prompts[0])] == prompts[0]


async def test_a_conversation_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with dialogue_at(tmp_path / "parley.db") as before:
        await before.say("remember me")
    async with dialogue_at(tmp_path / "parley.db") as after:
        await after.say("again")
        assert "remember me" in [message.content for message in after.generator.history[0].messages]


async def test_addresses_have_conversations_of_their_own(dialogue: Dialogue) -> None:
    await dialogue.say("mine")
    await dialogue.say("theirs", address=THERE)
    assert "mine" not in str(dialogue.generator.history[1].messages)


async def test_a_command_is_answered_without_the_model(dialogue: Dialogue) -> None:
    events = await dialogue.say("/help")
    end = end_of(events)
    for name in ("/help", "/new", "/conversations", "/undo", "/retry", "/stop", "/model", "/persona"):
        assert f"- {name}" in text_of(events)
    assert isinstance(end, Finished)
    assert end.act is not None and end.act.name == "help"
    assert dialogue.loads == []
    assert await dialogue.turns() == []


async def test_help_in_chinese_says_in_chinese_what_may_follow(dialogue: Dialogue) -> None:
    told = text_of(await dialogue.say("/help", person=Person("wu", "Wu", "zh-CN")))
    assert "/persona [名称]" in told and "/settings [名称 值]" in told
    assert "NAME" not in told and "server" not in told


async def test_help_lists_a_command_that_has_no_text(dialogue: Dialogue) -> None:
    dialogue.engine.commands["dice"] = Command("dice", "[SIDES]")
    assert "- /dice [SIDES]" in text_of(await dialogue.say("/help"))


async def test_help_explains_one_command(dialogue: Dialogue) -> None:
    for asked in ("/help undo", "/help /UNDO", "/help undo please"):
        told = text_of(await dialogue.say(asked))
        assert told.startswith("/undo [NUMBER] — take back your last message") and "`/undo 3`" in told
    assert text_of(await dialogue.say("/help stop")) == "/stop — stop the answer that is running"


async def test_help_with_a_command_that_is_not_there_names_the_nearest(dialogue: Dialogue) -> None:
    events = await dialogue.say("/help udno")
    end = end_of(events)
    assert text_of(events) == "There is no command `/udno`. Did you mean /undo? /help shows them all."
    assert isinstance(end, Finished) and end.act is not None and end.act.name == "reject"
    assert text_of(await dialogue.say("/help xyzzy")) == "There is no command `/xyzzy`. /help shows them all."


async def test_an_unknown_command_names_the_nearest(dialogue: Dialogue) -> None:
    events = await dialogue.say("/udno")
    assert "/undo" in text_of(events)
    assert await dialogue.turns() == []


@pytest.mark.parametrize("text", ["/etc/hosts is a file", "/ what", "and /help", "1/2"])
async def test_what_merely_looks_like_a_command_is_talk(dialogue: Dialogue, text: str) -> None:
    assert text_of(await dialogue.say(text)) == text


async def test_undo_takes_back_the_last_exchange(dialogue: Dialogue) -> None:
    await dialogue.say("first")
    await dialogue.say("second")
    assert "second" in text_of(await dialogue.say("/undo"))
    assert [text for _, text in await dialogue.turns()] == ["first", "first"]
    await dialogue.say("/undo")
    assert await dialogue.turns() == []
    assert "nothing" in text_of(await dialogue.say("/undo"))


async def test_undo_takes_back_as_many_messages_as_it_is_told(dialogue: Dialogue) -> None:
    for text in ("one", "two", "three", "four"):
        await dialogue.say(text)
    assert text_of(await dialogue.say("/undo 3")) == "Taken back: 3 messages, from “two” on."
    assert [text for _, text in await dialogue.turns()] == ["one", "one"]
    assert text_of(await dialogue.say("/undo 3")) == "Taken back: “one”"


async def test_undo_takes_back_together_what_was_answered_together(dialogue: Dialogue) -> None:
    await dialogue.say("zero")
    one, two = (Message(HERE, ANN, text, NOON) for text in ("one", "two"))
    assert [event async for event in dialogue.engine.respond(two, [one])]
    assert text_of(await dialogue.say("/undo")) == "Taken back: 2 messages, from “one” on."
    assert [text for _, text in await dialogue.turns()] == ["zero", "zero"]


@pytest.mark.parametrize("number", ["0", "-1", "the last two", "1.5"])
async def test_undo_says_what_it_expects_instead_of_a_number(dialogue: Dialogue, number: str) -> None:
    await dialogue.say("one")
    events = await dialogue.say(f"/undo {number}")
    assert "Write a number, such as `/undo 3`" in text_of(events)
    assert [text for _, text in await dialogue.turns()] == ["one", "one"]


async def test_undo_in_a_group_takes_back_only_what_the_person_said_themselves(dialogue: Dialogue) -> None:
    ben = Person("ben", "Ben")
    for person, text in ((ben, "Ben's"), (ANN, "Ann's"), (ANN, "Ann's, too")):
        await dialogue.say(text, person=person, private=False)
    told = text_of(await dialogue.say("/undo", person=ben, private=False))
    assert told == "The last message here is one of Ann, and everybody takes back only their own."
    assert text_of(await dialogue.say("/undo 3", private=False)) == "Taken back: 2 messages, from “Ann's” on."
    assert [text for _, text in await dialogue.turns()] == ["Ben's", "Ben: Ben's"]
    await dialogue.say("/undo", person=ben, private=False)
    assert await dialogue.turns() == []


async def test_retry_answers_again_and_keeps_the_first_answer(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("one answer")
    first = end_of(await dialogue.say("question"))
    dialogue.generator.enqueue("another answer")
    second = end_of(await dialogue.say("/retry"))
    assert await dialogue.turns() == [("user", "question"), ("assistant", "another answer")]
    assert first.turn_id != second.turn_id
    kept = await dialogue.store.turn(first.turn_id or 0)
    assert kept is not None and kept.text == "one answer"


async def test_retry_with_another_model_goes_on_with_it(dialogue: Dialogue) -> None:
    await dialogue.say("question")
    await dialogue.say("/retry other")
    assert dialogue.loads[-1] == "other"
    assert "`other`" in text_of(await dialogue.say("/model"))


async def test_new_and_back_again(dialogue: Dialogue) -> None:
    await dialogue.say("in the first")
    await dialogue.say("/new work")
    await dialogue.say("in the second")
    listed = text_of(await dialogue.say("/conversations"))
    assert "1. work" in listed and "2. in the first" in listed
    assert "in the first" in text_of(await dialogue.say("/conversations 2"))
    assert [text for _, text in await dialogue.turns()] == ["in the first"] * 2
    await dialogue.say("/conversations work")
    assert [text for _, text in await dialogue.turns()] == ["in the second"] * 2
    assert "no conversation" in text_of(await dialogue.say("/conversations 99"))


async def test_persona_changes_the_standing_prompt(dialogue: Dialogue) -> None:
    assert "tutor" in text_of(await dialogue.say("/persona tutor"))
    await dialogue.say("hi")
    assert "patient tutor" in dialogue.generator.history[0].messages[0].content
    assert "no persona `../secret`" in text_of(await dialogue.say("/persona ../secret"))


async def test_default_takes_back_what_was_chosen(dialogue: Dialogue) -> None:
    await dialogue.say("/persona tutor")
    assert "`parley`" in text_of(await dialogue.say("/persona default"))
    assert "has the persona `parley`" in text_of(await dialogue.say("/persona"))
    await dialogue.say("/model other")
    assert "`echo`" in text_of(await dialogue.say("/model Default"))
    assert "uses `echo`" in text_of(await dialogue.say("/model"))


async def test_where_no_other_model_is_ready_that_is_said(tmp_path: Path) -> None:
    async with dialogue_at(tmp_path / "parley.db", models=("echo",)) as dialogue:
        assert "No other model is ready" in text_of(await dialogue.say("/model"))


async def test_answering_an_older_question_anew_says_that_the_conversation_went_back(dialogue: Dialogue) -> None:
    first = end_of(await dialogue.say("first"))
    await dialogue.say("second")
    again = await dialogue.say("/retry", after=first.turn_id)
    assert "goes on from this answer" in text_of(again)
    assert [text for _, text in await dialogue.turns()] == ["first", "first"]
    assert "goes on from" not in text_of(await dialogue.say("/retry", after=first.turn_id))


async def test_the_model_is_told_that_it_cannot_see_what_came_along(dialogue: Dialogue) -> None:
    await dialogue.say("What is this?", attachments=(Attachment("photo", "a.jpg", "image/jpeg", 1, "a"),))
    prompt = dialogue.generator.history[-1].messages[-1].content
    assert prompt == "What is this?\n\n[a photo came along, which cannot be looked into]"


async def test_an_unknown_model_is_refused_and_nothing_changes(dialogue: Dialogue) -> None:
    events = await dialogue.say("/model nonsense")
    end = end_of(events)
    assert isinstance(end, Finished) and end.act is not None and end.act.name == "reject"
    assert "`echo`" in text_of(await dialogue.say("/model"))


async def test_people_are_answered_in_their_language(dialogue: Dialogue) -> None:
    events = await dialogue.say("/undo", person=Person("wu", "Wu", "zh-CN"))
    assert "没有可以撤回的内容" in text_of(events)


async def test_a_stopped_reply_keeps_what_was_said(tmp_path: Path) -> None:
    settings = GeneratorSettings(echo_delay_seconds=0.005)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        events: list[ReplyEvent] = []
        async for event in dialogue.engine.respond(Message(HERE, ANN, "word " * 1000, NOON)):
            events.append(event)
            if len([event for event in events if isinstance(event, TextDelta)]) == 3:
                assert await dialogue.engine.stop(HERE)
        end = end_of(events)
        assert isinstance(end, Finished) and end.state is TurnState.STOPPED
        turn = await dialogue.store.turn(end.turn_id or 0)
        assert turn is not None
        assert (turn.text, turn.state) == (text_of(events), TurnState.STOPPED)
        assert not await dialogue.engine.stop(HERE)


async def test_a_stop_while_the_answer_is_being_stored_comes_too_late(
    dialogue: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, append = asyncio.Event(), dialogue.store.append_turn

    async def append_slowly(draft: TurnDraft) -> Turn:
        if draft.role is Role.ASSISTANT:
            storing.set()
            await asyncio.sleep(0.05)
        return await append(draft)

    monkeypatch.setattr(dialogue.store, "append_turn", append_slowly)
    running = asyncio.create_task(dialogue.say("Hello"))
    await storing.wait()
    await dialogue.engine.stop(HERE)
    end = end_of(await running)
    assert isinstance(end, Finished)
    assert (end.state, end.turn_id) == (TurnState.COMPLETE, 2)


async def test_the_stop_command_reaches_the_running_reply(tmp_path: Path) -> None:
    settings = GeneratorSettings(echo_delay_seconds=0.005)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        running = asyncio.create_task(dialogue.say("word " * 2000))
        while not dialogue.generator.history:
            await asyncio.sleep(0)
        assert text_of(await dialogue.say("/stop")) == "Stopped."
        end = end_of(await running)
        assert isinstance(end, Finished) and end.state is TurnState.STOPPED
        assert text_of(await dialogue.say("/stop")) == "Nothing is running."


async def test_a_reader_that_goes_away_stops_the_turn_and_what_was_said_is_kept(tmp_path: Path) -> None:
    settings = GeneratorSettings(echo_delay_seconds=0.005)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        reply = dialogue.engine.respond(Message(HERE, ANN, "one two three four", NOON))
        async for event in reply:
            if isinstance(event, TextDelta):
                break
        await reply.aclose()
        turns = await dialogue.turns()
        assert turns[0] == ("user", "one two three four")
        assert turns[1][1] and turns[1][1] != turns[0][1]
        assert text_of(await dialogue.say("next")) == "next"


async def test_turns_of_one_conversation_are_answered_in_order(tmp_path: Path) -> None:
    settings = GeneratorSettings(echo_delay_seconds=0.001)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        await asyncio.gather(*(dialogue.say(f"message {number}") for number in range(3)))
        assert [text for _, text in await dialogue.turns()] == [
            f"message {number}" for number in range(3) for _ in range(2)
        ]


async def test_too_many_waiting_messages_are_refused_politely(tmp_path: Path) -> None:
    settings = GeneratorSettings(echo_delay_seconds=0.005)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        await dialogue.engine.current_conversation(HERE)
        replies = await asyncio.gather(*(dialogue.say(f"message {number}") for number in range(5)))
        failures = [end.text for events in replies if isinstance(end := end_of(events), Failed)]
        assert len(failures) == 2
        assert all("already 2 messages" in text for text in failures)


async def test_a_model_that_dies_leaves_what_it_said(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("Half a ", GeneratorUnavailable("generation.broke_off"))
    events = await dialogue.say("question")
    end = end_of(events)
    assert isinstance(end, Failed)
    assert "/retry" in end.text
    turn = await dialogue.store.turn(end.turn_id or 0)
    assert turn is not None
    assert (turn.text, turn.state) == ("Half a ", TurnState.FAILED)
    assert text_of(await dialogue.say("/retry")) == "question"


async def test_a_model_that_cannot_be_loaded_is_told_in_words(dialogue: Dialogue) -> None:
    await dialogue.say("/model broken", owner=True)
    end = end_of(await dialogue.say("question"))
    assert isinstance(end, Failed)
    assert "no chat template" in end.text
    await dialogue.say("/model echo")
    assert text_of(await dialogue.say("/retry")) == "question"


async def test_an_unexpected_failure_is_logged_and_told(dialogue: Dialogue, caplog: pytest.LogCaptureFixture) -> None:
    dialogue.generator.enqueue("So far ", ZeroDivisionError("secret detail"))
    end = end_of(await dialogue.say("question"))
    assert isinstance(end, Failed)
    assert "secret" not in end.text
    assert "secret detail" in caplog.text


async def test_no_text_of_a_message_is_logged_at_the_default_level(
    dialogue: Dialogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    dialogue.generator.enqueue("a private ", GeneratorUnavailable("generation.broke_off"))
    await dialogue.say("my private question")
    assert "private" not in caplog.text


async def test_an_answer_without_words_is_a_failure_that_is_told(dialogue: Dialogue) -> None:
    dialogue.generator.enqueue("<think>hm, hm</think>")
    end = end_of(await dialogue.say("question"))
    assert isinstance(end, Failed)
    assert "no answer" in end.text
    assert await dialogue.turns() == [("user", "question")]


@pytest.mark.parametrize("asked_for", [False, True])
async def test_reasoning_is_shown_only_where_it_was_asked_for(tmp_path: Path, asked_for: bool) -> None:
    async with dialogue_at(tmp_path / "parley.db", reasoning=asked_for) as dialogue:
        dialogue.generator.enqueue("<thi", "nk>let me see</th", "ink>", "\n\nFour.")
        events = await dialogue.say("2+2?")
        assert text_of(events) == "Four."
        thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        assert thought == ("let me see" if asked_for else "")
        assert (await dialogue.turns())[1] == ("assistant", "Four.")


async def test_a_cut_answer_says_so(tmp_path: Path) -> None:
    async with dialogue_at(tmp_path / "parley.db", sampling=Sampling(max_tokens=2)) as dialogue:
        events = await dialogue.say("one two three")
        end = end_of(events)
        assert isinstance(end, Finished) and end.state is TurnState.LENGTH
        assert text_of(events) == "one two "


async def test_a_full_window_leaves_out_the_oldest_and_says_so_once(tmp_path: Path) -> None:
    settings = GeneratorSettings(context_length=400)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        said = []
        for number in range(12):
            events = await dialogue.say(f"{number} " + "word " * 19)
            said.append([event.text for event in events if isinstance(event, Status) and "window" in event.text])
        assert 1 <= sum(map(len, said)) <= 3
        assert len(await dialogue.turns()) == 24
        assert dialogue.generator.history[-1].messages[1].role is Role.USER


async def test_a_message_that_can_never_fit_does_not_spoil_the_conversation(tmp_path: Path) -> None:
    settings = GeneratorSettings(context_length=400)
    async with dialogue_at(tmp_path / "parley.db", settings=settings) as dialogue:
        await dialogue.say("before")
        end = end_of(await dialogue.say("word " * 1000))
        assert isinstance(end, Failed)
        assert "too long" in end.text
        assert text_of(await dialogue.say("after")) == "after"
        assert [text for _, text in await dialogue.turns()] == ["before", "before", "after", "after"]


async def test_a_long_message_comes_back_whole(dialogue: Dialogue) -> None:
    text = "long words and\nlines " * 2000
    assert text_of(await dialogue.say(text)) == text


async def test_a_conversation_is_named_by_its_first_message(dialogue: Dialogue) -> None:
    await dialogue.say("What is\nthe capital of France, and of all the other countries of Europe?")
    conversation = await dialogue.engine.current_conversation(HERE)
    assert conversation.name == "What is the capital of France, and of all the o…"
