"""Which messages are answered together, which after each other, and what edits, deletions and /stop do to answers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot import channels
from bot.channel import Update, UpdateKind
from bot.texts import Texts
from bot.types import Address, Message
from bot.types import Person as Speaker
from tests.channels.running import running, serving
from tests.channels.seeing import LONG, answers, in_the_making, said
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Delay
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

SLOW = 0.02
QUEUE = "[chat]\nburst_seconds = 0"
RESTART = f'{QUEUE}\nwhile_answering = "restart"'


# -- what belongs together ----------------------------------------------------------------------------------


async def test_what_is_added_right_after_a_question_is_answered_together_with_it(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        ann.says(chat, LONG)
        await server.wait_until(lambda: bool(server.screen.history(chat, "typing") or server.screen.drafts(chat)))
        ann.says(chat, "and this")
        await said(server, chat, f"{LONG}\n\nand this")


async def test_a_message_during_an_answer_is_answered_next(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW, more=QUEUE):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "and this")
        await said(server, chat, LONG, "and this")


async def test_a_message_during_an_answer_begins_it_anew_where_that_is_configured(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW, more=RESTART):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "and this")
        await said(server, chat, f"{LONG}\n\nand this")


async def test_two_people_in_a_group_are_answered_one_after_the_other(server: BotApiServer, home: Path) -> None:
    ann, bob = server.person("Ann"), server.person("Bob")
    group = server.chat_group("Family", ann, bob)
    async with running(server, home, delay=SLOW):
        first = ann.says(group, f"@parley_test_bot {LONG}")
        second = bob.says(group, "@parley_test_bot and me")
        shown = await answers(server, group, 2)
        await said(server, group, f"Ann: {LONG}", "Bob: and me")
    assert [each.reply_to for each in shown] == [first.message_id, second.message_id]


async def test_a_burst_that_waited_for_the_bot_is_answered_once_and_told_to_be_old(home: Path) -> None:
    async with BotApiServer(clock=lambda: time.time() - 3 * 3600) as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        for text in ("one", "two", "three"):
            ann.says(chat, text)
        async with running(server, home):
            await said(
                server,
                chat,
                "You wrote this 3 hours ago; I could not answer sooner.\n\none\n\ntwo\n\nthree",
            )


async def test_what_is_too_much_to_wait_is_declined_politely_and_named(server: BotApiServer, home: Path) -> None:
    people = [server.person(f"P{number}") for number in range(6)]
    group = server.chat_group("Crowd", *people)
    async with running(server, home, delay=SLOW, more="[chat]\nmax_pending = 2"):
        for number, person in enumerate(people):
            person.says(group, f"@parley_test_bot {LONG if number == 0 else number}")
        answered = [f"P0: {LONG}", "P1: 1", "P2: 2"]
        declined = [
            "There are already 2 messages waiting here, so I leave this one out: “3”."
            " Let me answer those first, or send /stop.",
            "Left out, too: “4”.",
            "Left out, too: “5”.",
        ]
        await server.wait_until(
            lambda: sorted(server.screen.from_bots(group)) == sorted([*answered, *declined]), seconds=15
        )


# -- commands that do not wait ------------------------------------------------------------------------------


async def test_a_command_that_needs_no_model_is_answered_beside_a_running_answer_in_order(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW, more=f"{QUEUE}\nmax_pending = 1"):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "And then?")
        for command in ("/calc 1+1", "/settings language zh", "/settings language", "/remind me in 5 hours to eat"):
            ann.says(chat, command)
        ann.says(chat, "/reminders")
        shown = await answers(server, chat, 5)
        assert "**2**" in shown[0].text or shown[0].text.endswith("2")
        assert "zh" in shown[1].text and "zh" in shown[2].text
        assert "eat" in shown[3].text and "eat" in shown[4].text
        assert not any(LONG in each.text for each in shown)
        await server.wait_until(lambda: server.screen.from_bots(chat)[-1] == "And then?")


async def test_a_setting_that_was_given_before_a_question_holds_for_its_answer(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "/settings language zh")
        ann.says(chat, "/undo")
        assert (await answers(server, chat, 2))[1].text == Texts("zh").get("commands.nothing_to_undo")


async def test_why_about_a_question_that_is_still_answered_waits_for_the_answer(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "Hello")
        ann.says(chat, "/why")
        assert "The model echo wrote it" in (await answers(server, chat, 2))[1].text


async def test_a_change_that_waits_its_turn_is_named_when_it_is_left_out(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW, more=f"{QUEUE}\nmax_pending = 1"):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        for text in ("And then?", "/persona tutor", "/undo"):
            ann.says(chat, text)
        shown = [each.text for each in await answers(server, chat, 2)]
    assert "“/persona tutor”" in shown[0] and shown[1] == "Left out, too: “/undo”."


# -- stopping -----------------------------------------------------------------------------------------------


async def test_stop_keeps_what_was_said_and_says_that_it_was_stopped(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "/stop")
        shown = await answers(server, chat, 2)
        assert [each.text for each in shown][1] == "Stopped."
        ended = shown[0].text
        assert ended.startswith("word0") and ended.endswith("(stopped)") and "word99" not in ended
        ann.says(chat, "Go on")
        assert (await answers(server, chat, 3))[-1].text == "Go on"


async def test_why_says_which_model_wrote_an_answer_that_was_stopped(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "/stop")
        await answers(server, chat, 2)
        ann.says(chat, "/why")
        told = (await answers(server, chat, 3))[-1].text
    assert "The model echo wrote it, run by echo." in told
    assert "It was stopped before it was whole." in told and "It spoke as the persona parley." in told


async def test_what_is_stopped_before_it_begins_is_not_shown(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=1.0):
        ann.says(chat, "Hello")
        await server.wait_until(lambda: bool(server.screen.typing(chat)))
        ann.says(chat, "/stop")
        await said(server, chat, "Stopped.")
        ann.says(chat, "/help")
        assert (await answers(server, chat, 2))[1].text.startswith("Just write")


# -- edits --------------------------------------------------------------------------------------------------


async def test_editing_a_question_while_it_is_answered_leaves_one_answer_to_what_it_says_now(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        question = ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.edits(chat, question, "something short")
        await said(server, chat, "something short")


async def test_editing_a_question_before_its_answer_has_begun_leaves_one_answer(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=1.0):
        question = ann.says(chat, "long and winding")
        await server.wait_until(lambda: bool(server.screen.typing(chat)))
        ann.edits(chat, question, "short")
        await said(server, chat, "short")


async def test_editing_a_question_whose_answer_is_on_its_way_leaves_one_answer(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    server.faults.next("sendMessage", Delay(0.5))
    async with running(server, home):
        question = ann.says(chat, "one thing")
        await server.wait_until(lambda: server.statistics().methods.get("sendMessage"))
        ann.edits(chat, question, "another thing")
        await said(server, chat, "another thing")


async def test_editing_a_question_that_waits_changes_what_is_answered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW, more=QUEUE):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        question = ann.says(chat, "teh second")
        ann.edits(chat, question, "the second")
        await said(server, chat, LONG, "the second")


async def test_editing_a_part_of_a_burst_rewrites_the_answer_to_all_of_it(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    first, second = ann.says(chat, "one"), ann.says(chat, "two")
    ann.says(chat, "three")
    async with running(server, home):
        await said(server, chat, "one\n\ntwo\n\nthree")
        ann.says(chat, "four")
        await said(server, chat, "one\n\ntwo\n\nthree", "four")
        ann.edits(chat, second, "dos")
        await said(server, chat, "one\n\ndos\n\nthree", "four")
        ann.edits(chat, first, "uno")
        await said(server, chat, "uno\n\ndos\n\nthree", "four")
        ann.says(chat, "five")
        await said(server, chat, "uno\n\ndos\n\nthree", "four", "five")


async def test_editing_what_others_joined_while_it_was_answered_rewrites_the_answer_to_all(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        question = ann.says(chat, LONG)
        await server.wait_until(lambda: bool(server.screen.history(chat, "typing") or server.screen.drafts(chat)))
        ann.says(chat, "and this")
        await said(server, chat, f"{LONG}\n\nand this")
        ann.edits(chat, question, "short")
        await said(server, chat, "short\n\nand this")


async def test_rewriting_an_answer_for_long_leaves_no_draft_behind(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        question = ann.says(chat, "short")
        await said(server, chat, "short")
        ann.edits(chat, question, LONG)
        await said(server, chat, LONG)
        assert not server.screen.drafts(chat)


async def test_editing_an_older_question_rewrites_its_answer_and_leaves_later_ones(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        question = ann.says(chat, "one")
        await said(server, chat, "one")
        ann.says(chat, "two")
        await said(server, chat, "one", "two")
        ann.edits(chat, question, "uno")
        await said(server, chat, "uno", "two")
        ann.says(chat, "three")
        await said(server, chat, "uno", "two", "three")


async def test_an_answer_that_grows_or_shrinks_with_its_question_stays_whole(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    def shown() -> str:
        return "".join("".join(server.screen.from_bots(chat)).split())

    long = "\n\n".join(f"{number} {'long ' * 200}".strip() for number in range(4))
    async with running(server, home):
        question = ann.says(chat, "short")
        await said(server, chat, "short")
        ann.edits(chat, question, long[:4000])
        await server.wait_until(lambda: shown() == "".join(long[:4000].split()))
        ann.edits(chat, question, "short again")
        await said(server, chat, "short again")


# -- deletions, told by a channel that knows of them --------------------------------------------------------


def _deletion(chat: Chat, message_id: int, sample: Message) -> Update:
    message = replace(sample, text="", id=str(message_id), person=Speaker(str(chat.id)))
    return Update(UpdateKind.DELETION, message, id=f"deletion{message_id}")


async def test_deleting_a_question_takes_its_answer_away(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with serving(server, home) as channel:
        question = ann.says(chat, "a secret")
        await said(server, chat, "a secret")
        ann.says(chat, "no secret")
        await said(server, chat, "a secret", "no secret")
        await channel.exchange.accept([_deletion(chat, question.message_id, channel.said[-1])])
        await said(server, chat, "no secret")
        ann.says(chat, "/retry")
        await said(server, chat, "no secret", "no secret")


async def test_deleting_a_question_while_it_is_answered_leaves_nothing(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with serving(server, home, delay=SLOW) as channel:
        question = ann.says(chat, LONG)
        await in_the_making(server, chat)
        await channel.exchange.accept([_deletion(chat, question.message_id, channel.said[-1])])
        ann.says(chat, "next")
        await said(server, chat, "next")
        assert server.screen.drafts(chat) == []


async def test_deleting_a_question_that_waits_leaves_it_unanswered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with serving(server, home, delay=SLOW, more=QUEUE) as channel:
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        question = ann.says(chat, "forget this")
        await server.wait_until(lambda: channel.said[-1].text == "forget this")
        await channel.exchange.accept([_deletion(chat, question.message_id, channel.said[-1])])
        ann.says(chat, "but not this")
        await said(server, chat, LONG, "but not this")


async def test_deleting_a_message_removes_its_file_unless_another_came_with_it_too(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    def files() -> int:
        return len(list((home / "attachments").iterdir()))

    async with serving(server, home, more=QUEUE) as channel:
        first = ann.sends(chat, "photo", content=b"the same", caption="one")
        await answers(server, chat, 1)
        second = ann.sends(chat, "photo", content=b"the same", caption="two")
        await answers(server, chat, 2)
        ann.sends(chat, "photo", content=b"another", caption="three")
        await answers(server, chat, 3)
        assert files() == 2
        await channel.exchange.accept([_deletion(chat, first.message_id, channel.said[-1])])
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) == 2)
        assert files() == 2
        await channel.exchange.accept([_deletion(chat, second.message_id, channel.said[-1])])
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) == 1)
        assert files() == 1
    assert [path.read_bytes() for path in (home / "attachments").iterdir()] == [b"another"]


# -- going back ---------------------------------------------------------------------------------------------


async def test_a_reply_to_an_older_answer_goes_on_from_there(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home) as app:
        ann.says(chat, "one")
        await said(server, chat, "one")
        [first] = await answers(server, chat, 1)
        ann.says(chat, "two")
        await said(server, chat, "one", "two")
        ann.says(chat, "from one", reply_to=first)
        await said(server, chat, "one", "two", "from one")
        [conversation] = await app.store.conversations(Address("telegram", str(chat.id), "7000001"), limit=9)
        path = await app.store.path(conversation.id)
    assert [turn.text for turn in path] == ["one", "one", "from one", "from one"]


async def test_a_reply_to_a_forgotten_message_carries_what_it_says(
    server: BotApiServer, ann: Person, home: Path
) -> None:
    group = server.chat_group("Family", ann)
    async with running(server, home):
        remark = ann.says(group, "Tea is at five")
        ann.says(group, "@parley_test_bot when?", reply_to=remark)
        [answer] = await answers(server, group, 1)
    assert "Tea is at five" in answer.text and answer.text.endswith("when?")


# -- ends of the program ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["private", "group"])
async def test_an_answer_that_the_end_of_the_program_cut_short_is_given_wholly_after_the_next_start(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(channels, "GRACE_SECONDS", 0.1)
    where = chat if place == "private" else server.chat_group("Family", ann)
    async with running(server, home, delay=SLOW):
        ann.says(where, LONG if where is chat else f"@parley_test_bot {LONG}")
        await in_the_making(server, where)
    whole = LONG if where is chat else f"Ann: {LONG}"
    async with running(server, home):
        await said(server, where, whole)
        ann.says(where, "/why@parley_test_bot")
        shown = await answers(server, where, 2)
    assert shown[0].text == whole and server.screen.drafts(where) == []


async def test_what_waits_when_the_program_ends_is_answered_after_the_next_start(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "GRACE_SECONDS", 0.1)
    async with running(server, home, delay=SLOW, more=QUEUE):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.says(chat, "and this")
        await server.wait_until(lambda: not server.world.bots[server.token].updates.pending)
    async with running(server, home):
        await said(server, chat, LONG, "and this")


async def test_a_text_that_came_in_two_pieces_is_answered_at_once_and_not_in_two_goes(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=0.4):
        ann.says(chat, "one two three four five six")
        ann.says(chat, "seven")
        began = time.monotonic()
        await said(server, chat, "one two three four five six\n\nseven")
    in_two_goes = (6 + 7) * 0.4
    assert time.monotonic() - began < in_two_goes - 0.4
