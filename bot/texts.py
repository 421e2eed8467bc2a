"""Texts that people read, one folder a language under `prompts/languages/`; knows nothing of who reads them.

A key is `FILE.NAME`; values are put in by `str.format`. Files of the same name in the user's own prompts folder
(`use_overlay`) take precedence, key by key. A text that a language lacks is taken from English.
"""

from __future__ import annotations

import locale
import os
import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

LANGUAGES = ("en", "zh")
FALLBACK = "en"

_overlays: list[Path] = []


def use_overlay(folder: Path | None) -> None:
    """Read texts from `folder` (laid out like `prompts/`) before the packaged ones; None goes back to those alone."""
    _overlays[:] = [] if folder is None else [folder]
    _table.cache_clear()


@lru_cache(maxsize=64)
def _table(language: str, name: str) -> dict[str, str]:
    table: dict[str, str] = {}
    packaged = files("prompts") / "languages" / language / f"{name}.toml"
    if packaged.is_file():
        table.update(tomllib.loads(packaged.read_text(encoding="utf-8")))
    for folder in _overlays:
        path = folder / "languages" / language / f"{name}.toml"
        if path.is_file():
            table.update(tomllib.loads(path.read_text(encoding="utf-8")))
    return table


def closest_language(tag: str) -> str:
    """The supported language nearest to an IETF or POSIX tag such as `zh-Hant-TW` or `zh_CN.UTF-8`; else English."""
    primary = tag.replace("_", "-").split("-")[0].split(".")[0].lower()
    return primary if primary in LANGUAGES else FALLBACK


def system_language() -> str:
    """The language of the environment, by the usual variables in their usual order."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return closest_language(value)
    return closest_language(locale.getlocale()[0] or FALLBACK)


class Texts:
    """The texts of one language."""

    __slots__ = ("language",)

    def __init__(self, language: str) -> None:
        self.language = closest_language(language)

    def get(self, key: str, /, **values: object) -> str:
        """The text of `key` with `values` put in.

        Raises:
            KeyError: no language has the key.
        """
        text = self.find(key)
        if text is None:
            raise KeyError(key)
        return text.format(**values) if values else text

    def find(self, key: str) -> str | None:
        """The text of `key` as it stands; None where no language has it, as may be with a plugin's."""
        name, _, entry = key.partition(".")
        found = (_table(language, name).get(entry) for language in (self.language, FALLBACK))
        return next((text for text in found if text is not None), None)
