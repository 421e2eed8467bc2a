"""A line before a generator that answers few requests at once: who waits is told their place, and how long it may take.

Requests beyond the generator's slots wait here, in order of arrival, instead of inside it, where nobody can see them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from math import ceil

from bot.protocols import Generator
from bot.types import GenerationEvent, Prompt, Queued, Sampling

NEWEST_SHARE = 0.3
"""How much the newest answer counts in the average of how long answers take."""


class Line:
    """The generator, with a line before it; everything else is the generator's own."""

    def __init__(self, generator: Generator, slots: int, *, now: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            generator: is asked at most `slots` times at once.
            slots: requests that it answers side by side.
            now: seconds of a clock that never goes back.
        """
        self._generator = generator
        self._free = slots
        self._slots = slots
        self._now = now
        self._waiting: deque[asyncio.Event] = deque()
        self._typical_seconds = 0.0

    @property
    def kind(self) -> str:
        """The generator's."""
        return self._generator.kind

    @property
    def model(self) -> str:
        """The generator's."""
        return self._generator.model

    @property
    def context_length(self) -> int:
        """The generator's."""
        return self._generator.context_length

    async def count(self, prompt: Prompt) -> int:
        """The generator's; it does not wait."""
        return await self._generator.count(prompt)

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]:
        """The generator's events, after one `Queued` for each change of place while it waits."""
        if self._free and not self._waiting:
            self._free -= 1
        else:
            async with aclosing(self._wait()) as places:
                async for place in places:
                    yield place
        started = self._now()
        try:
            async with aclosing(self._generator.stream(prompt, sampling)) as events:
                async for event in events:
                    yield event
        finally:
            self._learn(self._now() - started)
            self._leave()

    async def _wait(self) -> AsyncGenerator[Queued, None]:
        """Stand in line; ends when a slot is this request's own."""
        moved = asyncio.Event()
        self._waiting.append(moved)
        try:
            while moved in self._waiting:
                position = self._waiting.index(moved) + 1
                yield Queued(position, ceil(position / self._slots) * self._typical_seconds)
                await moved.wait()
                moved.clear()
        except BaseException:
            if moved in self._waiting:
                self._waiting.remove(moved)
                self._tell()
            else:  # the slot was given just as the request was dropped
                self._leave()
            raise

    def _leave(self) -> None:
        """Give the slot to whoever waits longest."""
        if self._waiting:
            self._waiting.popleft().set()
            self._tell()
        else:
            self._free += 1

    def _tell(self) -> None:
        for moved in self._waiting:
            moved.set()

    def _learn(self, seconds: float) -> None:
        share = NEWEST_SHARE if self._typical_seconds else 1.0
        self._typical_seconds += share * (seconds - self._typical_seconds)
