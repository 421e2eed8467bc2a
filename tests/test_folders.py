"""Whatever makes the data folder first, it is its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import main
from bot.cli.configuration_file import set_values
from bot.folders import make_private_folder
from bot.generation.catalog import CatalogueEntry, PathSource
from bot.generation.install import install
from bot.generation.model import ModelFormat
from tests.generation.gguf_files import write_gguf

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def install_a_model(home: Path) -> None:
    original = write_gguf(home.parent / "original.gguf")
    entry = CatalogueEntry("tiny", "tiny.gguf", ModelFormat.GGUF, (PathSource(str(original)),))
    install(entry, home / "models")


def write_a_configuration(home: Path) -> None:
    set_values(home / "parley.toml", {"model.name": "tiny"})


def answer_the_first_questions(home: Path) -> None:
    assert main(["init", "--yes"]) == 0


@pytest.mark.parametrize("first", [install_a_model, write_a_configuration, answer_the_first_questions])
def test_the_data_folder_is_made_for_its_owner_alone(home: Path, first: Callable[[Path], None]) -> None:
    before = os.umask(0o022)
    try:
        first(home)
    finally:
        os.umask(before)
    assert mode_of(home) == 0o700


def test_a_folder_that_is_there_keeps_its_rights(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    install_a_model(home)
    write_a_configuration(home)
    assert mode_of(home) == 0o755


def test_a_file_in_the_place_of_the_folder_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private_folder(tmp_path / "file")
