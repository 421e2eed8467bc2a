"""A model is installed whole and verified, or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import DownloadError, ModelError
from bot.generation.catalog import CatalogueEntry, PathSource, UrlSource
from bot.generation.fetching import lock, recorded_hash
from bot.generation.install import NoSourceWorked, describe, install, remove
from bot.generation.model import ModelFormat
from bot.texts import Texts
from tests.generation.gguf_files import sha256_of, write_gguf
from tests.generation.watching import Notebook
from tests.servers.files_server import FilesServer

NOBODY = 65534


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A model on a disk."""
    return write_gguf(tmp_path / "original.gguf")


@pytest.fixture
def entry(original: Path) -> CatalogueEntry:
    """That model as a catalogue has it."""
    content = original.read_bytes()
    return CatalogueEntry(
        "tiny",
        "tiny.gguf",
        ModelFormat.GGUF,
        (PathSource(str(original)),),
        size_bytes=len(content),
        sha256=sha256_of(content),
    )


def refusal(entry: CatalogueEntry, folder: Path, **options: object) -> ModelError:
    """The error that installing it ends in."""
    with pytest.raises(ModelError) as caught:
        install(entry, folder, **options)  # type: ignore[arg-type]  # each test gives the options it is about
    return caught.value


def test_a_model_is_copied_verified_and_recorded(tmp_path: Path, entry: CatalogueEntry, original: Path) -> None:
    installed = install(entry, tmp_path / "models")
    assert not installed.already
    assert installed.path.read_bytes() == original.read_bytes()
    assert recorded_hash(installed.path) == entry.sha256


def test_the_record_is_one_that_sha256sum_reads(tmp_path: Path, entry: CatalogueEntry) -> None:
    path = install(entry, tmp_path / "models").path
    assert path.with_name("tiny.gguf.sha256").read_text() == f"{entry.sha256}  tiny.gguf\n"


def test_what_is_installed_is_not_fetched_again(tmp_path: Path, entry: CatalogueEntry, original: Path) -> None:
    install(entry, tmp_path / "models")
    original.unlink()
    assert install(entry, tmp_path / "models").already


def test_a_file_that_changed_after_its_record_is_hashed_and_replaced(tmp_path: Path, entry: CatalogueEntry) -> None:
    path = install(entry, tmp_path / "models").path
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    record = path.with_name("tiny.gguf.sha256").stat().st_mtime_ns
    os.utime(path, ns=(record + 1, record + 1))
    notebook = Notebook()
    assert not install(entry, tmp_path / "models", watcher=notebook).already
    assert sha256_of(path.read_bytes()) == entry.sha256
    assert notebook.told[:2] == ["models.verifying", "models.replacing"]


def test_a_file_that_somebody_put_there_is_verified_once(tmp_path: Path, entry: CatalogueEntry, original: Path) -> None:
    (tmp_path / "models").mkdir()
    shutil.copy(original, tmp_path / "models" / "tiny.gguf")
    assert install(entry, tmp_path / "models").already
    assert recorded_hash(tmp_path / "models" / "tiny.gguf") == entry.sha256


def test_a_wrong_hash_leaves_nothing_behind(tmp_path: Path, entry: CatalogueEntry) -> None:
    error = refusal(replace(entry, sha256="0" * 64), tmp_path / "models")
    assert error.key == "models.wrong_hash"
    assert not list((tmp_path / "models").rglob("*.gguf"))


def test_a_truncated_file_is_not_installed(tmp_path: Path, entry: CatalogueEntry, original: Path) -> None:
    original.write_bytes(original.read_bytes()[:-5])
    error = refusal(replace(entry, sha256=""), tmp_path / "models")
    assert error.key == "models.gguf_cut"
    assert not (tmp_path / "models" / "tiny.gguf").exists()


def test_the_next_source_is_tried_and_the_failure_told(tmp_path: Path, entry: CatalogueEntry) -> None:
    notebook = Notebook()
    two = replace(entry, sources=(PathSource("/none/at/all.gguf"), *entry.sources))
    assert install(two, tmp_path / "models", watcher=notebook).path.is_file()
    assert [failure.key for failure in notebook.failures] == ["models.file_missing"]


def test_when_no_source_works_every_failure_is_told(tmp_path: Path, entry: CatalogueEntry) -> None:
    error = refusal(replace(entry, sources=(PathSource("/none/1"), PathSource("/none/2"))), tmp_path / "models")
    assert isinstance(error, NoSourceWorked)
    for language in ("en", "zh"):
        told = error.told(Texts(language)).splitlines()
        assert len(told) == 3
        assert "/none/1" in told[1]
        assert "/none/2" in told[2]


def test_a_full_disk_is_refused_with_figures_before_anything_is_fetched(tmp_path: Path, entry: CatalogueEntry) -> None:
    error = refusal(replace(entry, size_bytes=4_000_000_000), tmp_path / "models", free_bytes=lambda _: 1_500_000_000)
    assert error.key == "models.disk_full"
    assert "4.2 GB" in str(error)
    assert "1.5 GB" in str(error)


@contextmanager
def _as_nobody() -> Iterator[None]:
    """The superuser may write everywhere: become somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
def test_a_folder_that_may_not_be_written_is_told(entry: CatalogueEntry) -> None:
    folder = Path(tempfile.mkdtemp())  # not below a folder that only the superuser may enter
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    try:
        with _as_nobody():
            error = refusal(entry, folder / "models")
    finally:
        folder.rmdir()
    assert error.key == "models.folder_read_only"
    assert str(folder) in str(error)


def test_a_data_folder_that_is_a_file_is_told(tmp_path: Path, entry: CatalogueEntry) -> None:
    (tmp_path / "file").write_text("")
    assert refusal(entry, tmp_path / "file" / "models").key == "models.disk_failed"


def test_of_two_installations_at_once_the_second_waits_and_finds_it(tmp_path: Path, entry: CatalogueEntry) -> None:
    with FilesServer() as server:
        server.files["/tiny.gguf"] = Path(str(getattr(entry.sources[0], "path", ""))).read_bytes()
        over_http = replace(entry, sources=(UrlSource(f"{server.url}/tiny.gguf"),))
        notebook, waits = Notebook(), threading.Event()
        lock_file = tmp_path / "models" / ".installing" / "tiny.gguf.lock"
        lock_file.parent.mkdir(parents=True)

        def install_second() -> None:
            install(over_http, tmp_path / "models", watcher=notebook, wait=lambda _: waits.set())

        second = threading.Thread(target=install_second)
        with lock(lock_file, on_wait=lambda: None):
            second.start()
            assert waits.wait(30)
            shutil.copy(getattr(entry.sources[0], "path", ""), tmp_path / "models" / "tiny.gguf")
        second.join(30)
        assert notebook.told == ["models.waiting"]
        assert not server.requests


def test_companions_come_with_the_file(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "model.safetensors").write_bytes(b"weights")
    (share / "config.json").write_text("{}", encoding="utf-8")
    entry = CatalogueEntry(
        "mini", "mini/model.safetensors", ModelFormat.SAFETENSORS, (PathSource(str(share / "model.safetensors")),),
        sha256=sha256_of(b"weights"), companions=("config.json",),
    )  # fmt: skip
    assert install(entry, tmp_path / "models").path.with_name("config.json").is_file()
    (share / "config.json").unlink()
    remove(tmp_path / "models" / "mini")
    assert refusal(entry, tmp_path / "models").key == "models.file_missing"


def test_removing_gives_the_space_back(tmp_path: Path, entry: CatalogueEntry) -> None:
    path = install(entry, tmp_path / "models").path
    assert remove(path) == entry.size_bytes
    assert [file.name for file in (tmp_path / "models").iterdir()] == [".installing"]


def test_a_reference_is_described_without_the_network(tmp_path: Path) -> None:
    assert describe("qwen/qwen3-4b-gguf", tmp_path).name == "qwen3-4b"
    entry = describe("https://example.org/a/My%20Model.gguf?x=1", tmp_path)
    assert (entry.name, entry.file) == ("My Model", "My Model.gguf")


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("https://example.org/page", "models.url_no_gguf"),
        ("smollm2", "models.unknown_near"),
        ("a b/c", "models.unknown"),
    ],
)
def test_what_cannot_be_installed_is_refused(tmp_path: Path, reference: str, key: str) -> None:
    with pytest.raises(ModelError) as caught:
        describe(reference, tmp_path)
    assert caught.value.key == key
    assert not isinstance(caught.value, DownloadError)
