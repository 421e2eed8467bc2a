"""Personas: the standing prompts, one text file each, in `prompts/personas/` and in the user's own prompts folder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from bot.errors import ConfigurationError

SUFFIX = ".md"
REREAD_SECONDS = 2.0
"""After so long a file is read again, since people edit them while the program runs; not for every message."""


class Personas:
    """Finds `NAME.LANGUAGE.md`, else `NAME.md`; the user's own folder first."""

    def __init__(self, own_folder: Path | None = None, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._folders: list[Traversable] = [files("prompts") / "personas"]
        if own_folder is not None:
            self._folders.insert(0, own_folder)
        self._seconds = seconds
        self._read: dict[tuple[str, str], tuple[float, str]] = {}

    def prompt(self, name: str, language: str) -> str:
        """The standing prompt of the persona in a language.

        Raises:
            ConfigurationError: there is no such persona.
        """
        read_at, prompt = self._read.get((name, language), (-math.inf, ""))
        if self._seconds() - read_at >= REREAD_SECONDS:
            prompt = self._look_up(name, language)
            self._read[name, language] = self._seconds(), prompt
        return prompt

    def _look_up(self, name: str, language: str) -> str:
        for file_name in (f"{name}.{language}{SUFFIX}", f"{name}{SUFFIX}"):
            for folder in self._folders:
                path = folder / file_name
                if _is_plain(name) and path.is_file():
                    return path.read_text(encoding="utf-8").strip()
        raise ConfigurationError("commands.persona_unknown", name=name, names=", ".join(self.names()))

    def names(self) -> list[str]:
        """Every persona, sorted."""
        found: set[str] = set()
        for folder in self._folders:
            if folder.is_dir():
                found.update(entry.name.split(".")[0] for entry in folder.iterdir() if entry.name.endswith(SUFFIX))
        return sorted(found)


def _is_plain(name: str) -> bool:
    """Whether the name stays within the folder."""
    return bool(name) and not set(name) & set("/\\.")
