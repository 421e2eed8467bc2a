"""The texts about models say the same in every language."""

from __future__ import annotations

import string
import tomllib
from importlib.resources import files

from bot.texts import LANGUAGES


def _placeholders(language: str) -> dict[str, set[str]]:
    text = (files("prompts") / "languages" / language / "models.toml").read_text(encoding="utf-8")
    parse = string.Formatter().parse
    return {key: {field for _, field, _, _ in parse(value) if field} for key, value in tomllib.loads(text).items()}


def test_every_language_has_the_same_texts_with_the_same_values() -> None:
    first, *others = (_placeholders(language) for language in LANGUAGES)
    for other in others:
        assert other == first
