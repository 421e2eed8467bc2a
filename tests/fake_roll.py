"""A roll in memory, for tests that need no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.people import CODE_VALID_SECONDS, Member, PairingRequest, Standing

ORDER = list(Standing)


@dataclass
class FakeRoll:
    """What `bot.people.Roll` is; `members` and `requests` can be looked at."""

    members: dict[tuple[str, str, str], Member] = field(default_factory=dict)
    requests: list[PairingRequest] = field(default_factory=list)

    async def standing(self, channel: str, account: str, person_id: str) -> Standing | None:
        member = self.members.get((channel, account, person_id))
        return member.standing if member else None

    async def set_standing(
        self, channel: str, account: str, person_id: str, name: str, standing: Standing | None, *, at: datetime
    ) -> None:
        if standing is None:
            self.members.pop((channel, account, person_id), None)
        else:
            member = Member(channel, account, person_id, name, standing, at)
            self.members[channel, account, person_id] = member

    async def people(self, channel: str | None = None) -> list[Member]:
        found = [member for member in self.members.values() if channel in (None, member.channel)]
        return sorted(found, key=lambda member: (ORDER.index(member.standing), member.name))

    async def has_owner(self, channel: str, account: str) -> bool:
        return any(
            (member.channel, member.account, member.standing) == (channel, account, Standing.OWNER)
            for member in self.members.values()
        )

    async def open_code(
        self,
        code: str,
        channel: str,
        account: str,
        person_id: str,
        name: str,
        chat: str,
        *,
        at: datetime,
        valid_seconds: float = CODE_VALID_SECONDS,
        language: str = "",
    ) -> str:
        good = [request for request in self.requests if at - request.created_at < timedelta(seconds=valid_seconds)]
        for request in good:
            if (request.channel, request.account, request.person_id) == (channel, account, person_id):
                return request.code
        if any(request.code == code for request in good):
            raise ValueError(code)
        self.requests.append(PairingRequest(code, channel, account, person_id, name, chat, at, language))
        return code

    async def take_code(
        self, code: str, *, at: datetime, valid_seconds: float = CODE_VALID_SECONDS
    ) -> PairingRequest | None:
        found = next((request for request in self.requests if request.code == code), None)
        if found is None or at - found.created_at >= timedelta(seconds=valid_seconds):
            return None
        self.requests.remove(found)
        return found

    async def codes(self) -> list[PairingRequest]:
        return sorted(self.requests, key=lambda request: request.created_at)
