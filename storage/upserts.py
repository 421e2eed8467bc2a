"""Inserts that pass over what is there already, in the words of each database."""

from __future__ import annotations

from sqlalchemy import Connection, Insert, Table


def insert_unless_there(connection: Connection, table: Table) -> Insert:
    """An insert that does nothing where a unique key is taken; with `returning`, it then gives no row."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
