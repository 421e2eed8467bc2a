"""Lines that come through a pipe or a file, read while something else goes on; knows nothing of what they say."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator

CHUNK_BYTES = 65536
WAITING_LINES = 64
"""Lines that are read ahead of the one that is being dealt with."""


async def read_lines(descriptor: int) -> AsyncGenerator[bytes, None]:
    """The lines of a pipe or file without their ends; signals are heard while it waits.

    A thread of its own reads, since neither pipes on Windows nor files can be waited for in the event loop.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_LINES)

    def put(line: bytes | None) -> None:
        asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    def read() -> None:
        rest: list[bytes] = []
        try:
            while chunk := os.read(descriptor, CHUNK_BYTES):
                *whole, last = chunk.split(b"\n")
                for line in whole:
                    put(b"".join([*rest, line]).removesuffix(b"\r"))
                    rest.clear()
                rest.append(last)
            if any(rest):
                put(b"".join(rest))
        finally:
            put(None)

    threading.Thread(target=read, daemon=True, name="stdin").start()
    while (line := await lines.get()) is not None:
        yield line
