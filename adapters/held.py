"""Places that a platform holds for answers, each with a token that is good for a while. Knows no platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

SIGN = "@"
"""Begins their handles, and no id of a message."""


class Held(NamedTuple):
    """A place, or a message that was sent with its token."""

    person: str
    """Who alone reads it; empty is everybody."""
    token: str
    message: str = ""
    """Empty is the first one, which takes the place."""

    @property
    def handle(self) -> str:
        """What stands for it where an id of a message is expected."""
        return SIGN + "/".join(self)


def held(handle: str) -> Held | None:
    """The place that a handle stands for; None where it is the id of a message."""
    return Held(*handle.removeprefix(SIGN).split("/")) if handle.startswith(SIGN) else None


class Holding:
    """The places that are only just going to be held: what is to stand there waits for that."""

    def __init__(self) -> None:
        self._begun: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def begin(self, place: Held) -> AsyncIterator[None]:
        """While the block runs, the place is not held yet."""
        self._begun[place.token] = asyncio.Event()
        try:
            yield
        finally:
            self._begun.pop(place.token).set()

    async def wait(self, place: Held) -> None:
        """Return once it is held, or surely will not be."""
        if begun := self._begun.get(place.token):
            await begun.wait()
