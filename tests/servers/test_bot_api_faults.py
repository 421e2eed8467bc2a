"""The Bot API server's unreliable side: polling, webhooks, faults, and a process that outlives the bot."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import telegram
from aiohttp import web
from telegram.error import BadRequest, Conflict, NetworkError, RetryAfter, TelegramError

from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_client import client, updates
from tests.servers.bot_api_control import Remote
from tests.servers.bot_api_faults import (
    EVERY,
    Delay,
    Drop,
    Fail,
    Fault,
    Flood,
    Refuse,
    Truncate,
    UpdateFault,
    malformed_updates,
)
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat
from tests.servers.process import ServerProcess

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the library warns about every RetryAfter."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer() as running:
        yield running


@pytest.fixture
async def bot(server: BotApiServer) -> AsyncIterator[telegram.Bot]:
    async with client(server) as running:
        yield running


@pytest.fixture
def ann(server: BotApiServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def chat(server: BotApiServer, ann: Person) -> Chat:
    return server.chat_private(ann)


# -- getUpdates ---------------------------------------------------------------------------------------------


async def test_an_offset_confirms_and_a_negative_one_keeps_the_last(bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    for text in ("one", "two", "three", "four"):
        ann.says(chat, text)
    first = await bot.get_updates(limit=2, timeout=0)
    assert len(first) == 2
    assert await bot.get_updates(limit=2, timeout=0) == first
    rest = await bot.get_updates(offset=first[0].update_id + 1, timeout=0)
    assert [update.message.text for update in rest if update.message] == ["two", "three", "four"]
    last = await bot.get_updates(offset=-1, timeout=0)
    assert [update.message.text for update in last if update.message] == ["four"]
    assert await bot.get_updates(timeout=0) == last


async def test_only_the_kinds_that_were_asked_for_come(bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    await updates(bot, kinds=["edited_message"])
    ann.edits(chat, ann.says(chat, "one"), "two")
    assert [update.edited_message is not None for update in await updates(bot)] == [True]


async def test_a_poll_waits_for_the_update_and_the_older_of_two_gets_a_conflict(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_until(lambda: server.statistics().methods.get("getUpdates") == 1)
    async with client(server) as other:
        newer = asyncio.create_task(other.get_updates(timeout=30))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await older
        ann.says(chat, "Hello")
        assert [update.message.text for update in await newer if update.message] == ["Hello"]


# -- webhooks -----------------------------------------------------------------------------------------------


class Receiver:
    """A bot's webhook: what came, and how it answers (`answers` first, then 200)."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []
        self.answers: list[web.Response] = []

    async def __aenter__(self) -> Receiver:
        application = web.Application()
        application.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        self.came.append((update["message"]["text"], secret))
        return self.answers.pop(0) if self.answers else web.Response()


async def test_a_webhook_gets_updates_in_order_with_the_secret_until_it_takes_them(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    async with Receiver() as receiver:
        receiver.answers = [web.Response(status=500), web.Response(status=503)]
        await bot.set_webhook(receiver.url, secret_token="open-sesame")
        for text in ("one", "two"):
            ann.says(chat, text)
        await server.wait_until(lambda: server.statistics().updates[bot.id].get("handed out") == 2)
        assert receiver.came == [(text, "open-sesame") for text in ("one", "one", "one", "two")]
        info = await bot.get_webhook_info()
        assert (info.url, info.pending_update_count) == (receiver.url, 0)
        assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
        with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
            await bot.get_updates(timeout=0)
        await bot.delete_webhook()
        assert await bot.get_updates(timeout=0) == ()


async def test_a_webhook_may_answer_with_a_method(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    async with Receiver() as receiver:
        receiver.answers = [web.json_response({"method": "sendMessage", "chat_id": ann.id, "text": "At once"})]
        await bot.set_webhook(receiver.url)
        ann.says(chat, "Hello")
        await server.wait_until(lambda: server.screen.from_bots(chat) == ["At once"])


async def test_setting_a_webhook_ends_the_waiting_poll(server: BotApiServer, bot: telegram.Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_until(lambda: server.statistics().methods.get("getUpdates") == 1)
    async with Receiver() as receiver, client(server) as other:
        await other.set_webhook(receiver.url)
        with pytest.raises(Conflict, match="terminated by setWebhook request"):
            await poll
    with pytest.raises(BadRequest, match="an https url must be provided"):
        await bot.set_webhook("http://example.org/hook")


# -- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "executed"),
    [
        (Drop(), NetworkError, False),
        (Drop(after_execution=True), NetworkError, True),
        (Flood(60), RetryAfter, False),
        (Flood(2, after_execution=True), RetryAfter, True),
        (Fail(500), NetworkError, False),
        (Fail(502), NetworkError, False),
        (Fail(502, after_execution=True), NetworkError, True),
        (Refuse(400, "Bad Request: chat not found"), BadRequest, False),
        (Truncate(), TelegramError, True),
    ],
)
async def test_a_fault_hits_one_call_before_or_after_it_was_executed(
    server: BotApiServer,
    bot: telegram.Bot,
    ann: Person,
    chat: Chat,
    fault: Fault,
    error: type[TelegramError],
    executed: bool,
) -> None:
    server.faults.next("sendMessage", fault)
    with pytest.raises(error):
        await bot.send_message(ann.id, "first")
    await bot.send_message(ann.id, "second")
    assert server.screen.from_bots(chat) == (["first", "second"] if executed else ["second"])
    assert server.statistics().faults == {type(fault).__name__.lower(): 1}


async def test_a_bad_gateway_is_html(server: BotApiServer) -> None:
    server.faults.next(EVERY, Fail(502))
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(f"{server.base_url}{server.token}/getMe")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (502, "text/html")


async def test_a_delay_may_come_after_the_message(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    server.faults.next("sendMessage", Delay(30, after_execution=True))
    sending = asyncio.create_task(bot.send_message(ann.id, "Seen", read_timeout=60))
    await server.wait_until(lambda: server.screen.from_bots(chat) == ["Seen"])
    assert not sending.done()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_the_same_seed_gives_the_same_faults(server: BotApiServer) -> None:
    def drawn(seed: int) -> list[Fault | None]:
        server.faults.random(seed=seed, rates={"drop_after": 0.3, "flood": 0.3}, methods=["sendMessage"])
        return [server.faults.pick("sendMessage") for _ in range(100)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {type(fault) for fault in drawn(1)} == {Drop, Flood, type(None)}
    assert server.faults.pick("getUpdates") is None
    with pytest.raises(ValueError, match="earthquake"):
        server.faults.random(seed=1, rates={"earthquake": 1})


async def test_updates_come_twice_renumbered_and_out_of_order(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    faults = (UpdateFault.DUPLICATE, UpdateFault.RENUMBERED, UpdateFault.OUT_OF_ORDER, None)
    server.faults.next_update(*faults)
    for text in ("twice", "renumbered", "late", "early"):
        ann.says(chat, text)
    heard: list[tuple[int, str | None]] = []
    first = 0
    while batch := await bot.get_updates(offset=first, limit=1, timeout=0):
        heard += [(update.update_id, update.message.text) for update in batch if update.message]
        first = batch[-1].update_id + 1
    start = heard[0][0]
    assert [(number - start, text) for number, text in heard] == [
        (0, "twice"),
        (0, "twice"),
        (1, "renumbered"),
        (2, "renumbered"),
        (4, "late"),
        (3, "early"),
    ]


async def test_malformed_updates_reach_the_bot_as_they_are(server: BotApiServer, ann: Person, chat: Chat) -> None:
    numbers = server.malformed(chat, ann)
    async with httpx.AsyncClient() as raw:
        answer = await raw.post(f"{server.base_url}{server.token}/getUpdates")
    came = {update.pop("update_id"): update for update in answer.json()["result"]}
    now = came[numbers[0]]["message"]["date"]
    assert list(came.values()) == list(malformed_updates(chat.wire(), ann.account.wire(), now).values())


async def test_parse_modes_are_counted(server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    await bot.send_message(ann.id, "<b>x</b>", parse_mode="HTML")
    assert server.statistics().parse_modes == 1


async def test_unknown_methods_and_values_that_are_no_json_are_refused(server: BotApiServer, chat: Chat) -> None:
    async with httpx.AsyncClient(base_url=f"{server.base_url}{server.token}/") as raw:
        assert (await raw.get("getWeather")).json() == {"ok": False, "error_code": 404, "description": "Not Found"}
        broken = await raw.post("SENDMESSAGE", data={"chat_id": chat.id, "text": "x", "entities": "[{"})
        assert broken.json()["description"] == "Bad Request: can't parse entities JSON object"
        number = await raw.post("sendMessage", json={"chat_id": chat.id, "text": "x", "entities": [{"type": "bold"}]})
        assert number.status_code == 400
        whole = await raw.post("sendMessage", json={"chat_id": chat.id, "text": "From JSON"})
        assert whole.json()["result"]["text"] == "From JSON"


# -- size, and a process of its own -------------------------------------------------------------------------


async def test_without_history_the_server_stays_flat() -> None:
    async with BotApiServer(keep_history=False) as server:
        ann = server.person()
        chat = server.chat_private(ann)
        queue = server.bot(server.token).updates

        def chatter(messages: int) -> int:
            for number in range(messages):
                ann.says(chat, f"message {number}")
                queue.pending.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = chatter(500)
            grown = chatter(2000) - before
        finally:
            tracemalloc.stop()
        assert grown < 100_000
        assert [message.text for message in server.screen(chat)][-1] == "message 1999"


def test_a_server_in_its_own_process_is_driven_by_its_control_api() -> None:
    command = [sys.executable, "-m", "tests.servers.bot_api", "--port", "0"]
    with ServerProcess(command, ready=r"listening on (\S+)", environment={"PYTHONPATH": str(ROOT)}) as process:
        remote = Remote(process.url)
        ann = remote("person", name="Ann")["person"]
        chat = remote("private", person=ann)
        token = remote("bot")["token"]
        remote("say", person=ann, chat=chat["chat"], text="/start")
        remote("faults", method="sendMessage", faults=[{"kind": "flood", "retry_after": 60}])
        assert _call(process.url, token, "sendMessage", chat_id=chat["id"], text="x")["parameters"] == {
            "retry_after": 60
        }
        keyboard = json.dumps({"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]})
        sent = _call(process.url, token, "sendMessage", chat_id=chat["id"], text="Hello", reply_markup=keyboard)
        assert remote("wait", chat=chat["chat"], contains="Hello")["texts"] == ["Hello"]
        remote("press", person=ann, chat=chat["chat"], message_id=sent["result"]["message_id"], button="Go")
        heard = _call(process.url, token, "getUpdates")["result"]
        assert [set(update) - {"update_id"} for update in heard] == [{"message"}, {"callback_query"}]
        assert remote("screen", chat=chat["chat"])["text"] == "Ann: /start\nParley: Hello <Go>"
        assert remote("statistics")["refusals"] == {"429": 1}
        with pytest.raises(RuntimeError, match="no control named dance"):
            remote("dance")


def _call(url: str, token: str, method: str, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(f"{url}/bot{token}/{method}", data=fields).json()
    return answer
