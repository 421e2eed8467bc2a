"""Checks of the machine and of what is kept on it: processor, graphics, data folder, database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.checks import Finding, Patient, Status
from bot.errors import StorageError
from bot.folders import is_own, is_seen, may, nearest_existing
from bot.generation.sizes import format_size

if TYPE_CHECKING:
    from sqlalchemy import Connection

LITTLE_DISK_BYTES = 1_000_000_000
NO_DISK_BYTES = 50_000_000
READABLE = stat.S_IRGRP | stat.S_IROTH
"""By others than the owner."""
LOCK_SECONDS = 3.0
"""How long another program may hold the database before that is worth telling."""


def check_processor(patient: Patient) -> Finding:
    """Cores that may be used, and the threads that were configured or are chosen."""
    from bot.generation.hardware import free_threads, usable_cores

    usable, cores = usable_cores(), os.cpu_count() or 1
    configured = patient.configuration.settings.model.threads
    threads = configured or free_threads()
    found = patient.tell("doctor.processor", usable=usable, cores=cores, threads=threads)
    if configured is None:
        return Finding(found, patient.tell("doctor.threads_chosen"))
    origin = patient.configuration.origins.get("model.threads", "")
    why = patient.tell("doctor.threads_configured", origin=origin)
    if configured > usable:
        return Finding(found, why, patient.tell("doctor.mend_processor"), Status.WARNING)
    return Finding(found, why)


def check_graphics(patient: Patient) -> Finding:
    """Graphics processors; one that the default generator would leave idle is worth knowing of."""
    from bot.generation.hardware import find_gpus, llamacpp_sees_gpu

    gpus = find_gpus()
    if not gpus:
        return Finding(patient.tell("doctor.no_gpu"))
    listed = ", ".join(
        f"{gpu.name} ({format_size(gpu.memory_free_bytes)} / {format_size(gpu.memory_total_bytes)})" for gpu in gpus
    )
    found = patient.tell("doctor.gpus", gpus=listed)
    if patient.model is not None and patient.model.format == "gguf" and not llamacpp_sees_gpu():
        return Finding(found, patient.tell("doctor.gpu_idle"), patient.tell("doctor.mend_graphics"), Status.WARNING)
    return Finding(found)


def check_folder(patient: Patient) -> Finding:
    """Whether the data folder can be written, has room, and is closed to others."""
    from bot.generation.hardware import disk_free_bytes

    home = patient.configuration.home
    free = disk_free_bytes(home)
    found = patient.tell("doctor.folder", path=home, free=format_size(free))
    why = patient.tell("doctor.folder_origin")
    existing = nearest_existing(home)
    if not existing.is_dir() or not may(existing, os.W_OK | os.X_OK):
        told = patient.tell("doctor.folder_not_writable", path=existing)
        mend = "doctor.mend_folder" if is_own(existing) else "doctor.mend_folder_elsewhere"
        return Finding(f"{found} {told}", why, patient.tell(mend), Status.BROKEN)
    if free < LITTLE_DISK_BYTES:
        status = Status.BROKEN if free < NO_DISK_BYTES else Status.WARNING
        return Finding(found, why, patient.tell("doctor.mend_disk"), status)
    if exposed := _exposed(home):
        told = patient.tell("doctor.folder_open", names=", ".join(exposed))
        mend = "doctor.mend_folder_open" if is_own(home) else "doctor.mend_folder_elsewhere"
        return Finding(f"{found} {told}", why, patient.tell(mend, path=home), Status.WARNING)
    return Finding(found, why)


def _exposed(home: Path) -> list[str]:
    """What other users can read: the data folder itself, and files in its top, where conversations lie."""
    if os.name != "posix" or not home.is_dir():
        return []
    mode = home.stat().st_mode
    files = sorted(home.iterdir()) if mode & (stat.S_IXGRP | stat.S_IXOTH) else []
    readable = [path.name for path in files if path.is_file() and path.stat().st_mode & READABLE]
    return [str(home), *readable] if mode & READABLE else readable


def check_database(patient: Patient) -> Finding:
    """Whether the database opens, is ours, of a known revision and can be written; nothing is made or migrated."""
    from storage.failures import find_barrier
    from storage.location import locate

    location = locate(patient.configuration.database_url)
    if location.file is not None and not is_seen(location.file):
        if barrier := find_barrier(location.file):
            raise barrier
        return Finding(patient.tell("doctor.database_later", place=location))
    return _opened(patient)


def check_integrity(patient: Patient) -> Finding:
    """Whether the database is sound, all of it; one that cannot be read is not for that reason damaged."""
    from sqlalchemy import text

    from storage.failures import DAMAGES
    from storage.location import locate

    location = locate(patient.configuration.database_url)
    if location.file is None or not is_seen(location.file):
        return Finding(patient.tell("doctor.integrity_elsewhere"))
    try:
        with _connection(patient) as connection:
            result = str(connection.scalar(text("PRAGMA quick_check(1)")))
    except StorageError as error:
        if error.key in DAMAGES:
            raise
        told = patient.tell("doctor.integrity_unknown", problem=error.told(patient.texts))
        return Finding(told, mend=patient.tell("doctor.mend_database"), status=Status.BROKEN)
    return _integrity(patient, result)


@contextmanager
def _connection(patient: Patient) -> Iterator[Connection]:
    """A connection to the database that is there; it changes nothing, and what goes wrong is told."""
    from storage.engine import make_engine
    from storage.failures import explained
    from storage.location import locate

    location = locate(patient.configuration.database_url)
    engine = make_engine(location, busy_timeout_seconds=LOCK_SECONDS)
    try:
        with explained(location), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _opened(patient: Patient) -> Finding:
    """Open the database, read its revision, and ask the system whether it could be written."""
    from storage.failures import find_barrier
    from storage.location import locate
    from storage.migrations import HEAD
    from storage.opening import find_revision

    location = locate(patient.configuration.database_url)
    with _connection(patient) as connection:
        revision = find_revision(connection, location, head=HEAD)
    if location.file and (barrier := find_barrier(location.file)):
        raise barrier
    size = format_size(location.file.stat().st_size) if location.file else "–"
    found = patient.tell("doctor.database", place=location, size=size, revision=revision or "–")
    return Finding(found, "" if revision == HEAD else patient.tell("doctor.database_upgrade", revision=HEAD))


def _integrity(patient: Patient, result: str) -> Finding:
    if result == "ok":
        return Finding(patient.tell("doctor.integrity"))
    found = patient.tell("doctor.integrity_lost", problem=result)
    return Finding(found, mend=patient.tell("doctor.mend_integrity"), status=Status.BROKEN)
