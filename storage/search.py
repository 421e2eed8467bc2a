"""Full text, entries and vectors of turns in a database: the `SearchIndex` of `bot.memory.index`.

Triggers (see the migration) take a turn out of the index in the transaction that changes or deletes it, and put what is
new into `unindexed`: appending a turn costs one more row, and what a crash leaves behind is read later. Full text is
FTS5 on SQLite, `tsvector` on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, TextClause, delete, func, insert, select, text

from bot.memory.index import Embedding, Entry, Ids, StampedEntry, Unread
from bot.types import Turn
from storage.engine import Database
from storage.rows import turn_of
from storage.tables import turn_index, turn_vectors, turns, unindexed, untidied

MOST_IDS = 500
"""In one statement."""
TIDY_PAGES = 500
"""Written by one `tidy`: some ten milliseconds."""

_POSTING = {
    "sqlite": (
        "(SELECT group_concat(rowid) FROM"
        " (SELECT rowid FROM turn_words WHERE turn_words MATCH :term{} ORDER BY rowid DESC LIMIT :most))"
    ),
    "postgresql": (
        "(SELECT string_agg(CAST(turn_id AS text), ',') FROM"
        " (SELECT turn_id FROM turn_words WHERE terms @@ to_tsquery('english', :term{0}) LIMIT :most) AS found{0})"
    ),
}
_FORGET_WORDS = {
    "sqlite": text("DELETE FROM turn_words WHERE rowid = :turn"),
    "postgresql": text("DELETE FROM turn_words WHERE turn_id = :turn"),
}
_KEEP_WORDS = {
    "sqlite": text("INSERT INTO turn_words (rowid, terms) VALUES (:turn, :terms)"),
    "postgresql": text("INSERT INTO turn_words VALUES (:turn, strip(to_tsvector('english', :terms)))"),
}
_ONE_WRITER = text("LOCK TABLE turn_index IN SHARE ROW EXCLUSIVE MODE")
"""Else a stamp could become visible after a later one, and whoever reads the new ones would miss it."""
_MERGE = text("INSERT INTO turn_words (turn_words, rank) VALUES ('merge', :pages)")

_previous = turns.alias("previous")
_PREVIOUS_SPEAKER = func.coalesce(_previous.c.speaker, _previous.c.author_name).label("previous_speaker")
_ENTRIES = select(*(turn_index.c[name] for name in StampedEntry._fields)).order_by(turn_index.c.stamp)


class SqlSearchIndex:
    """The index over one open database. Its methods may be called at once, by any number of tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- keeping --------------------------------------------------------------------------------------------

    async def unread(self, *, limit: int) -> list[Unread]:
        """Turns that are to be entered, newest first."""
        query = _read_anew(unindexed).order_by(unindexed.c.turn_id.desc()).limit(limit)
        return await self._database.read(lambda connection: [_unread_of(row) for row in connection.execute(query)])

    async def enter(self, entries: Sequence[Entry]) -> None:
        """Keep the entries; of a turn that changed or went since it was read, nothing is kept."""
        await self._database.write(lambda connection: _enter(connection, entries))

    async def unembedded(self, model: str, *, limit: int) -> list[Unread]:
        """Entered turns without vectors of that model, newest first."""
        # two ranges of the index instead of all that are not equal to one value
        others = [
            _read_anew(turn_index).where(side) for side in (turn_index.c.model < model, turn_index.c.model > model)
        ]

        def find(connection: Connection) -> list[Unread]:
            found = [_unread_of(row) for query in others for row in connection.execute(query.limit(limit))]
            return sorted(found, key=lambda unread: -unread.turn.id)[:limit]

        return await self._database.read(find)

    async def embed(self, model: str, embeddings: Sequence[Embedding]) -> None:
        """Keep the vectors; of a turn that changed or went since it was read, nothing is kept."""
        await self._database.write(lambda connection: _embed(connection, model, embeddings))

    # -- finding --------------------------------------------------------------------------------------------

    async def entries(self, *, after: int, limit: int) -> list[StampedEntry]:
        """Entries with stamps after that one, in order."""
        query = _ENTRIES.where(turn_index.c.stamp > after).limit(limit)
        return await self._database.read(lambda connection: [*map(StampedEntry._make, connection.execute(query))])

    async def postings(self, terms: Sequence[str], *, limit: int) -> dict[str, Ids]:
        """For each term the ids of turns that have it, at most `limit`; for `x*` any term that begins so."""
        return await self._database.read(lambda connection: _postings(connection, terms, limit))

    async def vectors(self, turn_ids: Sequence[int], *, model: str) -> dict[int, bytes]:
        """The vectors of that model of those turns that are still there, as they were kept."""
        is_same = turn_index.c.turn_id == turn_vectors.c.turn_id
        query = select(turn_vectors.c.turn_id, turn_vectors.c.vectors, turn_index.c.model).join(turn_index, is_same)

        def find(connection: Connection) -> dict[int, bytes]:
            # not asked of the database, which would go through all turns of the model
            rows = _in(connection, query, turn_vectors.c.turn_id, turn_ids)
            return {turn_id: vectors for turn_id, vectors, its_model in rows if its_model == model}

        return await self._database.read(find)

    async def turns(self, turn_ids: Sequence[int]) -> dict[int, Turn]:
        """Those turns that are still there."""
        return await self._database.read(
            lambda connection: {row.id: turn_of(row) for row in _in(connection, select(turns), turns.c.id, turn_ids)}
        )

    # -- erasing --------------------------------------------------------------------------------------------

    async def tidy(self) -> bool:
        """Do a little of what makes deleted terms vanish from the file; whether there is more to do.

        FTS5 notes that a turn is gone, and drops its terms when it merges
        (https://sqlite.org/fts5.html#the_merge_command). PostgreSQL does so by itself, when it vacuums.
        """
        return await self._database.write(_tidy)


def _read_anew(marks: Table) -> Select[Any]:
    """The turns that `marks` names, each with the stamp there and with what was said before it."""
    return (
        select(turns, marks.c.stamp, _previous.c.text.label("previous_text"), _PREVIOUS_SPEAKER)
        .join(marks, marks.c.turn_id == turns.c.id)
        .outerjoin(_previous, _previous.c.id == turns.c.parent_id)
    )


def _unread_of(row: Any) -> Unread:
    return Unread(row.stamp, turn_of(row), row.previous_text or "", row.previous_speaker or "")


def _enter(connection: Connection, entries: Sequence[Entry]) -> None:
    _lock(connection)
    left = _in(connection, select(unindexed.c.stamp), unindexed.c.stamp, [entry.stamp for entry in entries])
    stamps = {stamp for (stamp,) in left}
    # in order, since pages that are filled from behind stay half empty
    kept = sorted((entry for entry in entries if entry.stamp in stamps), key=lambda entry: entry.turn_id)
    if not kept:
        return
    dialect, ids = connection.dialect.name, [entry.turn_id for entry in kept]
    for table in (unindexed, turn_index, turn_vectors):
        _delete(connection, table.c.turn_id, ids)
    connection.execute(_FORGET_WORDS[dialect], [{"turn": turn_id} for turn_id in ids])
    connection.execute(_KEEP_WORDS[dialect], [{"turn": entry.turn_id, "terms": entry.terms} for entry in kept])
    connection.execute(insert(turn_index), [_columns_of(entry) for entry in kept])


def _columns_of(entry: Entry) -> dict[str, object]:
    return {
        "turn_id": entry.turn_id,
        "conversation_id": entry.conversation_id,
        "previous_id": entry.previous_id,
        "said_minute": int(entry.said_at.timestamp() // 60),
        "speaker": entry.speaker,
        "marks": int(entry.marks),
        "length": entry.length,
        "model": "",
        "signs": b"",
    }


def _embed(connection: Connection, model: str, embeddings: Sequence[Embedding]) -> None:
    _lock(connection)
    by_stamp = {each.stamp: each for each in embeddings}
    rows = _in(connection, select(turn_index), turn_index.c.stamp, [*by_stamp])
    found = {row.stamp: row._asdict() for row in sorted(rows, key=lambda row: row.turn_id)}
    if not found:
        return
    ids = [row["turn_id"] for row in found.values()]
    for table in (turn_index, turn_vectors):
        _delete(connection, table.c.turn_id, ids)
    kept = [{"turn_id": row["turn_id"], "vectors": by_stamp[stamp].vectors} for stamp, row in found.items()]
    connection.execute(insert(turn_vectors), kept)
    anew = {stamp: {**row, "model": model, "signs": by_stamp[stamp].signs} for stamp, row in found.items()}
    for row in anew.values():
        del row["stamp"]  # a later one is given
    connection.execute(insert(turn_index), [*anew.values()])


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_WRITER)


def _postings(connection: Connection, terms: Sequence[str], limit: int) -> dict[str, Ids]:
    if not terms:
        return {}
    import numpy as np

    dialect = connection.dialect.name
    values = {f"term{place}": _query(term, dialect) for place, term in enumerate(terms)}
    found = connection.execute(_select_postings(dialect, len(terms)), {**values, "most": limit}).one()
    # the ids of a term as one text: as rows they would take thrice as long
    return {term: np.fromstring(ids or "", np.int64, sep=",") for term, ids in zip(terms, found, strict=True)}


@cache
def _select_postings(dialect: str, count: int) -> TextClause:
    """All terms at once, since one more statement takes longer than one more rare term."""
    return text(f"SELECT {', '.join(_POSTING[dialect].format(place) for place in range(count))}")


def _query(term: str, dialect: str) -> str:
    """A term is letters, digits and marks; quoted all the same, so that none is an operator."""
    word, is_prefix = term.rstrip("*"), term.endswith("*")
    if dialect == "sqlite":
        return f'"{word}" *' if is_prefix else f'"{word}"'
    return f"'{word}':*" if is_prefix else f"'{word}'"


def _in(connection: Connection, query: Select[Any], column: ColumnElement[int], values: Sequence[int]) -> Iterator[Any]:
    """The rows of the query where the column is one of the values."""
    for some in _portions(values):
        yield from connection.execute(query.where(column.in_(some)))


def _delete(connection: Connection, column: Column[int], values: Sequence[int]) -> None:
    for some in _portions(values):
        connection.execute(delete(column.table).where(column.in_(some)))


def _portions(values: Sequence[int]) -> Iterator[Sequence[int]]:
    return (values[start : start + MOST_IDS] for start in range(0, len(values), MOST_IDS))


def _tidy(connection: Connection) -> bool:
    if connection.scalar(select(untidied.c.id).limit(1)) is None:
        return False
    driver: Any = connection.connection.driver_connection
    before = driver.total_changes
    # a negative number merges everything there is, a positive one only what has become much
    connection.execute(_MERGE, {"pages": -TIDY_PAGES})
    if driver.total_changes - before >= 2:
        return True
    connection.execute(delete(untidied))
    return False
