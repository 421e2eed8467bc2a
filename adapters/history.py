"""What was said while nobody listened, for adapters whose platform lets it be read. Knows no platform.

Its ids are numbers that grow with time. Places belong to groups (servers, say), of which the platform tells what places
they have; private chats are the group "".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from adapters.backlog import Backlog
from adapters.recent import Recent
from bot.channel import Intake, Update

READERS, MOST_PRIVATE = 4, 1000
GROUP_SECONDS = 10.0
"""How long what is said in a group waits until the platform tells which places it has."""
OVERLAP = timedelta(minutes=10)
"""What was said so shortly before the newest that is known is read again: it may have been told out of order."""

Json = dict[str, Any]


@dataclass(slots=True)
class History:
    """Has the places read in which something may have been said, before what is said there from now on."""

    backlog: Backlog
    page: Callable[[str, str], Awaitable[Sequence[Json]]]
    """Gives the newest messages of a place, the newest first; all of them, or what `older` says of one."""
    translate: Callable[[Json], Iterable[Update]]
    """What was said, as a page has it, with its group in the field `group_field`."""
    group_field: str
    older: str
    """How a page is asked for whose messages are older than that with the id `{}`."""
    number: Callable[[datetime], int]
    """The id of what is said at a time."""
    most: int
    """Messages of a place that are read, the newest."""
    oldest: timedelta
    """How long ago they may have been said."""
    _begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    _since: datetime = field(init=False)
    _newest: dict[str, int] = field(default_factory=dict)
    _private: Recent[None] = field(default_factory=lambda: Recent(MOST_PRIVATE))
    _groups: dict[str, asyncio.Event] = field(default_factory=dict)
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))

    async def begin(self, intake: Intake) -> None:
        """Find out what is known already."""
        newest = await intake.since()
        self._since = max(newest, self._begun - self.oldest) - OVERLAP if newest else self._begun
        for address in reversed(await intake.private_chats()):
            self._private[address.chat] = None

    def begin_session(self, groups: Iterable[str], *, is_private: bool) -> None:
        """From now on the platform tells what happens in these groups, and whether also in private chats."""
        for group in groups:
            self._groups[group] = told = asyncio.Event()
            self.backlog.read(group, partial(_wait, told))
        if is_private:
            for place in reversed(self._private):
                self._read(place, "")

    def found(self, group: str, places: Mapping[str, int]) -> None:
        """The places of a group, each with the id of what was said there last."""
        for place, newest in places.items():
            if newest > self._known(group):
                self._read(place, group)
        self._groups.pop(group, asyncio.Event()).set()

    def heard(self, place: str, group: str, number: int) -> None:
        """Something was said."""
        self._newest[group] = max(number, self._newest.get(group, 0))
        if not group:
            self._private[place] = None

    def _known(self, group: str) -> int:
        """Up to where nothing needs to be read."""
        overlap = self.number(self._begun) - self.number(self._begun - OVERLAP)
        return max(self.number(self._since), self._newest.get(group, 0) - overlap)

    def _read(self, place: str, group: str) -> None:
        self.backlog.read(place, partial(self._missed, place, group, self._known(group)))

    async def _missed(self, place: str, group: str, known: int) -> Sequence[Update]:
        found: list[Json] = []
        is_more = True
        while is_more and len(found) < self.most:
            async with self._readers:
                page = await self.page(place, self.older.format(found[-1]["id"]) if found else "")
            fresh = [raw for raw in page if int(raw["id"]) > known]
            found += fresh
            is_more = bool(fresh) and len(fresh) == len(page)
        where = {self.group_field: group} if group else {}
        return [update for raw in reversed(found[: self.most]) for update in self.translate(raw | where)]


async def _wait(told: asyncio.Event) -> Sequence[Update]:
    with suppress(TimeoutError):
        await asyncio.wait_for(told.wait(), GROUP_SECONDS)
    return ()
