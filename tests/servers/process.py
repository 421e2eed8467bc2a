"""A server in a process of its own, which can be killed in the middle of a sentence."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Self

START_SECONDS = 90


class ServerProcess:
    """Enter it, and the server listens at `url`.

    Args:
        command: what to run.
        ready: matches the line of its output that says it listens; group 1 is the address.
        environment: variables on top of the test's own.
    """

    def __init__(self, command: Sequence[str], *, ready: str, environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._ready = re.compile(ready)
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._listening = threading.Event()
        self.output: list[str] = []
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(START_SECONDS) or not self.url:
            self.kill()
            raise RuntimeError("the server did not start:\n" + "\n".join(self.output[-40:]))
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _read(self) -> None:
        """Follow the output, so that the process never waits for a reader."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line.rstrip())
            if not self.url and (match := self._ready.search(line)):
                self.url = match[1]
                self._listening.set()
        self._listening.set()
