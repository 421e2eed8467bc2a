"""The history of the tables, and the one place that runs Alembic.

Revisions are four digits in order, so that a later one is known without reading any. Alembic takes 0.3 s to import and
is imported only where a migration runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

HEAD = "0006"
"""The newest revision; what the tables of `storage.tables` are."""

OUR_TABLES = frozenset({"alembic_version", "conversations", "turns"})
"""What every revision has; a database without them is another program's."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Migrations:
    """Revisions up to `head`, in these folders."""

    head: str
    folders: tuple[Path, ...]

    def run(self, connection: Connection) -> None:
        """Bring the database to `head`, inside the connection's transaction: wholly, or not at all."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _escaped(_FOLDER))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(map(_escaped, self.folders)))
        config.attributes["connection"] = connection
        command.upgrade(config, self.head)


SHIPPED = Migrations(HEAD, (_FOLDER / "versions",))


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
