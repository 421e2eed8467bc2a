"""Makes the folders that a person's data lies in, and tells what this user may do there; knows nothing of the data."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_MODE = 0o700


def make_private_folder(folder: Path) -> None:
    """Make sure that the folder is there; it, and what is missing above it, is made for its owner alone.

    `Path.mkdir(parents=True)` gives its mode to the last folder only, which may be one inside the data folder.
    """
    missing = [path for path in folder.parents if not path.exists()]
    for path in (*reversed(missing), folder):
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def nearest_existing(path: Path) -> Path:
    """The path itself, or the folder above it in which the missing part would be made."""
    return next(place for place in (path, *path.parents) if is_seen(place))


def is_seen(path: Path) -> bool:
    """Whether it exists; what lies where this user may not look does not."""
    try:
        return path.exists()
    except OSError:
        return False


def may(path: Path, mode: int) -> bool:
    """Whether this user may do that (`os.R_OK`, ...) with what is there."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def is_own(path: Path) -> bool:
    """Whether what is there belongs to this user, whose rights there may be changed without harm to others."""
    return os.name == "nt" or path.stat().st_uid == os.geteuid()
