"""The two bots that are compared, each a process of its own: `python -m benchmarks.channel_sides SIDE URL TOKEN HOME`.

`parley` is the program with its real adapter and a real database on disk, a model that repeats what was said, and no
limits of its own on what it sends. `bare` is an echo bot as users of python-telegram-bot write it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from bot.channel import Budget
from bot.config import Configuration, load

CONFIGURATION = """
[model]
name = "echo"
generator = "echo"
context_length = 512

[access]
mode = "open"
messages_per_minute = {messages_per_minute}

[channels.telegram]
token = "{token}"
base_url = "{url}/bot"
"""
END_SECONDS = 20


# -- the processes ------------------------------------------------------------------------------------------


async def run_parley(url: str, token: str, home: Path, messages_per_minute: int) -> None:
    """The program with one channel, until it is cancelled."""
    from adapters.telegram.adapter import TelegramAdapter
    from bot.app import open_app
    from bot.channels import ChannelPlan, run_channels

    class Unlimited(TelegramAdapter):
        def __init__(self, config: Any, *, name: str, home: Path) -> None:
            super().__init__(config, name=name, home=home)
            self.capabilities = replace(
                self.capabilities, account_budget=Budget(), private_budget=Budget(), group_budget=Budget()
            )

    configuration = _configured(url, token, home, messages_per_minute)
    config = Unlimited.Config.model_validate(configuration.settings.channels["telegram"])
    plan = ChannelPlan("telegram", lambda: Unlimited(config, name="telegram", home=home))
    async with open_app(configuration) as app:
        running = asyncio.create_task(run_channels([plan], app, configuration))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait([running])


def _configured(url: str, token: str, home: Path, messages_per_minute: int) -> Configuration:
    file = home / "parley.toml"
    file.write_text(CONFIGURATION.format(url=url, token=token, messages_per_minute=messages_per_minute))
    return load(file, environment={"PARLEY_HOME": str(home)})


def run_bare(url: str, token: str) -> None:
    """An echo bot of python-telegram-bot, until it is told to end."""
    from telegram import Update
    from telegram.ext import Application, ContextTypes, MessageHandler, filters

    async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message and update.message.text
        await update.message.reply_text(update.message.text)

    application = Application.builder().token(token).base_url(f"{url}/bot").concurrent_updates(True).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling()


# -- as the benchmark sees them -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, running."""

    name: str
    token: str
    process: psutil.Popen

    def cpu_seconds(self) -> float:
        """What it has computed so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident_mib(self) -> float:
        """Its memory."""
        return float(self.process.memory_info().rss) / 2**20


@asynccontextmanager
async def side(name: str, url: str, token: str, home: Path, *, messages_per_minute: int = 0) -> AsyncIterator[Side]:
    """One side, talking to the server at `url`, until the block ends.

    Args:
        name: parley or bare.
        url: of the Bot API server.
        token: of its bot.
        home: its folder.
        messages_per_minute: of one person; 0 is no limit.
    """
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 # before anything runs
    command = [sys.executable, "-m", "benchmarks.channel_sides", name, url, token, str(home), str(messages_per_minute)]
    process = psutil.Popen(command)
    try:
        yield Side(name, token, process)
    finally:
        process.terminate()
        # the server must go on while they say goodbye
        await asyncio.to_thread(_end, process)


def _end(process: psutil.Popen) -> None:
    try:
        process.wait(END_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Be one side."""
    name, url, token, home, messages_per_minute = sys.argv[1:]
    if name == "bare":
        run_bare(url, token)
    else:
        asyncio.run(run_parley(url, token, Path(home), int(messages_per_minute)))


if __name__ == "__main__":
    main()
