"""What people see after the program was killed: every question answered, once, in order, and nothing half shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from benchmarks.chaos import Options, crash
from bot import channels
from bot.answering import Answering
from bot.app import App, open_app
from bot.channel import Content, Update, UpdateKind
from bot.config import load
from bot.ledger import ParcelDraft, ParcelState
from bot.leftovers import MOST_ATTEMPTS
from bot.texts import Texts
from bot.types import Address, Message, Role, TurnDraft
from bot.types import Person as Speaker
from tests.channels.running import running, serving, write_configuration
from tests.channels.seeing import LONG
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Delay
from tests.servers.bot_api_world import Chat

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
GIVEN_UP = "I could not answer this: each time I tried, the program ended. Whoever runs it finds more in its log."


def asked(chat: int, text: str, *, message_id: int = 1) -> Update:
    """What somebody asked just now."""
    address = Address("telegram", str(chat), "7000001")
    message = Message(address, Speaker("500001", "Ann", "en"), text, datetime.now(UTC), str(message_id))
    return Update(UpdateKind.MESSAGE, replace(message, is_private=chat > 0))


def edited(question: Update, text: str) -> Update:
    """The same, as it was corrected."""
    return Update(UpdateKind.EDIT, replace(question.message, text=text))


async def begin(app: App, *updates: Update, starts: int) -> list[int]:
    """Let earlier runs have begun to answer them; the ids of the arrivals."""
    arrivals = [arrival.id for arrival in await app.ledger.accept(updates, at=AT)]
    for _ in range(starts):
        await app.ledger.begin(arrivals)
    return arrivals


async def half_show(server: BotApiServer, group: Chat, text: str, *, message_id: int) -> None:
    """Let a message of the bot look as if an earlier run had been interrupted while it showed an answer there."""
    stop = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}
    shown = {"chat_id": group.id, "message_id": message_id, "text": text, "reply_markup": stop}
    async with httpx.AsyncClient() as telegram:
        await telegram.post(f"{server.base_url}{server.token}/editMessageText", json=shown)


@pytest.mark.timeout(240)
async def test_whenever_it_is_killed_every_question_is_answered_once_and_in_order(tmp_path: Path) -> None:
    outcome = await crash(Options(kills=12, chats=6, seed=1, minutes=2, folder=tmp_path, is_full=False))
    assert outcome.verdict.told == []
    assert outcome.figures["points_unreached"] == "none"
    assert outcome.verdict.counted["answers"] > 0


async def test_an_edit_after_the_question_was_remembered_is_answered_after_a_crash(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        question = asked(chat.id, "What is teh time?")
        async with open_app(load(write_configuration(server, home))) as app:
            await begin(app, question, edited(question, "What is the time?"), starts=0)
            conversation = await app.engine.current_conversation(question.message.address)
            told = TurnDraft(conversation.id, Role.USER, question.message.text, AT, platform_id=question.message.id)
            await app.store.append_turn(told)
        async with running(server, home):
            await server.wait_until(lambda: server.screen.from_bots(chat) == ["What is the time?"])


async def test_what_ends_the_program_again_and_again_is_given_up_where_its_answer_had_begun(home: Path) -> None:
    async with BotApiServer() as server:
        group = server.chat_group("Family", server.person("Ann"))
        shown = {"chat_id": group.id, "text": "The answer is"}
        async with httpx.AsyncClient() as telegram:
            await telegram.post(f"{server.base_url}{server.token}/sendMessage", json=shown)
        question = asked(group.id, "Why?")
        async with open_app(load(write_configuration(server, home))) as app:
            [arrival] = await begin(app, question, starts=MOST_ATTEMPTS)
            draft = ParcelDraft(question.message.address, Content(""), arrival_id=arrival, state=ParcelState.PREVIEW)
            [preview] = await app.ledger.post([draft], at=AT)
            await app.ledger.delivered(preview.id, str(server.screen(group)[-1].message_id), at=AT)
        async with running(server, home):
            await server.wait_until(lambda: server.screen.from_bots(group) == [GIVEN_UP])


async def test_an_answer_that_an_edit_had_begun_to_rewrite_stands_there_whole_when_that_is_given_up(
    home: Path,
) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        group = server.chat_group("Family", ann)
        async with running(server, home):
            question = ann.says(group, "@parley_test_bot What is teh time?")
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: What is teh time?"])
        await half_show(server, group, "Ann: What is", message_id=server.screen(group)[-1].message_id)
        edit = edited(asked(group.id, "", message_id=question.message_id), "What is the time?")
        async with open_app(load(write_configuration(server, home))) as app:
            await begin(app, edit, starts=MOST_ATTEMPTS)
        async with running(server, home):
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: What is teh time?", GIVEN_UP])
        assert "stop" not in [button.data for shown in server.screen(group) for row in shown.buttons for button in row]


async def test_what_only_waits_for_others_is_not_blamed_for_the_end_of_the_program(home: Path) -> None:
    async with BotApiServer() as server:
        group = server.chat_group("Family", server.person("Ann"), server.person("Bob"))
        first, second = asked(group.id, "one"), asked(group.id, "two", message_id=2)
        other = replace(second, message=replace(second.message, person=Speaker("500002", "Bob", "en")))
        async with open_app(load(write_configuration(server, home))) as app:
            await begin(app, first, other, starts=0)
        async with running(server, home, delay=1.0) as app:
            await server.wait_until(lambda: server.screen.history(group, "typing"))
            assert [arrival.attempts for arrival in await app.ledger.arrivals()] == [1, 0]
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: one", "Bob: two"])


async def test_an_attempt_that_ended_in_good_order_is_not_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "GRACE_SECONDS", 0.0)
    async with BotApiServer() as server:
        chat = server.chat_private(server.person("Ann"))
        async with open_app(load(write_configuration(server, home))) as app:
            await begin(app, asked(chat.id, "one two three"), starts=1)
        async with running(server, home, delay=10.0) as app:
            await server.wait_until(lambda: server.screen.history(chat, "typing"))
            assert [arrival.attempts for arrival in await app.ledger.arrivals()] == [2]
        async with open_app(load(write_configuration(server, home))) as app:
            assert [arrival.attempts for arrival in await app.ledger.arrivals()] == [1]


async def test_a_new_answer_that_a_button_asked_for_takes_the_place_of_its_preview_after_a_crash(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        group = server.chat_group("Family", ann)
        async with running(server, home):
            ann.says(group, "@parley_test_bot Why?")
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: Why?"])
        [_, answer] = server.screen(group)
        async with httpx.AsyncClient() as telegram:
            shown = {"chat_id": group.id, "text": "Ann:"}
            await telegram.post(f"{server.base_url}{server.token}/sendMessage", json=shown)
        press = asked(group.id, "", message_id=answer.message_id)
        async with open_app(load(write_configuration(server, home))) as app:
            turn = await app.ledger.turn_shown(press.message.address, press.message.id)
            pressed = replace(press, kind=UpdateKind.CHOICE, id="77", detail=f"retry:{turn}")
            [arrival] = await begin(app, pressed, starts=1)
            draft = ParcelDraft(press.message.address, Content(""), arrival_id=arrival, state=ParcelState.PREVIEW)
            [preview] = await app.ledger.post([draft], at=AT)
            await app.ledger.delivered(preview.id, str(server.screen(group)[-1].message_id), at=AT)
        async with running(server, home):
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: Why?", "Ann: Why?"])


async def test_a_burst_that_was_one_turn_is_one_again(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        first, second = asked(chat.id, "one"), asked(chat.id, "two", message_id=2)
        async with open_app(load(write_configuration(server, home))) as app:
            await begin(app, first, second, starts=0)
            conversation = await app.engine.current_conversation(first.message.address)
            told = TurnDraft(conversation.id, Role.USER, "one", AT, platform_id="1")
            question = await app.store.append_turn(told)
            await app.store.append_turn(TurnDraft(conversation.id, Role.ASSISTANT, "one", AT))
            await app.store.set_head(conversation.id, question.id)
            await app.store.append_turn(replace(told, text="two", platform_id="2"))
        async with running(server, home):
            await server.wait_until(lambda: server.screen.from_bots(chat) == ["one\n\ntwo"])


async def test_an_edit_that_makes_talk_of_something_is_answered(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        group = server.chat_group("Family", ann)
        server.bot(server.token).reads_all = True
        async with running(server, home):
            ann.edits(group, ann.says(group, "What is the time?"), "@parley_test_bot What is the time?")
            await server.wait_until(lambda: server.screen.from_bots(group) == ["Ann: What is the time?"])


async def test_a_preview_that_is_slow_to_arrive_does_not_take_the_place_of_the_whole_answer(home: Path) -> None:
    async with BotApiServer() as server:
        ann = server.person("Ann")
        group = server.chat_group("Family", ann)
        text = " ".join(map(str, range(20)))
        server.faults.next("editMessageText", Delay(1.5))
        async with running(server, home, delay=0.1):
            ann.says(group, f"@parley_test_bot {text}")
            await server.wait_until(lambda: len(server.screen.history(group, "edit")) >= 2)
            assert server.screen.from_bots(group) == [f"Ann: {text}"]
            assert [button.data for row in server.screen(group)[-1].buttons for button in row][:1] != ["stop"]


async def test_a_reply_that_fails_unforeseen_leaves_no_preview_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[Content]:
        raise RuntimeError("nobody foresaw this")

    async with BotApiServer() as server:
        ann = server.person("Ann")
        group = server.chat_group("Family", ann)
        monkeypatch.setattr(Answering, "parts", fail)
        async with running(server, home, delay=0.1):
            ann.says(group, f"@parley_test_bot {' '.join(map(str, range(20)))}")
            await server.wait_until(lambda: any(shown.buttons for shown in server.screen(group)))
            await server.wait_until(lambda: server.screen.from_bots(group) == [Texts("en").get("errors.unexpected")])
        assert not server.screen(group)[-1].buttons


async def test_a_suspect_can_be_mended_by_an_edit_before_its_turn_has_come(home: Path) -> None:
    async with BotApiServer() as server:
        ann, bob = server.person("Ann"), server.person("Bob")
        first, second = server.chat_private(ann), server.chat_private(bob)
        async with open_app(load(write_configuration(server, home))) as app:
            slow, question = asked(first.id, LONG), asked(second.id, "arsenic")
            await begin(app, slow, question, starts=2)
        async with serving(server, home, delay=0.02) as channel:
            await channel.accept([replace(edited(question, "water"), detail="1")])
            await server.wait_until(lambda: server.screen.from_bots(second) == ["water"])
            assert server.screen.from_bots(first) == [LONG]
