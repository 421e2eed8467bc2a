"""A disk that is full while people write: nothing is acknowledged that is not kept, and nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import pytest

from tests.channels.fast import FastTime
from tests.channels.running import running, write_configuration
from tests.channels.screen_rules import judge, question
from tests.cli.program import PARLEY, environment
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

WORDS = 300
"""Of a question: it does not fit where the database has room left over."""


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A data folder on a file system of three megabytes; skipped where this user may not mount one."""
    home.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(home)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only an administrator may mount a file system")
    try:
        yield home
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room there; what takes it away is the file that this gives."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass
    return ballast


class Talk:
    """Ann writes one question after the other."""

    def __init__(self, server: BotApiServer, ann: Person, chat: Chat) -> None:
        self.server, self.ann, self.chat = server, ann, chat
        self.asked: list[str] = []

    def ask(self) -> None:
        self.asked.append(question(len(self.asked), WORDS))
        self.ann.says(self.chat, self.asked[-1])

    def is_answered(self) -> bool:
        shown = "\n".join(self.server.screen.from_bots(self.chat))
        return all(text in shown for text in self.asked) and not judge(self.server, self.chat, self.asked)

    async def answered(self, *, seconds: float = 30) -> None:
        """Wait until everything is, as it should be."""
        try:
            await self.server.wait_until(self.is_answered, seconds=seconds)
        except TimeoutError:
            raise AssertionError(judge(self.server, self.chat, self.asked)) from None


async def test_what_a_full_disk_does_not_hold_stays_with_the_platform_and_is_answered_once_there_is_room(
    server: BotApiServer, ann: Person, chat: Chat, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told, fast = "Receiving from Telegram is tried again: The disk is full", FastTime(UTC, speed=20)
    talk, waiting = Talk(server, ann, chat), server.bot(server.token).updates
    async with running(server, small_disk, clock=fast, sleep=fast.sleep) as app:
        talk.ask()
        await talk.answered()
        ballast = fill(small_disk)
        async with asyncio.timeout(30):
            while told not in caplog.text:
                talk.ask()
                while not talk.is_answered() and told not in caplog.text:
                    await asyncio.sleep(0.01)
        talk.ask()
        kept = {arrival.update.message.text for arrival in await app.ledger.arrivals()}
        assert talk.asked[-1] not in kept and len(waiting.pending) >= 2
        ballast.unlink()
        await talk.answered()
    assert "is tried again" in caplog.text and not waiting.pending


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of another process")
async def test_a_program_whose_files_may_not_grow_loses_nothing_and_says_what_is_wrong(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    import resource

    write_configuration(server, home)
    program = await asyncio.create_subprocess_exec(PARLEY, "run", stdout=DEVNULL, stderr=PIPE, env=environment())
    talk, log = Talk(server, ann, chat), ""
    assert program.stderr

    _, most = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size, most))

    try:
        talk.ask()
        await talk.answered()
        limit(max(path.stat().st_size for path in home.iterdir()))
        talk.ask()
        async with asyncio.timeout(30):
            while "Receiving from Telegram is tried again: " not in log:
                if talk.is_answered():
                    talk.ask()
                with suppress(TimeoutError):
                    log += (await asyncio.wait_for(program.stderr.readline(), 0.1)).decode()
        assert "The disk failed while" in log
        limit(most)
        await talk.answered()
    finally:
        program.send_signal(signal.SIGINT)
        await program.communicate()
