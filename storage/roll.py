"""People and pairing codes in a database: the `Roll` of `bot.people`. Values in, values out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, delete, insert, select

from bot.people import CODE_VALID_SECONDS, Member, PairingRequest, Standing
from storage.engine import Database
from storage.remembering import Remembered
from storage.tables import pairing_codes, people
from storage.upserts import insert_unless_there


class SqlRoll:
    """The roll over one open database. Its methods may be called at once, by any number of tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standings: Remembered[tuple[str, str, str], Standing | None] = Remembered(database.epoch)

    # -- people ---------------------------------------------------------------------------------------------

    async def standing(self, channel: str, account: str, person_id: str) -> Standing | None:
        """How the person stands; None where they are not on the roll."""
        who = {"channel": channel, "account": account, "person": person_id}

        def find(connection: Connection) -> Standing | None:
            found = connection.scalar(_STANDING, who)
            return None if found is None else Standing(found)

        return await self._standings.find((channel, account, person_id), lambda: self._database.read(find))

    async def set_standing(
        self, channel: str, account: str, person_id: str, name: str, standing: Standing | None, *, at: datetime
    ) -> None:
        """Put the person on the roll, or change their name and standing there; None takes them off it."""
        values = {"channel": channel, "account": account, "person_id": person_id, "name": name, "at": at}

        def store(connection: Connection) -> None:
            connection.execute(delete(people).where(_is_person(people, channel, account, person_id)))
            if standing is not None:
                connection.execute(insert(people).values(**values, standing=Standing(standing).value))

        await self._database.write(store, then=lambda _: self._standings.forget((channel, account, person_id)))

    async def people(self, channel: str | None = None) -> list[Member]:
        """Everybody on the roll, or everybody of one channel: owners first, then by name."""
        query = select(people) if channel is None else select(people).where(people.c.channel == channel)
        members = await self._database.read(lambda connection: [_member_of(row) for row in connection.execute(query)])
        return sorted(members, key=_rank)

    async def has_owner(self, channel: str, account: str) -> bool:
        """Whether the account has an owner."""
        query = select(people.c.person_id).where(
            people.c.channel == channel, people.c.account == account, people.c.standing == Standing.OWNER.value
        )
        return await self._database.read(lambda connection: connection.scalar(query.limit(1)) is not None)

    # -- pairing codes --------------------------------------------------------------------------------------

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
        """Keep `code` for the person, unless they have one that is still good; the code that is good now.

        Raises:
            ValueError: `code` is somebody else's, and still good; draw another.
        """
        request = PairingRequest(code, channel, account, person_id, name, chat, at, language)

        def store(connection: Connection) -> str:
            connection.execute(delete(pairing_codes).where(pairing_codes.c.created_at <= _before(at, valid_seconds)))
            connection.execute(insert_unless_there(connection, pairing_codes), _row_of(request))
            is_theirs = _is_person(pairing_codes, channel, account, person_id)
            good = connection.scalar(select(pairing_codes.c.code).where(is_theirs))
            if good is None:
                raise ValueError("the code is somebody else's")
            return str(good)

        return await self._database.write(store)

    async def take_code(
        self, code: str, *, at: datetime, valid_seconds: float = CODE_VALID_SECONDS
    ) -> PairingRequest | None:
        """The request of that code, which is good no more; None where there is none, or it is too old."""
        taking = delete(pairing_codes).where(pairing_codes.c.code == code).returning(pairing_codes)

        def take(connection: Connection) -> PairingRequest | None:
            row = connection.execute(taking).one_or_none()
            return _request_of(row) if row and row.created_at > _before(at, valid_seconds) else None

        return await self._database.write(take)

    async def codes(self) -> list[PairingRequest]:
        """The requests that are open, oldest first; also those that have become too old since."""
        query = select(pairing_codes).order_by(pairing_codes.c.created_at, pairing_codes.c.code)
        return await self._database.read(lambda connection: [_request_of(row) for row in connection.execute(query)])


# asked for with every message, so it is put together once
_STANDING = select(people.c.standing).where(
    people.c.channel == bindparam("channel"),
    people.c.account == bindparam("account"),
    people.c.person_id == bindparam("person"),
)


def _before(at: datetime, valid_seconds: float) -> datetime:
    return at - timedelta(seconds=valid_seconds)


def _is_person(table: Table, channel: str, account: str, person_id: str) -> ColumnElement[bool]:
    return (table.c.channel == channel) & (table.c.account == account) & (table.c.person_id == person_id)


def _member_of(row: Row[Any]) -> Member:
    return Member(row.channel, row.account, row.person_id, row.name, Standing(row.standing), row.at)


def _rank(member: Member) -> tuple[bool, str, str, str, str]:
    return (
        member.standing is not Standing.OWNER,
        member.name.casefold(),
        member.channel,
        member.account,
        member.person_id,
    )


def _request_of(row: Row[Any]) -> PairingRequest:
    who = (row.channel, row.account, row.person_id, row.name)
    return PairingRequest(row.code, *who, row.chat, row.created_at, row.language or "")


def _row_of(request: PairingRequest) -> dict[str, object]:
    return {
        "code": request.code,
        "channel": request.channel,
        "account": request.account,
        "person_id": request.person_id,
        "name": request.name,
        "chat": request.chat,
        "created_at": request.created_at,
        "language": request.language,
    }
