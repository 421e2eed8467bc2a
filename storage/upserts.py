"""Inserts that pass over what is there already, in the words of each database."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Insert, Table


def insert_unless_there(connection: Connection, table: Table) -> Insert:
    """An insert that does nothing where a unique key is taken."""
    return _insert(connection.dialect.name, table)


def insert_and_tell(connection: Connection, table: Table, told: Column[Any]) -> Any:
    """The same, giving one column of the row; where a key is taken, it gives no row."""
    return _telling_insert(connection.dialect.name, table, told)


@cache
def _insert(dialect: str, table: Table) -> Insert:
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()


@cache
def _telling_insert(dialect: str, table: Table, told: Column[Any]) -> Any:
    return _insert(dialect, table).returning(told)
