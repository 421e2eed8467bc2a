"""Polling for adapters: what came is kept before the next question confirms it. Knows no platform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from bot.channel import Intake, Update
from bot.errors import ChannelError
from bot.patience import Patience

CONFIRM_SECONDS = 5.0

Json = dict[str, Any]


async def poll(
    ask: Callable[[int, int], Awaitable[Sequence[Json]]],
    translate: Callable[[Json], Update | None],
    intake: Intake,
    patience: Patience,
    *,
    number: str,
    wait_seconds: int,
) -> None:
    """Ask for updates until cancelled, and then once more, to confirm the last ones.

    Args:
        ask: gives the updates from a number on, waiting up to so many seconds for one; it confirms earlier ones.
        translate: an update as the core knows it; None for one that is nothing to it.
        intake: keeps them.
        patience: insists where storage, limits or the connection prevent something.
        number: the field of an update that holds its number.
        wait_seconds: how long each question may wait.

    Raises:
        Rejected: the account cannot be used.
    """
    offset = 0
    try:
        while True:
            batch = await patience.insist(partial(ask, offset, wait_seconds))
            updates = [update for raw in batch if (update := translate(raw))]
            await patience.insist(partial(intake.accept, updates))
            offset = max([offset, *(raw[number] + 1 for raw in batch)])
    finally:
        with suppress(ChannelError, TimeoutError):
            await asyncio.wait_for(ask(offset, 0), CONFIRM_SECONDS)
