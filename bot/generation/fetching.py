"""What every way of fetching a model shares: who watches, hashes taken on the way, disk space, the lock.

Knows nothing about where models come from.
"""

from __future__ import annotations

import errno
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from bot.errors import DownloadError, ModelError
from bot.generation.hardware import disk_free_bytes
from bot.generation.sizes import format_size

CHUNK_BYTES = 1 << 20
SPACE_MARGIN = 1.05
LOCK_POLL_SECONDS = 0.2
FULL = (errno.ENOSPC, errno.EDQUOT)


class Watcher(Protocol):
    """Told what an installation does; for a progress bar and a few sentences."""

    def news(self, key: str, /, **values: object) -> None:
        """Something worth a sentence: the key of a text, and its values."""

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """How much there is; called often, also with less than before when something starts again."""

    def failure(self, error: ModelError) -> None:
        """A source failed, and another one is tried."""


class Silence:
    """A watcher that looks away."""

    def news(self, key: str, /, **values: object) -> None:
        """Say nothing."""

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Show nothing."""

    def failure(self, error: ModelError) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file or folder that is complete but not yet in its place."""

    path: Path
    sha256: str = ""
    """Of the file; empty for a folder, and where it was not computed on the way."""


# -- hashing ------------------------------------------------------------------------------------------------


def copy_hashed(source: IO[bytes], target: BinaryIO, *, total_bytes: int | None, watcher: Watcher) -> str:
    """Copy to the end and return the SHA-256 of what was copied."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        target.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        watcher.progress(done, total_bytes)
    return digest.hexdigest()


def hash_file(path: Path, watcher: Watcher | None = None) -> str:
    """The SHA-256 of a file; the watcher sees it being read."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if watcher:
                watcher.progress(done, total)
    return digest.hexdigest()


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def record_hash(path: Path, sha256: str) -> None:
    """Keep the hash of a verified file beside it, as `sha256sum` writes it, so that it need not be taken again."""
    _record_of(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def recorded_hash(path: Path, *, however_old: bool = False) -> str:
    """The hash that was recorded since the file last changed, or at any time; empty where there is none."""
    record = _record_of(path)
    try:
        fresh = however_old or record.stat().st_mtime_ns >= path.stat().st_mtime_ns
        return record.read_text(encoding="utf-8").partition(" ")[0] if fresh else ""
    except OSError:
        return ""


def forget_hash(path: Path) -> None:
    """Remove what `record_hash` kept."""
    _record_of(path).unlink(missing_ok=True)


# -- disk ---------------------------------------------------------------------------------------------------

FreeBytes = Callable[[Path], int]


def check_space(folder: Path, need_bytes: int, free_bytes: FreeBytes = disk_free_bytes) -> None:
    """Refuse a download that the disk cannot hold with 5 % to spare.

    Raises:
        DownloadError: too little is free; says how much is needed.
    """
    need, free = int(need_bytes * SPACE_MARGIN), free_bytes(folder)
    if need > free:
        raise DownloadError("models.disk_full", folder=folder, need=format_size(need), free=format_size(free))


@contextmanager
def telling_disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk and a folder that cannot be written into a DownloadError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError("models.disk_filled_up", folder=folder) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise DownloadError("models.folder_read_only", folder=folder) from error
        raise DownloadError("models.disk_failed", folder=folder, problem=error.strerror or error) from error


# -- one at a time ------------------------------------------------------------------------------------------


@contextmanager
def lock(path: Path, *, on_wait: Callable[[], None], wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold a lock between processes; the system lets go of it when this process ends, however it ends.

    Args:
        path: the lock's file, which stays: removing it would let two processes hold locks of the same name.
        on_wait: called once if another process holds it.
        wait: sleeps for the seconds given.
    """
    with path.open("a+b") as file:
        told = False
        while not _try_lock(file):
            if not told:
                on_wait()
                told = True
            wait(LOCK_POLL_SECONDS)
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def check_hash(path: Path, *, sha256: str, expected: str, source: str) -> None:
    """Compare a fetched file's hash with the one it must have.

    Raises:
        DownloadError: they differ; the file is removed, as none of it can be trusted.
    """
    if expected and sha256 != expected.lower():
        path.unlink(missing_ok=True)
        raise DownloadError("models.wrong_hash", source=source, sha256=sha256, expected=expected)
