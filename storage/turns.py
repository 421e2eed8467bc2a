"""Turns as a tree: ways through it, and what is changed in it. Each works in a transaction of its caller."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from bot.attachments import kept_names
from bot.errors import StorageError
from bot.types import Address, Conversation, Role, Turn, TurnDraft
from storage.rows import answer_of, conversation_of, turn_of
from storage.tables import conversations, feedback, outbox, turns

NO_TURN = 0


def _links(end: Select[Any]) -> CTE:
    """The ids from the turn that `end` selects back to turn `:since`, or to the first where that is not on the way."""
    last = end.add_columns(turns.c.parent_id, literal(0).label("distance")).cte("links", recursive=True)
    return last.union_all(
        select(turns.c.id, turns.c.parent_id, last.c.distance + 1)
        .join(last, last.c.parent_id == turns.c.id)
        .where(last.c.id != bindparam("since"))
    )


def _path(links: CTE) -> Select[Any]:
    return select(turns).join(links, links.c.id == turns.c.id).order_by(links.c.distance.desc())


_IS_CONVERSATION = conversations.c.id == bindparam("conversation")
_TO_HEAD = _links(select(turns.c.id).join(conversations, conversations.c.head_id == turns.c.id).where(_IS_CONVERSATION))
_TO_TURN = _links(
    select(turns.c.id).where(
        turns.c.id == bindparam("until"),
        turns.c.conversation_id == bindparam("conversation"),
    )
)
_TO_ORIGIN = _links(
    select(turns.c.id).join(conversations, conversations.c.origin_id == turns.c.id).where(_IS_CONVERSATION)
)
_IS_INHERITED = turns.c.id.in_(select(_TO_ORIGIN.c.id))
_PATH = _path(_TO_HEAD)
_PATH_UNTIL = _path(_TO_TURN)
_PATH_LENGTH = select(func.count()).select_from(_TO_HEAD)


# -- ways through the tree ----------------------------------------------------------------------------------


def path(
    connection: Connection, conversation_id: int, *, since: int | None = None, until: int | None = None
) -> list[Turn]:
    """The turns from the first, or from `since`, to the head, or to `until`; oldest first."""
    values = {"conversation": conversation_id, "since": NO_TURN if since is None else since}
    if until is None:
        return [turn_of(row) for row in connection.execute(_PATH, values)]
    return [turn_of(row) for row in connection.execute(_PATH_UNTIL, {**values, "until": until})]


def count(connection: Connection, conversation_id: int) -> int:
    """The number of turns from the first to the head."""
    return connection.execute(_PATH_LENGTH, {"conversation": conversation_id, "since": NO_TURN}).scalar_one()


def find(connection: Connection, address: Address, platform_id: str) -> Turn | None:
    """The newest of the people's turns with that platform id, in any conversation of the address."""
    if not platform_id:
        return None
    query = (
        select(turns)
        .join(conversations, conversations.c.id == turns.c.conversation_id)
        .where(turns.c.platform_id == platform_id, turns.c.role == Role.USER.value)
        .where(conversations.c.channel == address.channel, conversations.c.account == address.account)
        .where(conversations.c.chat == address.chat, conversations.c.thread == address.thread)
        .order_by(turns.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return turn_of(row) if row else None


def speakers(connection: Connection, conversation_id: int) -> dict[str, str]:
    """What people are called that were named in turns of the conversation, also inherited ones, by their ids."""
    is_there = or_(turns.c.conversation_id == bindparam("conversation"), _IS_INHERITED)
    query = select(turns.c.author_id, turns.c.speaker).where(is_there, turns.c.speaker.is_not(None)).distinct()
    values = {"conversation": conversation_id, "since": NO_TURN}
    return {row.author_id: row.speaker for row in connection.execute(query, values)}


def has(connection: Connection, conversation_id: int, turn_id: int) -> bool:
    """Whether the turn is one of the conversation's, or was inherited by it."""
    is_there = or_(turns.c.conversation_id == bindparam("conversation"), _IS_INHERITED)
    query = select(turns.c.id).where(turns.c.id == turn_id, is_there)
    return connection.scalar(query, {"conversation": conversation_id, "since": NO_TURN}) is not None


def answers(connection: Connection, turn_id: int) -> list[Turn]:
    """The assistant's turns that answer that turn in its conversation, oldest first."""
    own = select(turns.c.conversation_id).where(turns.c.id == turn_id).scalar_subquery()
    query = _answers(turn_id).where(turns.c.conversation_id == own)
    return [turn_of(row) for row in connection.execute(query)]


def _answers(turn_id: int) -> Select[Any]:
    """Those of other conversations that went on from the turn, too."""
    return select(turns).where(turns.c.parent_id == turn_id, turns.c.role == Role.ASSISTANT.value).order_by(turns.c.id)


def attachments(connection: Connection) -> set[str]:
    """The names of all files that turns came with."""
    has_some = cast(turns.c.evidence, Text).contains('"attachments"')
    return set().union(*map(kept_names, connection.scalars(select(turns.c.evidence).where(has_some))))


# -- changes ------------------------------------------------------------------------------------------------


def branch_off(connection: Connection, turn_id: int, place: dict[str, object]) -> Conversation | None:
    """A conversation with the columns `place` that goes on from the turn, as the turn's own conversation would."""
    # locked, so that it is not deleted before something refers to it
    found = connection.execute(
        select(turns.c.conversation_id).where(turns.c.id == turn_id).with_for_update(read=True, key_share=True)
    ).one_or_none()
    if found is None:
        return None
    values = {"conversation": found.conversation_id}
    former = connection.execute(select(conversations).where(_IS_CONVERSATION), values).one()
    inherited = {"persona": former.persona, "model": former.model, "window_start_id": former.window_start_id}
    new = insert(conversations).values(**place, **inherited, head_id=turn_id, origin_id=turn_id)
    return conversation_of(connection.execute(new.returning(conversations)).one())


def revise(connection: Connection, turn_id: int, text: str, at: datetime) -> Turn:
    """Let the turn say `text`, and remember when that was changed."""
    evidence = connection.scalar(select(turns.c.evidence).where(turns.c.id == turn_id).with_for_update()) or {}
    return _change(connection, turn_id, text=text, evidence={**evidence, "edited_at": at.isoformat()})


def replace_answer(connection: Connection, turn_id: int, draft: TurnDraft) -> Turn:
    """Let a turn of the assistant say what the draft says."""
    role = connection.scalar(select(turns.c.role).where(turns.c.id == turn_id))
    if role != Role.ASSISTANT.value:
        raise _unknown(turn_id)
    return _change(connection, turn_id, **answer_of(draft))


def delete_exchange(connection: Connection, turn_id: int) -> list[int]:
    """Delete a turn of a person, the answers to it, and what was kept about them; the ids of the turns."""
    question = connection.execute(
        select(turns).where(turns.c.id == turn_id, turns.c.role == Role.USER.value).with_for_update()
    ).one_or_none()
    if question is None:
        return []
    gone = [turn_id, *(answer.id for answer in connection.execute(_answers(turn_id)))]
    _lead_around(connection, question, gone)
    after = (turns.c.parent_id.in_(gone), turns.c.id.not_in(gone))
    connection.execute(update(turns).where(*after).values(parent_id=question.parent_id))
    connection.execute(delete(feedback).where(feedback.c.turn_id.in_(gone)))
    # what could not be delivered still holds what was said
    connection.execute(delete(outbox).where(outbox.c.turn_id.in_(gone), outbox.c.state == "dead"))
    connection.execute(delete(turns).where(turns.c.id.in_(gone)))
    return gone


def rate(connection: Connection, turn_id: int, person: str, value: int | None, at: datetime) -> None:
    """Remember what a person thinks of a turn; None takes it back."""
    # locked, so that two ratings by one person at once follow each other
    if connection.scalar(select(turns.c.id).where(turns.c.id == turn_id).with_for_update()) is None:
        raise _unknown(turn_id)
    connection.execute(delete(feedback).where(feedback.c.turn_id == turn_id, feedback.c.person == person))
    if value is not None:
        connection.execute(insert(feedback).values(turn_id=turn_id, person=person, value=value, at=at))


def ratings(connection: Connection, turn_id: int) -> dict[str, int]:
    """What people think of the turn, by person."""
    query = select(feedback.c.person, feedback.c.value).where(feedback.c.turn_id == turn_id).order_by(feedback.c.person)
    return {row.person: row.value for row in connection.execute(query)}


def _lead_around(connection: Connection, question: Row[Any], gone: list[int]) -> None:
    """In every conversation, let the head and the origin be before the exchange, and the window begin after it, or with
    the head where nothing is after."""
    marks = (conversations.c.head_id, conversations.c.window_start_id, conversations.c.origin_id)
    pointing = select(conversations).where(or_(*(mark.in_(gone) for mark in marks))).order_by(conversations.c.id)
    for row in connection.execute(pointing.with_for_update()).all():
        moved = {mark.name: question.parent_id for mark in marks if getattr(row, mark.name) in gone}
        if row.window_start_id in gone:
            way = [turn.id for turn in path(connection, row.id, since=row.window_start_id)]
            kept = (turn for turn in way if turn not in gone) if row.window_start_id in way else iter(())
            moved["window_start_id"] = next(kept, question.parent_id)
        connection.execute(update(conversations).where(conversations.c.id == row.id).values(**moved))


def _change(connection: Connection, turn_id: int, **values: object) -> Turn:
    row = connection.execute(update(turns).where(turns.c.id == turn_id).values(**values).returning(turns)).one_or_none()
    if row is None:
        raise _unknown(turn_id)
    return turn_of(row)


def _unknown(turn_id: int) -> StorageError:
    return StorageError("storage.unknown_turn", turn=turn_id)
