"""`parley chat`: talk in the terminal, ask once, or answer each line of the input."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.alarm import LOOK_SECONDS
from bot.app import App, clock_of, open_app
from bot.clock import Clock
from bot.config import Configuration
from bot.errors import ConfigurationError, ModelError, ParleyError
from bot.generation.catalog import load_catalogue
from bot.generation.resolve import ECHO
from bot.texts import Texts
from bot.types import Address, Conversation, Person

if TYPE_CHECKING:
    from adapters.console import ConsoleAdapter

ADDRESS = Address("console", "local")
ASIDE = Address("console", "local", thread="aside")
"""Where the conversations of scripts lie, so that `/conversations` lists only those that a person began."""
PERSON = Person("local")
SHORT_TEXT_BYTES = 2000
SHORT_CONTEXT_TOKENS = 2048
"""What one reply to a short text needs; a larger context would cost memory for nothing."""
EXIT_FAILED = 1
EXIT_TERMINATED = 128 + signal.SIGTERM


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from bot.texts import system_language

    told = Texts(system_language()).get
    parser.add_argument("text", nargs="*", metavar="TEXT", help=told("console.help_text"))
    parser.add_argument("--json", action="store_true", help=told("console.help_json"))
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--new", action="store_true", help=told("console.help_new"))
    which.add_argument("--continue", dest="go_on", action="store_true", help=told("console.help_continue"))
    which.add_argument("--conversation", metavar="NAME", help=told("console.help_conversation"))
    parser.add_argument("--now", metavar="ISO", help=told("console.help_now"))
    parser.add_argument("--tz", metavar="ZONE", help=told("console.help_tz"))


def run(arguments: argparse.Namespace) -> int:
    """Talk; the exit status."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    talk = _plain if arguments.text or not _is_terminal() or arguments.json else _interactive
    task = asyncio.ensure_future(talk(arguments))
    with _ended_by(task) as ended:
        try:
            return await task
        except asyncio.CancelledError:
            if signal.SIGTERM in ended:
                return EXIT_TERMINATED
            if signal.SIGINT in ended:
                raise KeyboardInterrupt from None
            return 0  # the person left in the middle of a reply


@contextlib.contextmanager
def _ended_by(task: asyncio.Future[int]) -> Iterator[set[signal.Signals]]:
    """Cancel the task at SIGTERM, and at SIGINT where nothing else takes it; tells which came."""
    loop, ended = asyncio.get_running_loop(), set[signal.Signals]()

    def end(number: int, frame: object) -> None:
        ended.add(signal.Signals(number))
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _plain(arguments: argparse.Namespace) -> int:
    from adapters.plain import PlainAdapter, Speaker

    text = " ".join(arguments.text)
    configuration: Configuration = arguments.configuration
    async with open_app(
        configuration,
        clock=_clock(arguments),
        warm=not text.startswith("/"),
        context_limit=SHORT_CONTEXT_TOKENS if 0 < len(text.encode()) <= SHORT_TEXT_BYTES else None,
    ) as app:
        conversation = await _conversation(app, arguments, fresh=None if arguments.go_on else ASIDE)
        adapter = PlainAdapter(
            partner=app.engine,
            texts=app.texts,
            speaker=Speaker(ADDRESS, PERSON, conversation.id, app.clock.now),
            output=sys.stdout,
            errors=sys.stderr,
            as_json=arguments.json,
        )
        good = await (adapter.answer(text) if text else adapter.answer_lines(sys.stdin.fileno()))
        return 0 if good else EXIT_FAILED


async def _interactive(arguments: argparse.Namespace) -> int:
    from importlib import metadata

    from adapters.console import ConsoleAdapter

    configuration: Configuration = arguments.configuration
    async with open_app(configuration, clock=_clock(arguments), channel_commands=ConsoleAdapter.commands) as app:
        conversation = await _conversation(app, arguments, fresh=ADDRESS if arguments.new else None)
        await app.engine.go_on_with(conversation)
        adapter = ConsoleAdapter(
            partner=app.engine,
            texts=app.texts,
            address=ADDRESS,
            person=PERSON,
            now=app.clock.now,
            history_file=_history_file(configuration.home),
        )
        model = conversation.model or app.models.default
        adapter.remark(app.texts.get("console.welcome", version=metadata.version("parley"), model=model))
        if hint := _language_hint(configuration, model, app.texts):
            adapter.remark(hint)
        if conversation.head_id is not None:
            adapter.remark(app.texts.get("console.going_on", name=conversation.name))
        reminding = asyncio.create_task(_remind(app, adapter))
        try:
            await adapter.run()
        finally:
            reminding.cancel()
            await asyncio.wait([reminding])
    return 0


async def _remind(app: App, adapter: ConsoleAdapter) -> None:
    """Show what is due, then remember that: a terminal that is closed meanwhile shows it once more."""
    alarm = app.alarm(ADDRESS.channel, ADDRESS.account)
    while True:
        try:
            for ring in await alarm.rings():
                await adapter.tell(ring.text)
                await alarm.reminders.settle(ring.settled, at=alarm.clock.now())
        except ParleyError as error:
            adapter.remark(error.told(app.texts))
        await asyncio.sleep(LOOK_SECONDS)


def _language_hint(configuration: Configuration, model: str, texts: Texts) -> str:
    """A word on a model that hardly knows the person's language; empty where it does, or where nobody can say."""
    section = configuration.settings.model
    if section.base_url or section.generator == ECHO:  # then something else answers than the model of that name
        return ""
    try:
        entry = load_catalogue(configuration.models_folder).find(model)
    except ModelError:
        return ""
    if entry is None or not entry.languages or texts.language in entry.languages:
        return ""
    return texts.get("console.foreign_model", model=entry.name)


async def _conversation(app: App, arguments: argparse.Namespace, *, fresh: Address | None) -> Conversation:
    """The conversation to talk in: the named one, else a new one at `fresh`, else the one that the person left."""
    if arguments.conversation:
        return await app.engine.open_conversation(ADDRESS, arguments.conversation)
    if fresh:
        return await app.engine.open_conversation(fresh)
    return await app.engine.current_conversation(ADDRESS)


def _clock(arguments: argparse.Namespace) -> Clock:
    """The clock of this run, as `--now` and `--tz` set it.

    Raises:
        ConfigurationError: one of them cannot be understood.
    """
    clock = clock_of(arguments.configuration)
    if arguments.tz:
        try:
            clock = Clock(ZoneInfo(arguments.tz))
        except (KeyError, ValueError, OSError):
            raise ConfigurationError("console.bad_zone", value=arguments.tz) from None
    if arguments.now:
        try:
            clock = Clock.at(datetime.fromisoformat(arguments.now), clock.zone)
        except ValueError:
            raise ConfigurationError("console.bad_now", value=arguments.now) from None
    return clock


def _history_file(home: Path) -> Path:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / "console_history"


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
