"""Updates over real sockets: none is lost, whatever goes wrong between Telegram, the adapter and the store."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import aiohttp
import pytest

from adapters.telegram.adapter import TelegramAdapter
from bot.channel import UpdateKind
from bot.errors import ChannelError, Rejected, Unreachable
from tests.adapters.telegram.scripted import Pauses, ScriptedIntake, adapter_for, running
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Drop, Fail, Flood, Refuse, Truncate, UpdateFault
from tests.servers.bot_api_people import Person

# -- polling ------------------------------------------------------------------------------------------------


async def test_what_waited_before_the_start_arrives_in_order(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    for text in ("one", "two", "three"):
        ann.says(chat, text)
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: len(intake.updates) == 3)
        ann.says(chat, "four")
        await intake.until(lambda: len(intake.updates) == 4)
    assert intake.texts == ["one", "two", "three", "four"]


async def test_a_clean_stop_confirms_what_was_kept(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    ann.says(chat, "one")
    first, second = ScriptedIntake(), ScriptedIntake()
    async with running(adapter_for(server), first):
        await first.until(lambda: first.updates)
    ann.says(chat, "two")
    async with running(adapter_for(server), second):
        await second.until(lambda: second.updates)
    assert (first.texts, second.texts) == (["one"], ["two"])


async def test_what_cannot_be_stored_is_not_confirmed_and_tried_again(
    server: BotApiServer, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    ann.says(server.chat_private(ann), "Hello")
    intake, pauses = ScriptedIntake(failures=3), Pauses()
    async with running(adapter_for(server, sleep=pauses), intake):
        await intake.until(lambda: intake.updates)
        assert pauses.seconds == [1, 2, 4]
    assert intake.texts == ["Hello"]
    assert [record.getMessage().count("locked") for record in caplog.records] == [1]


async def test_what_was_never_stored_waits_for_the_next_start(server: BotApiServer, ann: Person) -> None:
    ann.says(server.chat_private(ann), "Hello")
    broken, intake = ScriptedIntake(failures=1_000_000), ScriptedIntake()
    async with running(adapter_for(server), broken):
        await server.wait_until(lambda: server.statistics().updates[7_000_001].get("handed out"))
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
    assert (broken.texts, intake.texts) == ([], ["Hello"])


async def test_polling_survives_a_bad_connection(server: BotApiServer, ann: Person) -> None:
    faults = (Fail(502), Fail(500), Drop(), Drop(after_execution=True), Truncate(), Flood(7))
    server.faults.next("GetUpdates", *faults)
    ann.says(server.chat_private(ann), "Hello")
    intake, pauses = ScriptedIntake(), Pauses()
    async with running(adapter_for(server, sleep=pauses), intake):
        await intake.until(lambda: intake.updates)
    assert intake.texts == ["Hello"]
    assert pauses.seconds == [1, 2, 4, 8, 16, 30]


async def test_a_flood_is_waited_out(server: BotApiServer, ann: Person) -> None:
    server.faults.next("GetUpdates", Flood(7))
    ann.says(server.chat_private(ann), "Hello")
    intake, pauses = ScriptedIntake(), Pauses()
    async with running(adapter_for(server, sleep=pauses), intake):
        await intake.until(lambda: intake.updates)
    assert pauses.seconds == [7]


async def test_updates_out_of_order_and_twice_all_arrive(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    intake = ScriptedIntake()
    server.faults.next_update(UpdateFault.OUT_OF_ORDER, None, UpdateFault.DUPLICATE)
    async with running(adapter_for(server), intake):
        for text in ("one", "two", "three"):
            ann.says(chat, text)
            await intake.until(lambda text=text: text in intake.texts)  # type: ignore[misc]  # bound at once
    assert set(intake.texts) == {"one", "two", "three"}


async def test_an_update_that_cannot_be_read_does_not_hold_up_the_others(
    server: BotApiServer, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    chat = server.chat_private(ann)
    server.malformed(chat, ann)
    ann.says(chat, "Still there?")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: "Still there?" in intake.texts)
    assert all(isinstance(update.message.text, str) for update in intake.updates)
    assert "cannot be read" in caplog.text


async def test_a_webhook_that_is_set_is_taken_away_without_losing_updates(server: BotApiServer, ann: Person) -> None:
    bot = server.world.bots[server.token]
    bot.updates.set_webhook("http://127.0.0.1:9/", secret="", max_connections=1)
    ann.says(server.chat_private(ann), "Hello")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
    assert intake.texts == ["Hello"]
    assert bot.updates.webhook is None


async def test_a_second_receiver_is_told_of_once_a_minute(
    server: BotApiServer, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    conflict = Refuse(
        409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    server.faults.next("GetUpdates", conflict, conflict, conflict)
    ann.says(server.chat_private(ann), "Hello")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
    assert caplog.text.count("Another program receives this bot's updates") == 1


async def test_nothing_is_lost_and_the_order_kept_while_much_goes_wrong(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    rates = {"drop_before": 0.1, "drop_after": 0.1, "bad_gateway": 0.1, "flood": 0.1, "truncated": 0.1}
    server.faults.random(seed=7, rates=rates, methods=["GetUpdates"])
    said = [f"message {number}" for number in range(100)]
    intake = ScriptedIntake(failures=5)
    async with running(adapter_for(server), intake):
        for text in said:
            ann.says(chat, text)
            await intake.until(lambda text=text: text in intake.texts)  # type: ignore[misc]  # bound at once
    assert list(dict.fromkeys(intake.texts)) == said
    assert server.faults.happened.total() > 10


@pytest.mark.parametrize("refusal", [Refuse(401, "Unauthorized"), Refuse(403, "Forbidden: bot was deleted")])
async def test_a_token_that_is_revoked_ends_it(server: BotApiServer, refusal: Refuse) -> None:
    server.faults.next("GetUpdates", refusal)
    async with adapter_for(server) as adapter:
        with pytest.raises(Rejected, match="@BotFather"):
            await adapter.run(ScriptedIntake())


# -- entering -----------------------------------------------------------------------------------------------


async def test_the_account_is_the_bots_id(server: BotApiServer) -> None:
    async with adapter_for(server) as adapter:
        assert adapter.account == "7000001"


async def test_a_wrong_token_is_refused_with_advice_and_not_quoted(server: BotApiServer) -> None:
    with pytest.raises(Rejected, match="@BotFather") as told:
        async with adapter_for(server, token="secret-without-number"):
            pass
    assert "secret" not in str(told.value) + repr(told.value.__context__ if not told.value.__suppress_context__ else "")


@pytest.mark.parametrize("fault", [Drop(), Fail(502)])
async def test_a_telegram_that_does_not_answer_is_unreachable(server: BotApiServer, fault: Drop | Fail) -> None:
    server.faults.next("getMe", fault)
    with pytest.raises(Unreachable, match="cannot be reached"):
        async with adapter_for(server):
            pass


async def test_no_server_at_all_is_unreachable() -> None:
    config = TelegramAdapter.Config.model_validate({"token": "1:x", "base_url": f"http://127.0.0.1:{free_port()}/bot"})
    with pytest.raises(Unreachable, match="cannot be reached"):
        async with TelegramAdapter(config, home=Path()):
            pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_neither_token_nor_what_people_write_is_logged(
    server: BotApiServer, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.faults.next("GetUpdates", Truncate(), Drop(), Fail(502))
    ann.says(server.chat_private(ann), "my little secret")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
    assert "tried again" in caplog.text
    assert "little secret" not in caplog.text
    assert server.token not in caplog.text


# -- webhook ------------------------------------------------------------------------------------------------


async def test_a_webhook_brings_updates_in_order_and_keeps_those_that_cannot_be_stored(
    server: BotApiServer, ann: Person
) -> None:
    chat = server.chat_private(ann)
    ann.says(chat, "one")
    intake = ScriptedIntake(failures=2)
    async with running(adapter_for(server, webhook_url=f"http://127.0.0.1:{free_port()}/telegram"), intake):
        ann.says(chat, "two")
        await intake.until(lambda: len(intake.updates) == 2)
    assert intake.texts == ["one", "two"]


async def test_a_webhook_does_not_stumble_over_what_it_cannot_read(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    server.malformed(chat, ann)
    ann.says(chat, "Still there?")
    intake = ScriptedIntake()
    async with running(adapter_for(server, webhook_url=f"http://127.0.0.1:{free_port()}/"), intake):
        await intake.until(lambda: "Still there?" in intake.texts)


async def test_setting_the_webhook_is_tried_again(server: BotApiServer, ann: Person) -> None:
    server.faults.next("setWebhook", Fail(502), Flood(3))
    ann.says(server.chat_private(ann), "Hello")
    intake, pauses = ScriptedIntake(), Pauses()
    async with running(adapter_for(server, sleep=pauses, webhook_url=f"http://127.0.0.1:{free_port()}/"), intake):
        await intake.until(lambda: intake.updates)
    assert pauses.seconds == [1, 3]


async def test_only_telegram_is_let_in(server: BotApiServer, ann: Person) -> None:
    url = f"http://127.0.0.1:{free_port()}/telegram"
    intake = ScriptedIntake()
    async with running(adapter_for(server, webhook_url=url), intake), aiohttp.ClientSession() as web:
        bot = server.world.bots[server.token]
        hook = await server.wait_until(lambda: bot.updates.webhook)
        assert hook
        header = {"X-Telegram-Bot-Api-Secret-Token": hook.secret}

        async def status(method: str, body: bytes, **headers: str) -> int:
            async with web.request(
                method, url, data=body, headers={"Content-Type": "application/json", **headers}
            ) as r:
                return r.status

        assert len(hook.secret) >= 32
        assert hook.secret not in server.token
        assert await status("POST", b"{}") == 403
        assert await status("POST", b"{}", **{"X-Telegram-Bot-Api-Secret-Token": "guess"}) == 403
        assert await status("GET", b"", **header) == 405
        assert await status("POST", b"{}", **header, **{"Content-Type": "text/plain"}) == 415
        assert await status("POST", b"{not json", **header) == 400
        assert await status("POST", b"[1, 2]", **header) == 400
        assert await status("POST", b" " * 1_000_001, **header) == 413
        assert await status("POST", b'{"update_id": 1}', **header) == 200
    assert intake.updates == []


async def test_the_secret_stays_the_same_over_restarts(server: BotApiServer) -> None:
    bot, secrets = server.world.bots[server.token], set()
    for _ in range(2):
        async with running(adapter_for(server, webhook_url=f"http://127.0.0.1:{free_port()}/"), ScriptedIntake()):
            hook = await server.wait_until(lambda: bot.updates.webhook)
            assert hook
            secrets.add(hook.secret)
        bot.updates.webhook = None
    assert len(secrets) == 1


async def test_a_port_that_is_taken_is_told(server: BotApiServer) -> None:
    port = server.url.rpartition(":")[2]
    async with adapter_for(server, webhook_url="https://example.org/", webhook_listen=f"127.0.0.1:{port}") as adapter:
        with pytest.raises(ChannelError, match=f"127.0.0.1:{port}"):
            await adapter.run(ScriptedIntake())


# -- buttons and reactions ----------------------------------------------------------------------------------


async def test_reactions_are_asked_for(server: BotApiServer, ann: Person) -> None:
    chat = server.chat_private(ann)
    message = ann.says(chat, "Hello")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
        ann.reacts(chat, message, "🔥")
        await intake.until(lambda: len(intake.updates) == 2)
    assert intake.updates[-1].kind is UpdateKind.REACTION
