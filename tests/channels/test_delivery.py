"""How answers arrive: previews, pieces, buttons, ratings, limits, and chats that move or block the bot."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from pathlib import Path

import pytest

from bot import channels
from bot.app import App
from bot.texts import Texts
from bot.types import Address
from tests.channels.fast import FastTime
from tests.channels.running import running
from tests.channels.seeing import LONG, answers, in_the_making, said
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Flood
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_screen import Shown
from tests.servers.bot_api_world import Chat

SLOW = 0.02
BOT = "7000001"


def address_of(chat: Chat) -> Address:
    return Address("telegram", str(chat.id), BOT)


async def turn_of(app: App, chat: Chat, answer: Shown) -> int:
    """The turn that a message shows, once that is known."""
    async with asyncio.timeout(5):
        while (turn := await app.ledger.turn_shown(address_of(chat), str(answer.message_id))) is None:
            await asyncio.sleep(0.01)
    return turn


# -- while it is made ---------------------------------------------------------------------------------------


async def test_a_sign_of_life_comes_within_two_seconds(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=3.0):
        ann.says(chat, "Hello")
        await server.wait_until(lambda: server.screen.typing(chat) == "typing", seconds=2)
        await said(server, chat, "Hello")
        assert server.screen.typing(chat) == ""


async def test_a_private_reply_is_shown_as_a_draft_and_then_sent_once(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW):
        ann.says(chat, LONG)
        await said(server, chat, LONG)
    drafts = [event.text for event in server.screen.history(chat, "draft")]
    assert drafts and all(draft == LONG[: len(draft)] for draft in drafts)
    assert server.screen.drafts(chat) == []
    assert [event.text for event in server.screen.history(chat, "message")] == [LONG, LONG]


async def test_a_group_sees_one_message_grow_until_it_is_whole(server: BotApiServer, ann: Person, home: Path) -> None:
    group = server.chat_group("Family", ann)
    async with running(server, home, delay=SLOW):
        question = ann.says(group, f"@parley_test_bot {LONG}")
        await in_the_making(server, group)
        whole = f"Ann: {LONG}"
        await said(server, group, whole)
        [answer] = await answers(server, group, 1)
    versions = [version.text for version in answer.earlier]
    assert versions and all(version == whole[: len(version)] for version in versions)
    assert answer.reply_to == question.message_id
    assert [button.text for row in answer.buttons for button in row] == ["🔄 Again", "👍", "👎", "❔ Why"]


async def test_the_stop_button_under_a_growing_reply_ends_it(server: BotApiServer, ann: Person, home: Path) -> None:
    group = server.chat_group("Family", ann)
    async with running(server, home, delay=SLOW):
        ann.says(group, f"@parley_test_bot {LONG} {LONG}")
        await in_the_making(server, group)
        [growing] = await answers(server, group, 1)
        ann.presses(group, growing, "⏹ Stop")
        await server.wait_until(lambda: server.screen.from_bots(group)[0].endswith("(stopped)"))
        assert len(server.screen.from_bots(group)) == 1
        assert [event.text for event in server.screen.history(group, "toast")] == ["Stopped."]


async def test_a_slow_chat_does_not_delay_another(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    bob = server.person("Bob")
    other = server.chat_private(bob)
    async with running(server, home, delay=SLOW):
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        bob.says(other, "Quick one")
        await said(server, other, "Quick one", seconds=2)
        assert server.screen.from_bots(chat) == []
        await said(server, chat, LONG)


# -- in pieces ----------------------------------------------------------------------------------------------


async def test_a_long_answer_comes_whole_and_in_order(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    paragraphs = [f"{number} " + "word " * 150 for number in range(12)]
    async with running(server, home):
        for start in range(0, 12, 4):
            ann.says(chat, "\n\n".join(paragraphs[start : start + 4]))
        expected = " ".join("\n\n".join(paragraphs).split())
        await server.wait_until(lambda: " ".join("\n".join(server.screen.from_bots(chat)).split()) == expected)
        pieces = await answers(server, chat, 3)
    assert all(len(piece.text) <= 4096 for piece in pieces)
    assert [bool(piece.buttons) for piece in pieces] == [False] * (len(pieces) - 1) + [True]


async def test_code_longer_than_a_message_is_code_in_every_piece(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    lines = [f"print({number}, 'of many lines')" for number in range(300)]
    code = "\n".join(["```python", *lines, "```"])
    async with running(server, home):
        ann.says(chat, code[:4000])
        ann.says(chat, code[4000:8000])
        ann.says(chat, code[8000:])
        pieces = await answers(server, chat, 3)
        await server.wait_until(lambda: "299" in "".join(server.screen.from_bots(chat)))
    for piece in pieces:
        assert [entity.language for entity in piece.entities if entity.type == "pre"] == ["python"]


# -- buttons and ratings ------------------------------------------------------------------------------------


async def test_again_answers_once_more(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.says(chat, "Hello")
        [answer] = await answers(server, chat, 1)
        ann.presses(chat, answer, "🔄 Again")
        await said(server, chat, "Hello", "Hello")


async def test_again_under_an_older_answer_answers_that_question(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "one")
        [answer] = await answers(server, chat, 1)
        ann.says(chat, "two")
        await said(server, chat, "one", "two")
        ann.presses(chat, answer, "🔄 Again")
        told = Texts("en").get("commands.retry_went_back")
        await said(server, chat, "one", "two", f"{told}\n\none")


async def test_thumbs_are_kept_and_thanked_for(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home) as app:
        ann.says(chat, "Hello")
        [answer] = await answers(server, chat, 1)
        turn = await turn_of(app, chat, answer)
        ann.presses(chat, answer, "👎")
        await server.wait_until(lambda: len(server.screen.history(chat, "toast")) == 1)
        assert await app.store.ratings(turn) == {f"telegram:{ann.id}": -1}
        ann.presses(chat, answer, "👍")
        await server.wait_until(lambda: len(server.screen.history(chat, "toast")) == 2)
        assert await app.store.ratings(turn) == {f"telegram:{ann.id}": 1}
    assert {event.text for event in server.screen.history(chat, "toast")} == {"Thank you, that is noted."}


async def test_reactions_are_kept_as_ratings(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home) as app:
        ann.says(chat, "Hello")
        [answer] = await answers(server, chat, 1)
        turn = await turn_of(app, chat, answer)
        for emoji, rating in ((("👍",), 1), (("👎",), -1), ((), None)):
            ann.reacts(chat, answer, *emoji)
            async with asyncio.timeout(5):
                while (await app.store.ratings(turn)).get(f"telegram:{ann.id}") != rating:
                    await asyncio.sleep(0.01)
    assert server.screen.from_bots(chat) == ["Hello"]


# -- limits of the platform ---------------------------------------------------------------------------------


async def test_a_time_to_wait_holds_over_a_restart(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "DELIVERY_GRACE_SECONDS", 0.1)
    server.faults.next("sendMessage", Flood(3))
    async with running(server, home) as app:
        ann.says(chat, "Hello")
        async with asyncio.timeout(5):
            while not (kept := await app.store.setting(f"governor/telegram/{BOT}", "closed_until")):
                await asyncio.sleep(0.01)
    closed_until = max(json.loads(kept).values())
    assert closed_until > time.time() + 1
    async with running(server, home):
        await said(server, chat, "Hello")
    assert time.time() >= closed_until
    assert server.statistics().methods["sendMessage"] == 2


async def test_a_wait_of_a_minute_is_told_with_the_answer(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    fast = FastTime(speed=40)
    server.faults.next("sendMessage", Flood(60))
    async with running(server, home, clock=fast, sleep=fast.sleep):
        ann.says(chat, "Hello")
        [answer] = await answers(server, chat, 1)
    # some of the minute may have passed before the wait began, since time runs fast here
    assert re.match(r"\(The platform's limits held this back for (5\d|60) s\.\)\nHello", answer.text)
    assert server.statistics().methods["sendMessage"] == 2


# -- chats that move or go ----------------------------------------------------------------------------------


async def test_a_group_that_gets_another_id_goes_on(server: BotApiServer, ann: Person, home: Path) -> None:
    group = server.chat_group("Family", ann, kind="group")
    async with running(server, home) as app:
        ann.says(group, "@parley_test_bot one")
        await said(server, group, "Ann: one")
        moved = ann.upgrades(group)
        ann.says(moved, "@parley_test_bot two")
        await said(server, moved, "Ann: two")
        [conversation] = await app.store.conversations(address_of(moved), limit=9)
        path = await app.store.path(conversation.id)
    assert [turn.text for turn in path] == ["one", "Ann: one", "two", "Ann: two"]


async def test_an_answer_on_its_way_follows_the_group_to_its_new_id(
    server: BotApiServer, ann: Person, home: Path
) -> None:
    group = server.chat_group("Family", ann, kind="group")
    server.faults.next("sendMessage", Flood(1))
    async with running(server, home):
        ann.says(group, "@parley_test_bot one")
        await server.wait_until(lambda: server.statistics().refusals.get(429))
        moved = ann.upgrades(group)
        await said(server, moved, "Ann: one")
        ann.says(moved, "@parley_test_bot two")
        await said(server, moved, "Ann: one", "Ann: two")
    assert server.screen.from_bots(group) == []


async def test_a_reply_in_the_making_follows_the_group_to_its_new_id(
    server: BotApiServer, ann: Person, home: Path
) -> None:
    group = server.chat_group("Family", ann, kind="group")
    async with running(server, home, delay=SLOW):
        ann.says(group, f"@parley_test_bot {LONG}")
        await in_the_making(server, group)
        moved = ann.upgrades(group)
        await said(server, moved, f"Ann: {LONG}")


async def test_somebody_who_blocks_the_bot_is_left_alone_and_found_again(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home, delay=SLOW) as app:
        ann.says(chat, LONG)
        await in_the_making(server, chat)
        ann.blocks(chat)
        async with asyncio.timeout(10):
            while not (dead := await app.ledger.dead()):
                await asyncio.sleep(0.01)
        assert "blocked" in dead[0].reason
        assert server.statistics().methods["sendMessage"] == 1
        ann.unblocks(chat)
        ann.says(chat, "Back again")
        await said(server, chat, "Back again")
        [conversation] = await app.store.conversations(address_of(chat), limit=9)
        path = await app.store.path(conversation.id)
    assert [turn.text for turn in path] == [LONG, LONG, "Back again", "Back again"]


async def test_buttons_of_an_answer_from_after_a_restored_backup_touch_nobody_elses(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    bob = server.person("Bob")
    other = server.chat_private(bob)
    async with running(server, home):
        bob.says(other, "Hello")
        [answer] = await answers(server, other, 1)
    for file in home.glob("**/parley.db*"):  # as if the backup had been made before
        file.unlink()
    async with running(server, home) as app:
        ann.says(chat, "Mine")
        [hers] = await answers(server, chat, 1)
        turn = await turn_of(app, chat, hers)
        for count, button in enumerate(("👎", "🔄 Again", "❔ Why"), 1):
            bob.presses(other, answer, button)
            await server.wait_until(lambda count=count: len(server.screen.history(other, "toast")) == count)  # type: ignore[misc]
        assert await app.store.ratings(turn) == {}
        async with asyncio.timeout(10):
            while await app.ledger.arrivals():
                await asyncio.sleep(0.01)
    assert {event.text for event in server.screen.history(other, "toast")} == {"I no longer have this answer."}
    assert server.screen.from_bots(other) == ["Hello"]


async def test_an_opinion_on_an_answer_that_is_gone_is_dealt_with_and_said_to_be_late(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home) as app:
        ann.says(chat, "Hello")
        [answer] = await answers(server, chat, 1)
        await turn_of(app, chat, answer)
        with sqlite3.connect(next(home.glob("**/parley.db"))) as database:
            database.execute("UPDATE outbox SET turn_id = 4711")
            database.execute("UPDATE conversations SET head_id = NULL")
        database.close()
        for button in ("👍", "👎"):
            ann.presses(chat, answer, button)
        await server.wait_until(lambda: len(server.screen.history(chat, "toast")) == 2)
        async with asyncio.timeout(5):
            while await app.ledger.arrivals():
                await asyncio.sleep(0.01)
    assert {event.text for event in server.screen.history(chat, "toast")} == {"I no longer have this answer."}
