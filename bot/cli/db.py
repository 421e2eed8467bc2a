"""`parley db`: bring the database up to date, back it up, restore it, say where it is, retry what was set aside."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bot.texts import Texts, system_language

MOST_RETRIED = 10_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("upgrade", help=told("storage.help_upgrade"), description=told("storage.help_upgrade"))
    backup = actions.add_parser("backup", help=told("storage.help_backup"), description=told("storage.help_backup"))
    backup.add_argument("file", nargs="?", type=Path, metavar="FILE", help=told("storage.help_backup_file"))
    restore = actions.add_parser("restore", help=told("storage.help_restore"), description=told("storage.help_restore"))
    restore.add_argument("file", type=Path, metavar="FILE", help=told("storage.help_restore_file"))
    actions.add_parser("retry", help=told("storage.help_retry"), description=told("storage.help_retry"))
    actions.add_parser("path", help=told("storage.help_path"), description=told("storage.help_path"))


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; the exit status.

    Raises:
        StorageError: it cannot be done.
    """
    actions = {"upgrade": _upgrade, "backup": _backup, "restore": _restore, "retry": _retry, "path": _path}
    actions[arguments.action](arguments)
    return 0


def _upgrade(arguments: argparse.Namespace) -> None:
    from storage.engine import make_engine
    from storage.location import locate
    from storage.migrations import HEAD
    from storage.opening import prepare

    location = locate(arguments.configuration.database_url)
    engine = make_engine(location)
    try:
        found = prepare(engine, location)
    finally:
        engine.dispose()
    key = "storage.created" if found is None else "storage.up_to_date" if found == HEAD else "storage.upgraded"
    print(arguments.texts.get(key, place=location, found=found, revision=HEAD))


def _backup(arguments: argparse.Namespace) -> None:
    from storage.backup import beside, copy
    from storage.location import file_of

    file = file_of(arguments.configuration.database_url)
    target = arguments.file.absolute() if arguments.file else beside(file, "backup-")
    copy(file, target)
    print(arguments.texts.get("storage.backed_up", path=target))


def _restore(arguments: argparse.Namespace) -> None:
    from storage.backup import restore
    from storage.location import file_of

    file = file_of(arguments.configuration.database_url)
    restored = restore(arguments.file.absolute(), file)
    print(arguments.texts.get("storage.restored", place=file))
    if restored.kept:
        print(arguments.texts.get("storage.kept", path=restored.kept))
    if restored.waiting.arrivals or restored.waiting.parcels:
        found = {"arrivals": restored.waiting.arrivals, "parcels": restored.waiting.parcels}
        print(arguments.texts.get("storage.restored_waiting", **found))


def _retry(arguments: argparse.Namespace) -> None:
    count, arrivals = asyncio.run(_revive(arguments.configuration.database_url))
    print(arguments.texts.get("storage.revived", count=count))
    if arrivals:
        print(arguments.texts.get("storage.revived_arrivals", count=arrivals))


async def _revive(url: str) -> tuple[int, int]:
    from storage import open_books

    async with open_books(url) as books:
        dead = await books.ledger.dead(limit=MOST_RETRIED)
        for parcel in reversed(dead):
            await books.ledger.revive(parcel.id)
        return len(dead), await books.ledger.revive_arrivals()


def _path(arguments: argparse.Namespace) -> None:
    from storage.location import locate

    print(locate(arguments.configuration.database_url))
