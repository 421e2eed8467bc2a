"""Conversations, turns and settings in a database: the `Store` of `bot.protocols`. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from bot.errors import StorageError
from bot.types import Address, Conversation, Turn, TurnDraft
from storage import turns as tree
from storage.engine import Database
from storage.remembering import Remembered, Way
from storage.rows import conversation_of, row_of, turn_of
from storage.tables import conversations, settings, turns

# what every message needs, put together once: that takes longer than running it
_IS_CONVERSATION = conversations.c.id == bindparam("conversation")
_CONVERSATION = select(conversations).where(_IS_CONVERSATION)
_HEAD = select(conversations.c.head_id).where(_IS_CONVERSATION).with_for_update()
_APPEND = insert(turns).returning(turns)
_GO_ON = (
    update(conversations).where(_IS_CONVERSATION).values(head_id=bindparam("head"), updated_at=bindparam("said_at"))
)
_SETTING = select(settings.c.value).where(
    settings.c.scope == bindparam("named_scope"), settings.c.key == bindparam("named_key")
)


class SqlStore:
    """The store over one open database. Its methods may be called at once, by any number of tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settings: Remembered[tuple[str, str], str | None] = Remembered(database.epoch)
        self._conversations: Remembered[int, Conversation | None] = Remembered(database.epoch)
        self._ways: Remembered[int, Way] = Remembered(database.epoch, more_bytes=lambda way: way.bytes)

    # -- conversations --------------------------------------------------------------------------------------

    async def create_conversation(
        self, address: Address, *, at: datetime, name: str = "", persona: str = "", model: str = ""
    ) -> Conversation:
        """Store a new conversation, without turns."""
        values = {**_place(address, at), "name": name, "persona": persona, "model": model}

        def create(connection: Connection) -> Conversation:
            return conversation_of(connection.execute(insert(conversations).returning(conversations), values).one())

        return await self._database.write(create, then=lambda made: self._conversations.know(made.id, made))

    async def branch_off(self, turn_id: int, address: Address, *, at: datetime) -> Conversation | None:
        """A new conversation at the address that goes on from the turn of another, with that one's persona, model and
        window. The turns are not copied: what becomes of them there becomes of them here. None without such a turn.
        """

        def branch(connection: Connection) -> Conversation | None:
            return tree.branch_off(connection, turn_id, _place(address, at))

        def note(made: Conversation | None) -> None:
            if made:
                self._conversations.know(made.id, made)

        return await self._database.write(branch, then=note)

    async def conversation(self, conversation_id: int) -> Conversation | None:
        """The conversation of that id."""

        def find(connection: Connection) -> Conversation | None:
            row = connection.execute(_CONVERSATION, {"conversation": conversation_id}).one_or_none()
            return conversation_of(row) if row else None

        return await self._conversations.find(conversation_id, lambda: self._database.read(find))

    async def find_conversation(self, address: Address, name: str) -> Conversation | None:
        """The newest conversation of that name at the address."""
        query = (
            select(conversations)
            .where(_is_at(address), conversations.c.name == name)
            .order_by(conversations.c.id.desc())
            .limit(1)
        )

        def find(connection: Connection) -> Conversation | None:
            row = connection.execute(query).one_or_none()
            return conversation_of(row) if row else None

        return await self._database.read(find)

    async def conversations(self, address: Address, *, limit: int = 50) -> list[Conversation]:
        """The address's conversations, last used first."""
        return await self._find(_is_at(address), limit=limit)

    async def rename_conversation(self, conversation_id: int, name: str) -> None:
        """Give the conversation another name.

        Raises:
            StorageError: there is no such conversation, here as in every method that changes one.
        """
        await self._change(conversation_id, name=name)

    async def set_persona(self, conversation_id: int, persona: str) -> None:
        """Choose the conversation's persona; empty is the configured one."""
        await self._change(conversation_id, persona=persona)

    async def set_model(self, conversation_id: int, model: str) -> None:
        """Choose the conversation's model; empty is the configured one."""
        await self._change(conversation_id, model=model)

    async def set_window_start(self, conversation_id: int, turn_id: int | None) -> None:
        """Remember the oldest turn that the prompt still holds; None is the first."""
        await self._change(conversation_id, turn_id, window_start_id=turn_id)

    async def set_head(self, conversation_id: int, turn_id: int | None) -> None:
        """Move the conversation to another of its turns, also one that it inherited, or before the first (None).

        Nothing is deleted.
        """
        await self._change(conversation_id, turn_id, head_id=turn_id)

    # -- turns ----------------------------------------------------------------------------------------------

    async def append_turn(self, draft: TurnDraft) -> Turn:
        """Store a turn after the head that the conversation has at this moment, and make it the head.

        When this returns, the turn survives a crash, also of the machine.
        """

        def append(connection: Connection) -> Turn:
            head = connection.execute(_HEAD, {"conversation": draft.conversation_id}).one_or_none()
            if head is None:
                raise _no_conversation(draft.conversation_id)
            row = connection.execute(_APPEND, row_of(draft, head.head_id)).one()
            going_on = {"conversation": draft.conversation_id, "head": row.id, "said_at": draft.at}
            connection.execute(_GO_ON, going_on)
            return turn_of(row)

        return await self._database.write(append, then=self._note_head)

    async def turn(self, turn_id: int) -> Turn | None:
        """The turn of that id."""

        def find(connection: Connection) -> Turn | None:
            row = connection.execute(select(turns).where(turns.c.id == turn_id)).one_or_none()
            return turn_of(row) if row else None

        return await self._database.read(find)

    async def path(self, conversation_id: int, *, since: int | None = None, until: int | None = None) -> list[Turn]:
        """The turns from the first (or from turn `since`, if it is on the path) to the head, oldest first.

        Where `until` is given, that turn of the conversation stands for the head.
        """
        if until is not None:
            return await self._database.read(
                lambda connection: tree.path(connection, conversation_id, since=since, until=until)
            )

        async def read() -> Way:
            turns = await self._database.read(lambda connection: tree.path(connection, conversation_id, since=since))
            return Way.of(since, turns)

        known = self._ways.get(conversation_id)
        if known and (way := known.starting(since)):
            if way is not known:
                self._ways.know(conversation_id, way)
            return list(way.turns)
        self._ways.forget(conversation_id)
        return list((await self._ways.find(conversation_id, read)).turns)

    async def count_turns(self, conversation_id: int) -> int:
        """The number of turns on the path."""
        return await self._database.read(lambda connection: tree.count(connection, conversation_id))

    async def find_turn(self, address: Address, platform_id: str) -> Turn | None:
        """The newest of the people's turns with that platform id, in any conversation of the address."""
        return await self._database.read(lambda connection: tree.find(connection, address, platform_id))

    async def speakers(self, conversation_id: int) -> dict[str, str]:
        """What people are called that were named in turns of the conversation, also inherited ones, by their ids."""
        return await self._database.read(lambda connection: tree.speakers(connection, conversation_id))

    async def answers(self, turn_id: int) -> list[Turn]:
        """The assistant's turns that answer that turn in its conversation, oldest first."""
        return await self._database.read(lambda connection: tree.answers(connection, turn_id))

    async def revise_turn(self, turn_id: int, *, text: str, at: datetime) -> Turn:
        """Let the turn say `text`; what it said is not kept. Its evidence tells when, as `edited_at`.

        Raises:
            StorageError: there is no such turn.
        """
        return await self._database.write(
            lambda connection: tree.revise(connection, turn_id, text, at), then=self._database.distrust
        )

    async def replace_answer(self, turn_id: int, draft: TurnDraft) -> Turn:
        """Let a turn of the assistant say what the draft says; it keeps its id, its place and its platform id.

        Raises:
            StorageError: there is no such turn, or it is a person's.
        """
        return await self._database.write(
            lambda connection: tree.replace_answer(connection, turn_id, draft), then=self._database.distrust
        )

    async def delete_exchange(self, turn_id: int) -> list[int]:
        """Delete a turn of a person and the answers to it; the ids of what was deleted, none where it is no such turn.

        What came after them now comes after what was before them, as do the head and the start of the window, of every
        conversation that had them.
        """
        return await self._database.write(
            lambda connection: tree.delete_exchange(connection, turn_id), then=self._database.distrust
        )

    # -- feedback -------------------------------------------------------------------------------------------

    async def rate(self, turn_id: int, person: str, value: int | None, *, at: datetime) -> None:
        """Remember what a person thinks of a turn; None takes it back.

        Raises:
            StorageError: there is no such turn.
        """
        await self._database.write(lambda connection: tree.rate(connection, turn_id, person, value, at))

    async def attachments(self) -> set[str]:
        """The names of all files that turns came with."""
        return await self._database.read(tree.attachments)

    async def ratings(self, turn_id: int) -> dict[str, int]:
        """What people think of the turn, by person."""
        return await self._database.read(lambda connection: tree.ratings(connection, turn_id))

    # -- settings -------------------------------------------------------------------------------------------

    async def setting(self, scope: str, key: str) -> str | None:
        """The value of the setting; None where it is not set."""
        named = {"named_scope": scope, "named_key": key}

        def find(connection: Connection) -> str | None:
            return connection.scalar(_SETTING, named)

        return await self._settings.find((scope, key), lambda: self._database.read(find))

    async def settings(self, scope: str) -> dict[str, str]:
        """Every setting of the scope, by its key."""
        query = select(settings.c.key, settings.c.value).where(settings.c.scope == scope)
        return await self._database.read(lambda connection: {row.key: row.value for row in connection.execute(query)})

    async def set_setting(self, scope: str, key: str, value: str | None) -> None:
        """Store the setting; None removes it."""

        def store(connection: Connection) -> None:
            connection.execute(delete(settings).where(settings.c.scope == scope, settings.c.key == key))
            if value is not None:
                connection.execute(insert(settings).values(scope=scope, key=key, value=value))

        await self._database.write(store, then=lambda _: self._settings.forget((scope, key)))

    # -- shared ---------------------------------------------------------------------------------------------

    async def _find(self, condition: ColumnElement[bool], *, limit: int) -> list[Conversation]:
        last_used_first = (conversations.c.updated_at.desc(), conversations.c.id.desc())
        query = select(conversations).where(condition).order_by(*last_used_first).limit(limit)
        return await self._database.read(lambda connection: [conversation_of(row) for row in connection.execute(query)])

    async def _change(self, conversation_id: int, turn_id: int | None = None, /, **values: object) -> None:
        """Set columns of a conversation; `turn_id`, if any, must be one of its turns."""

        def change(connection: Connection) -> None:
            if turn_id is not None:
                _check_turn(connection, conversation_id, turn_id)
            _update(connection, conversation_id, **values)

        await self._database.write(change, then=lambda _: self._note_change(conversation_id, values))

    # -- what is remembered ---------------------------------------------------------------------------------

    def _note_head(self, turn: Turn) -> None:
        """A turn was appended."""
        conversation, way = self._conversations.get(turn.conversation_id), self._ways.get(turn.conversation_id)
        if conversation:
            self._conversations.know(conversation.id, replace(conversation, head_id=turn.id, updated_at=turn.at))
        else:
            self._conversations.forget(turn.conversation_id)
        if longer := way and way.going_on(turn):
            self._ways.know(turn.conversation_id, longer)
        else:
            self._ways.forget(turn.conversation_id)

    def _note_change(self, conversation_id: int, values: Mapping[str, object]) -> None:
        self._conversations.forget(conversation_id)
        if "head_id" in values:
            self._ways.forget(conversation_id)


def _place(address: Address, at: datetime) -> dict[str, object]:
    """The columns of a conversation that begins there and then."""
    place = {"channel": address.channel, "account": address.account, "chat": address.chat, "thread": address.thread}
    return {**place, "name": "", "created_at": at, "updated_at": at}


def _is_at(address: Address) -> ColumnElement[bool]:
    return (
        (conversations.c.channel == address.channel)
        & (conversations.c.account == address.account)
        & (conversations.c.chat == address.chat)
        & (conversations.c.thread == address.thread)
    )


def _update(connection: Connection, conversation_id: int, **values: object) -> None:
    changed = connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(**values))
    if changed.rowcount == 0:
        raise _no_conversation(conversation_id)


def _check_turn(connection: Connection, conversation_id: int, turn_id: int) -> None:
    if not tree.has(connection, conversation_id, turn_id):
        raise StorageError("storage.no_turn", turn=turn_id, conversation=conversation_id)


def _no_conversation(conversation_id: int) -> StorageError:
    return StorageError("storage.no_conversation", conversation=conversation_id)
