"""Makes the folders that a person's data lies in; knows nothing of what is put there."""

from __future__ import annotations

from pathlib import Path

FOLDER_MODE = 0o700


def make_private_folder(folder: Path) -> None:
    """Make sure that the folder is there; it, and what is missing above it, is made for its owner alone.

    `Path.mkdir(parents=True)` gives its mode to the last folder only, which may be one inside the data folder.
    """
    missing = [path for path in folder.parents if not path.exists()]
    for path in (*reversed(missing), folder):
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
