"""The catalogue: models known by name, with what they need and where they come from; read from `catalog.toml`.

Knows nothing about what is installed, and fetches nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.errors import ModelError
from bot.generation.model import ModelFormat

FILE_NAME = "catalog.toml"
PACKAGED = Path(__file__).with_name(FILE_NAME)
DEFAULT_MODEL = "smollm2-135m-instruct"
SHORTEST_PART = 3
"""Fewer letters of a name stand in too many others to mean one."""
NEAR_ENOUGH, BEGINS_ALIKE = 0.5, 0.75
"""Likeness, by `difflib`, of a whole name and of its beginning."""
HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[\w./-]+\.gguf)|:(?P<quantization>[\w.-]+))?")
"""A model of a hub: `org/name`, `org/name/file.gguf` or `org/name:Q4_K_M`."""


def hub_folder(repo: str) -> str:
    """The folder below the models folder that a repository's files are kept in."""
    return repo.replace("/", "--")


class ModelKind(StrEnum):
    """What a model is for."""

    CHAT = "chat"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class PathSource:
    """A file on a disk that this machine sees."""

    path: str


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A file inside a wheel of a package index."""

    package: str
    version: str
    file: str


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A file at an address."""

    url: str


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a model hub's repository; without `file` all that belongs to its safetensors."""

    repo: str
    file: str = ""


Source = PathSource | PackageSource | UrlSource | HubSource


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be installed."""

    name: str
    file: str
    """Where it is put, below the models folder: a file, or a folder for all safetensors of a repository."""
    format: ModelFormat
    sources: tuple[Source, ...]
    """Tried in order."""
    title: str = ""
    kind: ModelKind = ModelKind.CHAT
    licence: str = ""
    """An SPDX expression; empty where it is not known."""
    size_bytes: int | None = None
    approximate: bool = False
    """Whether `size_bytes` is not known to the byte."""
    sha256: str = ""
    """Empty where it is not known for sure."""
    context_length: int | None = None
    """Tokens the model was made for."""
    memory_bytes: int | None = None
    """What it takes with a context of 4,096 tokens, about."""
    languages: tuple[str, ...] = ()
    quality: int = 0
    """1 to 10, an order among the entries and no benchmark's figure; 0 is unknown."""
    thinks: bool = False
    """Whether it writes down its reasoning before it answers."""
    companions: tuple[str, ...] = ()
    """Names of files beside `file` that belong to it."""

    @property
    def exact_size_bytes(self) -> int | None:
        """The size where it is known to the byte."""
        return None if self.approximate else self.size_bytes


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Entries by name, in the order of the file."""

    entries: Mapping[str, CatalogueEntry]

    def find(self, reference: str) -> CatalogueEntry | None:
        """The entry of that name, or that comes from that hub repository, whatever its case."""
        wanted = reference.lower()
        if entry := self.entries.get(wanted):
            return entry
        return next((entry for entry in self.entries.values() if wanted in _repos(entry)), None)

    def nearest(self, reference: str) -> list[str]:
        """Up to three names that `reference` may have meant, nearest first; none where nothing is near."""
        import difflib

        wanted = reference.lower().rsplit("/", 1)[-1]
        if len(wanted) < SHORTEST_PART:
            return []
        near = [name for name in self.entries if wanted in name]
        near += difflib.get_close_matches(wanted, self.entries, 3, NEAR_ENOUGH)
        # of names that begin alike, the first stays
        beginnings = {name[: len(wanted)]: name for name in reversed(tuple(self.entries))}
        near += [beginnings[begin] for begin in difflib.get_close_matches(wanted, beginnings, 3, BEGINS_ALIKE)]
        return list(dict.fromkeys(near))[:3]


def load_catalogue(models_folder: Path | None = None) -> Catalogue:
    """The packaged catalogue, with the entries of `models_folder/catalog.toml` before it where there is one.

    Raises:
        ModelError: a file is unreadable, or an entry lacks something or has something unknown.
    """
    entries = dict(_packaged())
    if models_folder is not None and (own := models_folder / FILE_NAME).is_file():
        entries = {**(added := _read(own)), **{name: entry for name, entry in entries.items() if name not in added}}
    return Catalogue(entries)


@lru_cache(maxsize=1)
def _packaged() -> Mapping[str, CatalogueEntry]:
    return _read(PACKAGED)


def _read(path: Path) -> dict[str, CatalogueEntry]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
        entries = [_entry(table) for table in tables]
    except KeyError as error:
        raise ModelError("models.catalogue_wrong", path=path, problem=f"no {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ModelError("models.catalogue_wrong", path=path, problem=error) from None
    return {entry.name: _placed(entry, path.parent) for entry in entries}


def _entry(table: Mapping[str, Any]) -> CatalogueEntry:
    """Every key of the table is a field of the entry; an unknown one is a TypeError that names it."""
    values = dict(table)
    values["name"] = str(values["name"]).lower()
    values["format"] = ModelFormat(values["format"])
    values["kind"] = ModelKind(values.get("kind", ModelKind.CHAT))
    values["sources"] = tuple(_source(source) for source in values["sources"])
    for key in ("languages", "companions"):
        values[key] = tuple(values.get(key, ()))
    entry = CatalogueEntry(**values)
    place = Path(entry.file)
    if not entry.file or place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{entry.name}: file {entry.file!r} is not below the models folder")
    return entry


def _source(table: Mapping[str, str]) -> Source:
    for key, kind in (("path", PathSource), ("package", PackageSource), ("url", UrlSource), ("repo", HubSource)):
        if key in table:
            source: Source = kind(**table)
            return source
    raise ValueError("a source needs path, package, url or repo")


def _placed(entry: CatalogueEntry, folder: Path) -> CatalogueEntry:
    """Paths of sources are relative to the catalogue's own folder."""
    if not any(isinstance(source, PathSource) for source in entry.sources):
        return entry
    sources = tuple(
        PathSource(str(folder / Path(source.path).expanduser())) if isinstance(source, PathSource) else source
        for source in entry.sources
    )
    return replace(entry, sources=sources)


def _repos(entry: CatalogueEntry) -> list[str]:
    return [source.repo.lower() for source in entry.sources if isinstance(source, HubSource)]
