"""Personas: the standing prompts, one text file each, in `prompts/personas/` and in the user's own prompts folder."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from bot.errors import ConfigurationError

SUFFIX = ".md"


class Personas:
    """Finds `NAME.LANGUAGE.md`, else `NAME.md`; the user's own folder first."""

    def __init__(self, own_folder: Path | None = None) -> None:
        self._folders: list[Traversable] = [files("prompts") / "personas"]
        if own_folder is not None:
            self._folders.insert(0, own_folder)

    def prompt(self, name: str, language: str) -> str:
        """The standing prompt of the persona in a language.

        Raises:
            ConfigurationError: there is no such persona.
        """
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
