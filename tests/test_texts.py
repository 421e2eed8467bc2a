"""Texts: every language says the same, everything that is said exists, and everything that exists is said."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bot.errors import ParleyError
from bot.texts import LANGUAGES, Texts, closest_language, system_language, use_overlay

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("bot", "adapters", "storage", "scripts")
TABLES_WITH_NAMES = ("pyproject.toml", "bot/generation/catalog.toml")
"""Names that are put into keys, as in `f"commands.{name}"`, stand here as well."""


# -- what is there ------------------------------------------------------------------------------------------


@cache
def texts_of(language: str) -> dict[str, str]:
    """Every text by its whole key."""
    found = {}
    for path in sorted((ROOT / "prompts" / "languages" / language).glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found.update({f"{path.stem}.{name}": text for name, text in table.items()})
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


ENGLISH = texts_of("en")
FILES = {key.partition(".")[0] for key in ENGLISH}


# -- what is used -------------------------------------------------------------------------------------------


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(
        ast.parse(path.read_text(encoding="utf-8")) for name in SOURCES for path in (ROOT / name).rglob("*.py")
    )


def nodes() -> Iterator[ast.AST]:
    for tree in trees():
        yield from ast.walk(tree)


@cache
def constants() -> set[str]:
    """Every string in the source or in a table that names are taken from, and members of enumerations."""
    found = {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for node in nodes():
        if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases):
            members = (line.targets[0] for line in node.body if isinstance(line, ast.Assign))
            found.update(ast.unparse(member).lower() for member in members)
    for name in TABLES_WITH_NAMES:
        text = (ROOT / name).read_text(encoding="utf-8")
        found.update(re.findall(r'"([^"\n]+)"', text), re.findall(r"^(\w+) =", text, re.MULTILINE))
    return found


def patterns() -> Iterator[re.Pattern[str]]:
    """The keys that f-strings can make; what is put in is a group."""
    for node in nodes():
        if isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else "(.+)"
                for part in node.values
            ]
            yield re.compile("".join(parts))


def used_keys() -> set[str]:
    """The keys in the source: written out, or made by an f-string of a name that is written out somewhere."""
    made = [pattern for pattern in patterns() if pattern.pattern.partition("\\.")[0] in FILES]
    found = constants() & set(ENGLISH)
    for key in set(ENGLISH) - found:
        for pattern in made:
            match = pattern.fullmatch(key)
            if match and all(_is_written_out(name) for name in match.groups()):
                found.add(key)
    return found


def _is_written_out(name: str) -> bool:
    """Names with signs that a TOML key cannot have are put in with underscores."""
    return name in constants() or any(re.sub(r"[^A-Za-z0-9_-]", "_", text) == name for text in constants())


def calls_with_keys() -> Iterator[tuple[str, set[str]]]:
    """Key and values of each call whose first argument is a key, unless values come in a mapping."""
    for node in nodes():
        if not isinstance(node, ast.Call) or not node.args or any(word.arg is None for word in node.keywords):
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and _looks_like_a_key(first.value):
            yield first.value, {word.arg for word in node.keywords if word.arg}


def _looks_like_a_key(text: str) -> bool:
    name, _, entry = text.partition(".")
    return name in FILES and re.fullmatch(r"[a-z0-9_]+", entry) is not None


# -- checks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys(language: str) -> None:
    assert set(texts_of(language)) == set(ENGLISH)


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_a_translation_takes_the_same_values(key: str) -> None:
    for language in LANGUAGES:
        assert placeholders(texts_of(language).get(key, "")) == placeholders(ENGLISH[key]), language


def test_chinese_texts_are_chinese() -> None:
    untranslated = [key for key, text in texts_of("zh").items() if not re.search(r"[\u3000-\u9fff]", text)]
    assert [key for key in untranslated if re.search(r"[a-z]{2,} [a-z]{2,}", ENGLISH[key])] == []


def test_every_text_that_the_source_asks_for_is_there() -> None:
    asked = {key for key, _ in calls_with_keys()}
    assert asked, "the search finds nothing: it is broken"
    assert asked - set(ENGLISH) == set()


def test_every_text_is_given_the_values_that_it_needs() -> None:
    missing = {
        key: placeholders(ENGLISH[key]) - values
        for key, values in calls_with_keys()
        if key in ENGLISH and placeholders(ENGLISH[key]) - values
    }
    assert missing == {}


def test_no_text_is_left_over() -> None:
    assert set(ENGLISH) - used_keys() == set()


def test_a_text_is_told_in_the_language_asked_for() -> None:
    error = ParleyError("errors.config_file_missing", path="/x")
    assert error.told(Texts("zh")) == texts_of("zh")["errors.config_file_missing"].format(path="/x")
    assert str(error) == ENGLISH["errors.config_file_missing"].format(path="/x")


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"errors\.nonsense"):
        Texts("zh").get("errors.nonsense")


def test_an_own_text_takes_precedence_and_the_rest_stays(tmp_path: Path) -> None:
    own = tmp_path / "languages" / "zh" / "errors.toml"
    own.parent.mkdir(parents=True)
    own.write_text('config_file_missing = "没有 {path}"', encoding="utf-8")
    use_overlay(tmp_path)
    texts = Texts("zh")
    assert texts.get("errors.config_file_missing", path="x") == "没有 x"
    assert texts.get("errors.config_encoding", path="x") == texts_of("zh")["errors.config_encoding"].format(path="x")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-Hant-TW", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("ZH", "zh"),
        ("en-GB", "en"),
        ("de_DE", "en"),
        ("C.UTF-8", "en"),
        ("", "en"),
    ],
)
def test_the_nearest_language_is_chosen(tag: str, language: str) -> None:
    assert closest_language(tag) == language


def test_the_systems_language_follows_the_usual_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    assert system_language() == "zh"
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert system_language() == "en"
