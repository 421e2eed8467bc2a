"""The processes of the crash test: a platform that stays, and the program, which is killed and started again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from benchmarks.chaos_platforms import Platform
from benchmarks.chaos_program import ADAPTER, DIE_AT, DIE_ON

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
END_SECONDS = 40.0
OPEN_ARRIVALS = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
OPEN_PARCELS = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending', 'preview')"
DEAD_PARCELS = "SELECT count(*) FROM outbox WHERE state = 'dead'"


def _environment(**variables: str) -> dict[str, str]:
    foreign = ("PARLEY_", "TELEGRAM_", "DISCORD_", "OPENAI_", DIE_AT, DIE_ON, ADAPTER)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", **variables}


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[str]:
    """The address of a server that lives until the block ends."""
    command = [sys.executable, "-m", platform.server, "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        found = re.search(rb"http://\S+", line)
        if found is None:
            raise RuntimeError(f"the server of {platform.name} did not start")
        yield found[0].decode()
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


class Program:
    """`parley run` over one data folder, in one life after the other."""

    def __init__(self, folder: Path, platform: Platform, *, url: str, dies_on: str = "") -> None:
        self.home = folder / "home"
        self.log: deque[str] = deque(maxlen=20_000)
        """What it complained of: the end of it."""
        self.complaints = 0
        self._dies_on = dies_on
        self._config = folder / "parley.toml"
        filled = platform.configuration.format(url=url, websocket=url.replace("http", "ws", 1))
        self._config.write_text(filled, encoding="utf-8")
        self._adapter = platform.adapter
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_connected = asyncio.Event()

    async def start(self, *, die_at: str = "") -> None:
        """Begin a life; it may end itself (see chaos_program)."""
        deaths = {DIE_AT: die_at, DIE_ON: self._dies_on}
        variables = {"PARLEY_HOME": str(self.home), ADAPTER: self._adapter}
        variables |= {name: value for name, value in deaths.items() if value}
        command = [sys.executable, "-m", "benchmarks.chaos_program", "--config", str(self._config), "run"]
        self._is_connected.clear()
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=_environment(**variables),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            text = line.decode(errors="replace").rstrip()
            self.log.append(text)
            self.complaints += " ERROR " in text
            if "connected, as account" in text:
                self._is_connected.set()
        self._is_connected.set()

    async def until_connected(self) -> None:
        """Return when it is connected, or has ended."""
        await asyncio.wait_for(self._is_connected.wait(), START_SECONDS)

    async def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself in that time."""
        assert self._process is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
            return True
        return False

    async def kill(self) -> bool:
        """End it as a crash would; whether a signal had ended it at last, and not itself."""
        if self._process is None or self._reading is None:
            return True
        await _end(self._process)
        await self._reading
        self.log.append("-" * 20)
        return self._process.returncode == -signal.SIGKILL

    async def stop(self) -> bool:
        """Ask it to end; whether it did in good order."""
        assert self._process is not None
        self._process.terminate()
        has_ended = await self.ends_within(END_SECONDS)
        await self.kill()
        return has_ended and self._process.returncode == 0

    def count(self, query: str) -> int:
        """A figure from its database; 0 as long as there is none."""
        file = self.home / "parley.db"
        if not file.exists():
            return 0
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
            return int(connection.execute(query).fetchone()[0])
