"""What finds turns again: entries, vectors, full text, and the triggers that keep all three right."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What is said of a turn also says something of the next one, which is embedded together with it.
SQLITE = (
    "CREATE VIRTUAL TABLE turn_words USING fts5"
    "(terms, tokenize=\"porter unicode61 remove_diacritics 0 categories 'L* N* M* Co'\", columnsize=0)",
    """CREATE TRIGGER turn_added AFTER INSERT ON turns BEGIN
        INSERT INTO unindexed (turn_id) VALUES (new.id);
    END""",
    """CREATE TRIGGER turn_changed AFTER UPDATE OF text, parent_id ON turns
    WHEN old.text IS NOT new.text OR old.parent_id IS NOT new.parent_id BEGIN
        INSERT INTO untidied (turn_id) SELECT turn_id FROM turn_index WHERE turn_id = old.id;
        DELETE FROM turn_words WHERE rowid = old.id;
        DELETE FROM turn_index WHERE turn_id = old.id;
        DELETE FROM turn_vectors WHERE turn_id = old.id
            OR turn_id IN (SELECT id FROM turns WHERE parent_id = old.id);
        DELETE FROM unindexed WHERE turn_id = old.id OR turn_id IN (SELECT id FROM turns WHERE parent_id = old.id);
        INSERT INTO unindexed (turn_id) SELECT old.id UNION SELECT id FROM turns WHERE parent_id = old.id;
    END""",
    """CREATE TRIGGER turn_deleted AFTER DELETE ON turns BEGIN
        INSERT INTO untidied (turn_id) SELECT turn_id FROM turn_index WHERE turn_id = old.id;
        DELETE FROM turn_words WHERE rowid = old.id;
        DELETE FROM turn_index WHERE turn_id = old.id;
        DELETE FROM turn_vectors WHERE turn_id = old.id;
        DELETE FROM unindexed WHERE turn_id = old.id;
    END""",
)
POSTGRESQL = (
    "CREATE TABLE turn_words (turn_id INTEGER PRIMARY KEY, terms TSVECTOR NOT NULL)",
    "CREATE INDEX ix_turn_words_terms ON turn_words USING gin (terms)",
    """CREATE FUNCTION turn_written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO unindexed (turn_id) VALUES (new.id);
            RETURN NULL;
        END IF;
        DELETE FROM turn_words WHERE turn_id = old.id;
        DELETE FROM turn_index WHERE turn_id = old.id;
        DELETE FROM turn_vectors WHERE turn_id = old.id;
        DELETE FROM unindexed WHERE turn_id = old.id;
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM turn_vectors WHERE turn_id IN (SELECT id FROM turns WHERE parent_id = old.id);
            DELETE FROM unindexed WHERE turn_id IN (SELECT id FROM turns WHERE parent_id = old.id);
            INSERT INTO unindexed (turn_id) SELECT old.id UNION SELECT id FROM turns WHERE parent_id = old.id;
        END IF;
        RETURN NULL;
    END $$""",
    "CREATE TRIGGER turn_added AFTER INSERT OR DELETE ON turns FOR EACH ROW EXECUTE FUNCTION turn_written()",
    "CREATE TRIGGER turn_changed AFTER UPDATE OF text, parent_id ON turns FOR EACH ROW"
    " WHEN (old.text IS DISTINCT FROM new.text OR old.parent_id IS DISTINCT FROM new.parent_id)"
    " EXECUTE FUNCTION turn_written()",
)


def upgrade() -> None:
    """Make the tables; everything that was said before is still to be indexed."""
    op.create_table(
        "unindexed",
        sa.Column("stamp", sa.Integer, nullable=False),
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("stamp", name="pk_unindexed"),
        sa.UniqueConstraint("turn_id", name="uq_unindexed_turn_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turn_index",
        sa.Column("stamp", sa.Integer, nullable=False),
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.Column("conversation_id", sa.Integer, nullable=False),
        sa.Column("previous_id", sa.Integer, nullable=False),
        sa.Column("said_minute", sa.Integer, nullable=False),
        sa.Column("speaker", sa.String, nullable=False),
        sa.Column("marks", sa.Integer, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("signs", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("stamp", name="pk_turn_index"),
        sa.UniqueConstraint("turn_id", name="uq_turn_index_turn_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turn_index_model", "turn_index", ["model"])
    op.create_table(
        "untidied",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_untidied"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turn_vectors",
        sa.Column("turn_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("turn_id", name="pk_turn_vectors"),
    )
    op.execute("INSERT INTO unindexed (turn_id) SELECT id FROM turns ORDER BY id")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
