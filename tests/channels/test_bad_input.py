"""What comes in wrong: tokens, posts to the webhook, dates, files, texts; and a database that cannot be written."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.app import open_app
from bot.channels import plan_channels, run_channels
from bot.config import load
from bot.errors import StorageError
from storage.ledger import SqlLedger
from tests.channels.fast import FastTime
from tests.channels.running import running, write_configuration
from tests.channels.seeing import answers, in_the_making, said
from tests.servers.bot_api import TOKEN, BotApiServer
from tests.servers.bot_api_faults import Refuse
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

EMPTY = "The model gave no answer. /retry asks again."


# -- the token ----------------------------------------------------------------------------------------------


async def run_to_its_end(server: BotApiServer, home: Path) -> bool:
    """Run the channel until it gives up by itself; whether it could be used."""
    configuration = load(write_configuration(server, home))
    async with open_app(configuration) as app, asyncio.timeout(10):
        return await run_channels(plan_channels(configuration), app, configuration)


async def test_a_wrong_token_is_told_without_being_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PARLEY_CHANNELS__TELEGRAM__TOKEN", "7000002:mistyped-secret")
    async with BotApiServer(tokens={TOKEN: "parley_test_bot"}) as server:
        assert await run_to_its_end(server, home) is False
    assert "Telegram does not accept the bot's token" in caplog.text
    assert "mistyped-secret" not in caplog.text


async def test_a_token_that_is_revoked_ends_the_channel_and_is_told(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(run_to_its_end(server, home))
        ann.says(chat, "Hello")
        await said(server, chat, "Hello")
        server.faults.always("*", Refuse(401, "Unauthorized"))
        server.malformed(chat, ann, "nothing at all")  # ends the question that is open
    assert ended.result() is False
    ann.says(chat, "Still there?")
    assert caplog.text.count("Telegram does not accept the bot's token") == 1
    assert server.token not in caplog.text
    server.faults.clear()
    async with running(server, home):
        await said(server, chat, "Hello", "Still there?")


async def test_an_answer_that_meets_a_revoked_token_comes_once_there_is_a_good_one(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        ended = group.create_task(run_to_its_end(server, home))
        ann.says(chat, "Hello")
        await said(server, chat, "Hello")
        server.faults.always("sendMessage", Refuse(401, "Unauthorized"))
        ann.says(chat, "Still there?")
        await server.wait_until(lambda: server.statistics().methods["sendMessage"] > 1)
        server.faults.always("*", Refuse(401, "Unauthorized"))
        server.malformed(chat, ann, "nothing at all")  # ends the question that is open
    assert ended.result() is False
    server.faults.clear()
    async with running(server, home):
        await said(server, chat, "Hello", "Still there?")


async def test_a_second_program_with_the_same_token_is_told_of_and_does_no_harm(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(server, home):
        ann.says(chat, "one")
        await said(server, chat, "one")
        async with httpx.AsyncClient() as other:
            await other.post(f"{server.base_url}{server.token}/getUpdates", data={"timeout": "0"})
        ann.says(chat, "two")
        await said(server, chat, "one", "two")
    assert caplog.text.count("Another program receives this bot's updates") == 1


# -- the webhook --------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


async def test_a_webhook_believes_telegram_alone(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/telegram"
    forged = {
        "update_id": 1,
        "message": {
            "message_id": 77,
            "date": int(time.time()),
            "chat": chat.wire(),
            "from": ann.account.wire(),
            "text": "forged",
        },
    }
    async with running(server, home, more=f'webhook_url = "{url}"'), httpx.AsyncClient() as web:
        hook = await server.wait_until(lambda: server.world.bots[server.token].updates.webhook)
        assert hook
        right = {"X-Telegram-Bot-Api-Secret-Token": hook.secret}
        plain = {**right, "Content-Type": "text/plain"}
        assert (await web.post(url, json=forged)).status_code == 403
        assert (await web.post(url, json=forged, headers=dict.fromkeys(right, "guess"))).status_code == 403
        assert (await web.put(url, json=forged, headers=right)).status_code == 405
        assert (await web.post(url, content=str(forged), headers=plain)).status_code == 415
        assert (await web.post(url, content=b"{half", headers={**right, "Content-Type": "application/json"})).is_error
        await post_less_than_promised(url, hook.secret)
        ann.says(chat, "real")
        await said(server, chat, "real")


async def post_less_than_promised(url: str, secret: str) -> None:
    """A post whose length is wrong, and whose connection ends before."""
    address = httpx.URL(url)
    _, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST {address.path} HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: {secret}\r\n"
    writer.write(f'{head}Content-Type: application/json\r\nContent-Length: 999\r\n\r\n{{"update_id": 1'.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


# -- updates ------------------------------------------------------------------------------------------------


async def test_updates_that_make_no_sense_do_not_hold_up_the_others(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        server.malformed(chat, ann)
        ann.says(chat, "Still there?")
        await server.wait_until(lambda: any("Still there?" in text for text in server.screen.from_bots(chat)))
        ann.says(chat, "Good")
        await server.wait_until(lambda: server.screen.from_bots(chat)[-1].endswith("Good"))


@pytest.mark.parametrize(
    ("days", "answer"),
    [(400, "Hello"), (-400, "You wrote this 400 days ago; I could not answer sooner.\n\nHello"), (0.002, "Hello")],
)
async def test_a_message_from_another_day_is_answered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, days: float, answer: str
) -> None:
    async with running(server, home):
        ann.says(chat, "Hello", date=int(time.time() + days * 86_400))
        await said(server, chat, answer)


@pytest.mark.parametrize("date", [10**18, -(10**18)])
async def test_a_date_outside_all_calendars_does_no_harm(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, date: int
) -> None:
    async with running(server, home):
        ann.says(chat, "When am I?", date=date)
        ann.says(chat, "Hello")
        await said(server, chat, "Hello")


async def test_a_chat_that_is_no_longer_there_is_left_alone(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    bob = server.person("Bob")
    other = server.chat_private(bob)
    async with running(server, home, delay=0.02) as app:
        ann.says(chat, "word " * 60)
        await in_the_making(server, chat)
        del server.world.chats[chat.key]
        async with asyncio.timeout(10):
            while not (dead := await app.ledger.dead()):
                await asyncio.sleep(0.01)
        assert dead[0].reason == "Chat not found"
        assert server.statistics().methods["sendMessage"] == 1
        bob.says(other, "Hello")
        await said(server, other, "Hello")


@pytest.mark.parametrize("caption", ["", "What is this?"])
async def test_a_file_that_is_too_large_is_answered_all_the_same(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, caption: str
) -> None:
    async with running(server, home):
        ann.sends(chat, "document", content=None, size=100_000_000, caption=caption)
        [answer] = await answers(server, chat, 1)
    assert "a file" in answer.text and caption in answer.text
    assert server.statistics().methods.get("getFile", 0) == 0


# -- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("   ", EMPTY),
        ("\n\n\t", EMPTY),
        ("\u200b", EMPTY),
        ("e\u0301\u0302\u0303", "e\u0301\u0302\u0303"),
        ("\u202eturned round", "\u202eturned round\u202c"),
        ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
    ],
)
async def test_odd_texts_are_answered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, text: str, answer: str
) -> None:
    async with running(server, home):
        ann.says(chat, text)
        await said(server, chat, answer)
        ann.says(chat, "/help")
        await answers(server, chat, 2)


async def test_one_letter_with_more_marks_than_a_message_holds_is_answered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "e" + "\u0301" * 4095)
        await server.wait_until(lambda: "".join(server.screen.from_bots(chat)).count("\u0301") == 4095)


# -- a database that cannot be written ----------------------------------------------------------------------


async def test_while_the_database_is_locked_nothing_is_acknowledged_and_afterwards_everything_answered(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "one")
        await said(server, chat, "one")
        waiting = server.world.bots[server.token].updates
        await server.wait_until(lambda: not waiting.pending)
        lock = sqlite3.connect(home / "parley.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            ann.says(chat, "two")
            with pytest.raises(TimeoutError):
                await server.wait_until(lambda: len(server.screen.from_bots(chat)) > 1, seconds=2)
            assert len(waiting.pending) == 1
        finally:
            lock.execute("ROLLBACK")
            lock.close()
        await said(server, chat, "one", "two")


@pytest.mark.parametrize("method", ["accept", "finish", "delivered"])
async def test_a_full_disk_delays_the_answer_and_does_not_double_it(
    server: BotApiServer,
    ann: Person,
    chat: Chat,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    fast = FastTime(UTC, speed=20)
    let_fail_twice(monkeypatch, method)
    async with running(server, home, clock=fast, sleep=fast.sleep):
        ann.says(chat, "one")
        await said(server, chat, "one")
        ann.says(chat, "two")
        await said(server, chat, "one", "two")
    assert [record.levelno for record in caplog.records if "full" in record.getMessage() + str(record.exc_info)]
    assert max(record.levelno for record in caplog.records) >= logging.WARNING


async def test_a_full_disk_delays_the_second_part_of_an_answer_and_does_not_double_it(
    server: BotApiServer,
    ann: Person,
    chat: Chat,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first part is kept with the beginning of its attempt; that of the second is written by itself."""
    fast, text = FastTime(UTC, speed=20), " ".join(f"word{number}" for number in range(800))
    let_fail_twice(monkeypatch, "attempt")
    async with running(server, home, clock=fast, sleep=fast.sleep):
        ann.says(chat, text)
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) >= 2)
        ann.says(chat, "two")
        await server.wait_until(lambda: server.screen.from_bots(chat)[-1] == "two")
    assert " ".join(server.screen.from_bots(chat)) == f"{text} two"
    assert [record.levelno for record in caplog.records if "full" in str(record.exc_info)]


def let_fail_twice(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Twice the disk is full when the ledger does that."""
    works, failures = getattr(SqlLedger, method), iter(range(2))

    async def fails_twice(*arguments: Any, **options: Any) -> Any:
        if next(failures, None) is not None:
            raise StorageError("storage.full", place="parley.db", problem="database or disk is full")
        return await works(*arguments, **options)

    monkeypatch.setattr(SqlLedger, method, fails_twice)
