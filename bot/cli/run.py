"""`parley run`: the configured channels, until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.config import Configuration
from bot.errors import ModelError
from bot.texts import Texts, system_language

if TYPE_CHECKING:
    from bot.channels import ChannelPlan

COMINGS_AND_GOINGS = "bot.channels"
"""The log that tells when a channel connects: people wait for that, so it is shown unless a level is chosen."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    told = Texts(system_language()).get
    parser.add_argument("channels", nargs="*", metavar="CHANNEL", help=told("channels.help_channels"))


def run(arguments: argparse.Namespace) -> int:
    """Run the channels; the exit status."""
    from bot.channels import plan_channels

    plans = plan_channels(arguments.configuration, tuple(arguments.channels))
    if "log.level" not in arguments.configuration.origins:
        logging.getLogger(COMINGS_AND_GOINGS).setLevel(logging.INFO)
    return asyncio.run(_run(plans, arguments.configuration, arguments.texts))


async def _run(plans: list[ChannelPlan], configuration: Configuration, texts: Texts) -> int:
    from bot.app import open_app
    from bot.channels import run_channels

    async with open_app(configuration) as app:
        print(texts.get("channels.running", names=", ".join(plan.name for plan in plans)), flush=True)
        _check_model(configuration, texts)
        running = asyncio.create_task(run_channels(plans, app, configuration))
        with _stopping(running, texts):
            try:
                return 0 if await running else 1
            except asyncio.CancelledError:
                print(texts.get("channels.stopped"), flush=True)
                return 0


def _check_model(configuration: Configuration, texts: Texts) -> None:
    """Say at once what people would otherwise be told one by one."""
    from bot.app import resolve_model

    try:
        resolve_model(configuration, configuration.settings.model.name)
    except ModelError as error:
        print(f"parley: {error.told(texts)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stopping(task: asyncio.Task[bool], texts: Texts) -> Iterator[None]:
    """SIGTERM and Ctrl-C let everything end in order; a second one ends it at once, which loses nothing either."""
    loop = asyncio.get_running_loop()

    def end(number: int, _: object) -> None:
        os._exit(128 + number)

    def stop(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        print(texts.get("channels.stopping"), flush=True)
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
