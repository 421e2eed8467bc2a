"""`parley init` adds a channel: what it asks, how it tries the token out, and that nobody sees it."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pexpect
import pytest

from bot.config import load
from tests.cli.program import PARLEY, environment, parley
from tests.servers.bot_api import TOKEN, BotApiServer

BASE_URL = "PARLEY_CHANNELS__TELEGRAM__BASE_URL"
WRONG = "7000009:mistyped-secret"


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer(tokens={TOKEN: "parley_test_bot"}) as server:
        yield server


async def initialize(server: BotApiServer, *answers: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Give the answers about the channel, after those about everything else."""
    given = "\n".join(["en", "", "", *answers, ""]).encode()
    return await asyncio.to_thread(parley, "init", given=given, variables={BASE_URL: server.base_url, **variables})


def token_in(file: Path) -> str | None:
    """What the file has as the token."""
    found: str | None = load(file, environment={}).settings.channels.get("telegram", {}).get("token")
    return found


async def test_a_good_token_is_kept_where_only_its_owner_can_read_it(server: BotApiServer, home: Path) -> None:
    done = await initialize(server, "telegram", TOKEN)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "The token is good: account @parley_test_bot." in said and "`parley run` answers on telegram" in said
    assert token_in(home / "parley.toml") == TOKEN
    assert stat.S_IMODE((home / "parley.toml").stat().st_mode) == 0o600
    assert "parley-test-token" not in said + done.stderr.decode()


async def test_a_refused_token_is_told_and_asked_for_again(server: BotApiServer, home: Path) -> None:
    done = await initialize(server, "telegram", WRONG, TOKEN)
    assert "Telegram does not accept the bot's token" in done.stdout.decode()
    assert "mistyped-secret" not in done.stdout.decode() + done.stderr.decode()
    assert token_in(home / "parley.toml") == TOKEN


async def test_where_nobody_can_be_asked_for_another_token_nothing_is_written(server: BotApiServer, home: Path) -> None:
    variables = {BASE_URL: server.base_url}
    given = f"en\n\n\ntelegram\n{WRONG}".encode()
    done = await asyncio.to_thread(parley, "init", given=given, variables=variables)
    assert done.returncode == 1 and b"does not accept the bot's token" in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("answers", [("none",), ("",), ("telegram", "")])
async def test_a_channel_can_be_left_out(server: BotApiServer, home: Path, answers: tuple[str, ...]) -> None:
    done = await initialize(server, *answers)
    assert done.returncode == 0
    assert load(home / "parley.toml", environment={}).settings.channels == {}
    assert "parley run" not in done.stdout.decode()


async def test_a_token_that_cannot_be_tried_out_is_kept_all_the_same(server: BotApiServer, home: Path) -> None:
    done = await initialize(server, "telegram", TOKEN, **{BASE_URL: "http://127.0.0.1:9/bot"})
    assert "could not be tried out: Telegram cannot be reached" in done.stdout.decode()
    assert token_in(home / "parley.toml") == TOKEN


async def test_a_channel_whose_token_is_a_variable_is_not_asked_about(server: BotApiServer, home: Path) -> None:
    done = await initialize(server, TELEGRAM_BOT_TOKEN=TOKEN, DISCORD_BOT_TOKEN=TOKEN)
    assert done.returncode == 0 and "Where should Parley answer" not in done.stdout.decode()


async def test_yes_asks_about_no_channel(home: Path) -> None:
    assert "Where should Parley answer" not in parley("init", "--yes").stdout.decode()
    assert load(home / "parley.toml", environment={}).settings.channels == {}


async def test_what_is_typed_as_the_token_is_not_shown(server: BotApiServer, home: Path) -> None:
    def talk() -> str:
        variables = environment(**{BASE_URL: server.base_url})
        with Path("shown.txt").open("w", encoding="utf-8") as shown:
            terminal = pexpect.spawn(PARLEY, ["init"], env=variables, encoding="utf-8", timeout=30)
            terminal.logfile_read = shown
            for question, answer in (("language", ""), ("model", ""), ("persona", ""), ("Where", "telegram")):
                terminal.expect(rf"{question}(?s:.)*?\n\[[^\n]+\] $")
                terminal.sendline(answer)
            terminal.expect_exact("Token")
            assert terminal.waitnoecho(10)
            terminal.sendline(TOKEN)
            terminal.expect(pexpect.EOF)
            terminal.close()
            assert terminal.exitstatus == 0
        return Path("shown.txt").read_text(encoding="utf-8")

    shown = await asyncio.to_thread(talk)
    assert "The token is good" in shown and "parley-test-token" not in shown
    assert token_in(home / "parley.toml") == TOKEN
