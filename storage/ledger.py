"""The inbox and the outbox in a database: the `Ledger` of `bot.ledger`. Values in, values out.

Of the parcels that were sent with one receipt at one place, one at most names a turn: the one that the message shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from bot import channel
from bot.channel import UpdateKind
from bot.ledger import Arrival, GivenUp, Method, Parcel, ParcelDraft, ParcelState
from bot.types import Address
from storage.engine import Database
from storage.inbox import DONE, GIVEN_UP, SET_ASIDE, WAITING, accept, arrivals, given_up
from storage.moving import move
from storage.payloads import content_of, payload_of_content
from storage.tables import inbox, outbox, turns

OPEN = (ParcelState.WAITING.value, ParcelState.SENDING.value)
UNSENT = (*OPEN, ParcelState.PREVIEW.value)
CHANGES = (Method.EDIT, Method.DELETE)


class SqlLedger:
    """The ledger over one open database. Its methods may be called at once, by any number of tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- inbox ----------------------------------------------------------------------------------------------

    async def accept(self, updates: Sequence[channel.Update], *, at: datetime) -> list[Arrival]:
        """Keep the updates that were not accepted before; the new ones, in order."""
        if not updates:
            return []
        return await self._database.write(
            lambda connection: [new for update in updates if (new := accept(connection, update, at))]
        )

    async def arrivals(self) -> list[Arrival]:
        """Everything that is not dealt with, oldest first. What cannot be read stays in the inbox, and is logged."""
        return await self._database.read(arrivals)

    async def newest(self, channel: str, account: str) -> datetime | None:
        """When the newest message was said that was accepted there; None where there is none."""
        is_ours = (inbox.c.channel == channel) & (inbox.c.account == account)
        query = select(func.max(inbox.c.at)).where(is_ours, inbox.c.kind == UpdateKind.MESSAGE.value)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def places(self, channel: str, account: str, *, after: datetime) -> list[Address]:
        """Where something was said after then, latest first."""
        is_ours = (inbox.c.channel == channel) & (inbox.c.account == account) & (inbox.c.at > after)
        query = select(inbox.c.chat, inbox.c.thread).where(is_ours).group_by(inbox.c.chat, inbox.c.thread)
        ordered = query.order_by(func.max(inbox.c.id).desc())

        def read(connection: Connection) -> list[Address]:
            return [Address(channel, row.chat, account, row.thread) for row in connection.execute(ordered)]

        return await self._database.read(read)

    async def begin(self, arrival_ids: Sequence[int]) -> None:
        """Count one more attempt to deal with them."""
        await self._count_attempts(arrival_ids, 1)

    async def take_back(self, arrival_ids: Sequence[int]) -> None:
        """Count one attempt less."""
        await self._count_attempts(arrival_ids, -1)

    async def _count_attempts(self, arrival_ids: Sequence[int], change: int) -> None:
        counted = update(inbox).where(inbox.c.id.in_(arrival_ids), inbox.c.state == WAITING)
        if arrival_ids:
            await self._execute(counted.values(attempts=inbox.c.attempts + change))

    async def finish(
        self,
        arrival_ids: Sequence[int],
        parcels: Sequence[ParcelDraft] = (),
        *,
        at: datetime,
        are_given_up: bool = False,
    ) -> list[Parcel]:
        """Put what is to be sent into the outbox and the arrivals behind us, both or neither."""
        ended = GIVEN_UP if are_given_up else DONE
        targets = [parcel.target for parcel in parcels if parcel.method in CHANGES]

        def finish(connection: Connection) -> list[Parcel]:
            for arrival_id in arrival_ids:
                connection.execute(_FINISH, {"finished": arrival_id, "ended": ended, "now": at})
                if targets:
                    connection.execute(_CLEAR_OTHER_PREVIEWS, {"answered": arrival_id, "kept": targets})
                else:
                    connection.execute(_CLEAR_PREVIEWS, {"answered": arrival_id})
            return post_parcels(connection, parcels, at)

        return await self._database.write(finish)

    async def given_up(self, *, limit: int = 50) -> list[GivenUp]:
        """The arrivals that were given up, newest first."""
        return await self._database.read(lambda connection: given_up(connection, limit))

    async def count_set_aside(self) -> int:
        """How many arrivals waited in a backup that was restored."""
        query = select(func.count()).select_from(inbox).where(inbox.c.state == SET_ASIDE)
        return await self._database.read(lambda connection: connection.scalar(query) or 0)

    async def revive_arrivals(self) -> int:
        """Let those wait again; how many."""
        revived = update(inbox).where(inbox.c.state == SET_ASIDE)
        return await self._execute(revived.values(state=WAITING, attempts=0, finished_at=None))

    # -- outbox ---------------------------------------------------------------------------------------------

    async def post(self, parcels: Sequence[ParcelDraft], *, at: datetime) -> list[Parcel]:
        """Put them into the outbox."""
        return await self._database.write(lambda connection: post_parcels(connection, parcels, at)) if parcels else []

    async def parcels(self) -> list[Parcel]:
        """Everything that is WAITING or SENDING, in order of ids."""
        return await self._find(outbox.c.state.in_(OPEN))

    async def previews(self, arrival_ids: Sequence[int]) -> list[Parcel]:
        """What shows replies in the making to those arrivals."""
        return await self._find(_is_preview_for(arrival_ids))

    async def attempt(self, parcel_id: int) -> None:
        """Remember that an attempt begins: SENDING. A PREVIEW stays one, with one more attempt."""
        await self._execute(_ATTEMPT, {"parcel": parcel_id})

    async def delivered(self, parcel_id: int, receipt: str, *, at: datetime) -> None:
        """Remember that it arrived. A PREVIEW stays one; anything else is SENT, and its content is forgotten.

        With what was edited or deleted, it is remembered which turn the message shows from now on.
        """

        def deliver(connection: Connection) -> None:
            sent = {"parcel": parcel_id, "sent_receipt": receipt, "now": at}
            if connection.execute(_DELIVER_NEW, sent).rowcount:
                return
            row = connection.execute(select(outbox).where(outbox.c.id == parcel_id).with_for_update()).one_or_none()
            if row is None or row.state == ParcelState.SENT.value:
                return
            values: dict[str, object] = {"receipt": receipt or row.target}
            if row.state != ParcelState.PREVIEW.value:
                values |= {"state": ParcelState.SENT.value, "sent_at": at, "content": None, "reason": ""}
            if row.method != Method.SEND.value:
                values |= _change_what_is_shown(connection, row, receipt or row.target)
            connection.execute(update(outbox).where(outbox.c.id == parcel_id).values(**values))

        await self._database.write(deliver)

    async def postpone(self, parcel_id: int, *, is_repeat: bool = False) -> None:
        """Remember that the attempt failed and another will be made: WAITING. `is_repeat` where it may have arrived.

        A PREVIEW stays one, without attempts.
        """
        is_preview = outbox.c.state == ParcelState.PREVIEW.value
        values = {
            "state": _unless_preview(ParcelState.WAITING),
            "attempts": case((is_preview, 0), else_=outbox.c.attempts),
            # what may have arrived once, may have for good
            **({"is_repeat": True} if is_repeat else {}),
        }
        await self._execute(_parcel(parcel_id, *UNSENT).values(**values))

    async def aim(self, parcel_id: int, target: str, *, is_repeat: bool = True) -> None:
        """Turn a SEND into an EDIT of the message `target`, which was sent to hold its place."""
        await self._execute(
            _parcel(parcel_id, *OPEN).values(method=Method.EDIT.value, target=target, is_repeat=is_repeat)
        )

    async def set_aside(self, parcel_id: int, reason: str) -> None:
        """Remember that no further attempt will be made: DEAD."""
        await self._execute(_parcel(parcel_id, *UNSENT).values(state=ParcelState.DEAD.value, reason=reason))

    async def set_aside_all(self, address: Address, reason: str) -> int:
        """Set aside everything that is WAITING there; how many."""
        is_meant = (outbox.c.state == ParcelState.WAITING.value) & _is_in(address)
        is_meant &= outbox.c.thread == address.thread
        return await self._execute(update(outbox).where(is_meant).values(state=ParcelState.DEAD.value, reason=reason))

    async def dead(self, *, limit: int = 50) -> list[Parcel]:
        """What was set aside, newest first."""
        return await self._find(outbox.c.state == ParcelState.DEAD.value, newest=limit)

    async def revive(self, parcel_id: int) -> None:
        """Let a parcel that was set aside be tried again: WAITING, without attempts."""
        values = {"state": ParcelState.WAITING.value, "attempts": 0, "reason": ""}
        await self._execute(_parcel(parcel_id, ParcelState.DEAD.value).values(**values))

    # -- what was delivered ---------------------------------------------------------------------------------

    async def shown(self, turn_id: int) -> list[Parcel]:
        """The messages that show the turn now, in order."""
        return await self._find((outbox.c.turn_id == turn_id) & (outbox.c.state == ParcelState.SENT.value))

    async def turn_shown(self, address: Address, receipt: str) -> int | None:
        """The turn that a message shows (whole or in part); its thread need not be known."""
        is_meant = _is_in(address) & (outbox.c.receipt == receipt) & (outbox.c.state == ParcelState.SENT.value)
        query = select(outbox.c.turn_id).where(is_meant, outbox.c.turn_id.is_not(None)).order_by(outbox.c.id.desc())
        return await self._database.read(lambda connection: connection.scalar(query.limit(1)))

    async def move(self, old: Address, new: Address) -> None:
        """The chat goes on under another id: conversations, settings, arrivals and parcels of it, too."""
        await self._database.write(lambda connection: move(connection, old, new), then=self._database.distrust)

    async def prune(self, before: datetime) -> int:
        """Forget arrivals that were dealt with before then, and parcels that were SENT before then and show no turn.

        Previews of then, which were never ended, go as well. Returns how many arrivals and parcels were forgotten.
        """
        is_old = inbox.c.state.in_((DONE, GIVEN_UP, SET_ASIDE)) & (inbox.c.finished_at < before)
        is_waited_for = exists().where(inbox.c.id == outbox.c.arrival_id, inbox.c.state == WAITING)
        shows_a_turn = exists().where(turns.c.id == outbox.c.turn_id)
        is_settled = (outbox.c.state == ParcelState.SENT.value) & (outbox.c.sent_at < before) & ~shows_a_turn
        is_left_over = (outbox.c.state == ParcelState.PREVIEW.value) & (outbox.c.created_at < before) & ~is_waited_for

        def prune(connection: Connection) -> int:
            parcels = connection.execute(delete(outbox).where(or_(is_settled, is_left_over))).rowcount
            return parcels + connection.execute(delete(inbox).where(is_old)).rowcount

        return await self._database.write(prune)

    # -- shared ---------------------------------------------------------------------------------------------

    async def _find(self, condition: ColumnElement[bool], *, newest: int | None = None) -> list[Parcel]:
        order = outbox.c.id if newest is None else outbox.c.id.desc()
        query = select(outbox).where(condition).order_by(order).limit(newest)
        return await self._database.read(lambda connection: [_parcel_of(row) for row in connection.execute(query)])

    async def _execute(self, change: Update, values: Mapping[str, object] | None = None) -> int:
        return await self._database.write(lambda connection: connection.execute(change, values).rowcount)


def post_parcels(connection: Connection, parcels: Sequence[ParcelDraft], at: datetime) -> list[Parcel]:
    """Put parcels into the outbox, within a transaction that does more."""
    return [_post_one(connection, parcel, at) for parcel in parcels]


def _post_one(connection: Connection, draft: ParcelDraft, at: datetime) -> Parcel:
    row = _row_of(draft, at)
    parcel_id = connection.execute(_POST, row).scalar_one()
    return Parcel(
        address=draft.address,
        content=content_of(row["content"]),  # as it is kept, which no text that is none survives
        method=draft.method,
        target=draft.target,
        turn_id=draft.turn_id,
        arrival_id=draft.arrival_id,
        state=draft.state,
        is_repeat=draft.is_repeat,
        id=parcel_id,
        attempts=row["attempts"],
        created_at=at,
    )


def _row_of(parcel: ParcelDraft, at: datetime) -> dict[str, Any]:
    address = parcel.address
    return {
        "channel": address.channel,
        "account": address.account,
        "chat": address.chat,
        "thread": address.thread,
        "content": payload_of_content(parcel.content),
        "method": parcel.method.value,
        "target": parcel.target,
        "turn_id": parcel.turn_id,
        "arrival_id": parcel.arrival_id,
        "state": parcel.state.value,
        "receipt": "",
        "attempts": int(parcel.state is ParcelState.SENDING),
        "is_repeat": parcel.is_repeat,
        "created_at": at,
        "reason": "",
    }


def _parcel_of(row: Row[Any]) -> Parcel:
    return Parcel(
        address=Address(row.channel, row.chat, row.account, row.thread),
        content=content_of(row.content),
        method=Method(row.method),
        target=row.target,
        turn_id=row.turn_id,
        arrival_id=row.arrival_id,
        state=ParcelState(row.state),
        is_repeat=row.is_repeat,
        id=row.id,
        receipt=row.receipt,
        attempts=row.attempts,
        created_at=row.created_at,
        reason=row.reason,
    )


def _change_what_is_shown(connection: Connection, change: Row[Any], receipt: str) -> dict[str, object]:
    """Let the message that was edited or deleted show what it shows now; what else changes in the change's own row."""
    address = Address(change.channel, change.chat, change.account, change.thread)
    is_it = _is_in(address) & (outbox.c.receipt == change.target) & (outbox.c.id != change.id)
    connection.execute(delete(outbox).where(is_it, outbox.c.state == ParcelState.PREVIEW.value))
    is_sent = is_it & (outbox.c.state == ParcelState.SENT.value)
    shows_nothing = update(outbox).where(is_sent).values(turn_id=None)
    if change.method == Method.DELETE.value:
        connection.execute(shows_nothing)
        return {"turn_id": None}
    if receipt != change.target:
        # it could not be edited, and a new message was sent in its stead
        connection.execute(shows_nothing)
        return {}
    if change.turn_id is None:
        return {}
    connection.execute(shows_nothing.where(outbox.c.turn_id != change.turn_id))
    # the parcel that sent the message keeps its place among the parts of the turn
    is_known = connection.scalar(select(outbox.c.id).where(is_sent, outbox.c.turn_id == change.turn_id).limit(1))
    return {"turn_id": None} if is_known else {}


def _unless_preview(state: ParcelState) -> ColumnElement[str]:
    return case((outbox.c.state == ParcelState.PREVIEW.value, outbox.c.state), else_=state.value)


def _parcel(parcel_id: int, *states: str) -> Update:
    return update(outbox).where(outbox.c.id == parcel_id, outbox.c.state.in_(states))


def _is_preview_for(arrival_ids: Sequence[int]) -> ColumnElement[bool]:
    return (outbox.c.state == ParcelState.PREVIEW.value) & outbox.c.arrival_id.in_(arrival_ids)


def _is_in(address: Address) -> ColumnElement[bool]:
    """Whether a parcel belongs to the chat, in whatever thread."""
    return (
        (outbox.c.channel == address.channel) & (outbox.c.account == address.account) & (outbox.c.chat == address.chat)
    )


# -- what every message needs, put together once: that takes longer than running it --------------------------

_FINISH = (
    update(inbox)
    .where(inbox.c.id == bindparam("finished"))
    .values(state=bindparam("ended"), payload=None, finished_at=bindparam("now"))
)
_CLEAR_PREVIEWS = delete(outbox).where(
    outbox.c.state == ParcelState.PREVIEW.value,
    outbox.c.arrival_id == bindparam("answered"),
)
_CLEAR_OTHER_PREVIEWS = _CLEAR_PREVIEWS.where(outbox.c.receipt.not_in(bindparam("kept", expanding=True)))
_POST = insert(outbox).returning(outbox.c.id)
_ATTEMPT = (
    update(outbox)
    .where(outbox.c.id == bindparam("parcel"), outbox.c.state.in_(UNSENT))
    .values(state=_unless_preview(ParcelState.SENDING), attempts=outbox.c.attempts + 1)
)
_DELIVER_NEW = (
    update(outbox)
    .where(
        outbox.c.id == bindparam("parcel"),
        outbox.c.method == Method.SEND.value,
        outbox.c.state.not_in((ParcelState.PREVIEW.value, ParcelState.SENT.value)),
    )
    .values(
        state=ParcelState.SENT.value,
        sent_at=bindparam("now"),
        receipt=bindparam("sent_receipt"),
        content=None,
        reason="",
    )
)
