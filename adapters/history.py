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
"""What was told so shortly before a connection broke is read again: it may have been told out of order."""

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
    _intake: Intake = field(init=False)
    _since: datetime = field(init=False)
    _mark: datetime = field(init=False)
    """From when on something may be missing, if this session ends now."""
    _is_marked: asyncio.Event = field(default_factory=asyncio.Event)
    _newest: dict[str, int] = field(default_factory=dict)
    _private: Recent[None] = field(default_factory=lambda: Recent(MOST_PRIVATE))
    _groups: dict[str, asyncio.Event] = field(default_factory=dict)
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))

    async def begin(self, intake: Intake) -> None:
        """Find out what is known already."""
        since = await intake.since()
        self._intake, self._since = intake, max(since, self._begun - self.oldest) if since else self._begun
        self._mark = self._since
        for address in reversed(await intake.private_chats()):
            self._private[address.chat] = None

    def begin_session(self, groups: Iterable[str], *, is_private: bool) -> None:
        """From now on the platform tells what happens in these groups, and whether also in private chats."""
        self._is_marked.clear()
        for group in groups:
            self._groups[group] = told = asyncio.Event()
            self.backlog.read(group, partial(self._told, told))
        if is_private:
            for place in reversed(self._private):
                self._read(place, "", self._known(""))
        self.backlog.spawn(self._remember(self._mark))

    async def _remember(self, mark: datetime) -> None:
        """Let another run read from there, too, if this one ends before everything is kept."""
        await self.backlog.insist(partial(self._intake.note_reading, mark))
        self._is_marked.set()
        await self.backlog.wait_kept()
        await self.backlog.insist(partial(self._intake.note_reading, None))

    def found(self, group: str, places: Mapping[str, int]) -> None:
        """The places of a group, each with the id of what was said there last."""
        for place, newest in places.items():
            if newest > self._known(group):
                self._read(place, group, self._known(group))
        self._groups.pop(group, asyncio.Event()).set()

    def heard(self, place: str, group: str, number: int) -> None:
        """Something is said, which is about to be put into the backlog. What was said before it in a private chat that
        nobody knew of is read first."""
        self._newest[group] = max(number, self._newest.get(group, 0))
        if not self.backlog.is_reading:
            self._mark = datetime.now(UTC) - OVERLAP
        if not group:
            if place not in self._private:
                self._read(place, "", self.number(self._since))
            self._private[place] = None

    def _known(self, group: str) -> int:
        """Up to where nothing needs to be read."""
        overlap = self.number(self._begun) - self.number(self._begun - OVERLAP)
        return max(self.number(self._since), self._newest.get(group, 0) - overlap)

    def _read(self, place: str, group: str, known: int) -> None:
        self.backlog.read(place, partial(self._missed, place, group, known))

    async def _missed(self, place: str, group: str, known: int) -> Sequence[Update]:
        await self._is_marked.wait()
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

    async def _told(self, told: asyncio.Event) -> Sequence[Update]:
        """Nothing, when it is known which places a group has."""
        await self._is_marked.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), GROUP_SECONDS)
        return ()
