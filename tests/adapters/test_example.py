"""The example adapter keeps to the contract, is short, and carries whole conversations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.contract import AdapterContract, Platform
from bot.app import open_app
from bot.channels import plan_channels, run_channels
from bot.config import load
from tests.adapters.line_hub import TOKEN, LineHub

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "line_channel.py"
GUIDE = ROOT / "docs" / "writing-an-adapter.md"
CONFIGURATION = """
[model]
name = "echo"
generator = "echo"

[access]
mode = "open"

[channels.lines]
port = {port}
token = "{token}"
"""
ENTRY_POINT = """
[parley.adapters]
lines = docs.examples.line_channel:LineChannel
"""


class TestLineChannel(AdapterContract):
    @pytest.fixture
    async def platform(self) -> AsyncIterator[Platform]:
        async with LineHub() as hub:
            yield hub


@pytest.fixture
async def hub() -> AsyncIterator[LineHub]:
    async with LineHub() as hub:
        yield hub


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a package brings that has such an entry point."""
    about = tmp_path / "packages" / "parley_lines-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: parley-lines\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINT)
    monkeypatch.syspath_prepend(about.parent)


@asynccontextmanager
async def running(hub: LineHub, home: Path, *, token: str = TOKEN) -> AsyncIterator[asyncio.Task[bool]]:
    """The program with this channel, as `parley run` has it."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "parley.toml"
    file.write_text(CONFIGURATION.format(port=hub.port, token=token))
    configuration = load(file)
    async with open_app(configuration) as app:
        task = asyncio.create_task(run_channels(plan_channels(configuration), app, configuration))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.mark.usefixtures("installed")
async def test_questions_are_answered_and_edited_questions_anew(hub: LineHub, home: Path) -> None:
    async with running(hub, home):
        question = await hub.say("What is teh time?")
        await hub.until_shown("What is teh time?")
        await hub.edit(question, "What is the time?")
        await hub.until_shown("What is the time?")
        await hub.say("Thanks")
        await hub.until_shown("What is the time?", "Thanks")


@pytest.mark.usefixtures("installed")
async def test_what_was_said_while_nobody_listened_is_answered_later(hub: LineHub, home: Path) -> None:
    async with running(hub, home):
        await hub.say("one")
        await hub.until_shown("one")
    await hub.say("two")
    async with running(hub, home):
        await hub.until_shown("one", "two")


@pytest.mark.usefixtures("installed")
async def test_a_token_that_is_refused_ends_the_channel(hub: LineHub, home: Path) -> None:
    async with running(hub, home, token="wrong") as task:
        async with asyncio.timeout(10):
            assert await task is False


def test_the_example_stays_under_a_hundred_lines() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 100


def test_the_guide_shows_the_example_as_it_is() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in GUIDE.read_text(encoding="utf-8")
