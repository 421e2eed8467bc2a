"""What every test may use: a data folder of its own and the real default model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import texts
from bot.config import home_folder

DEFAULT_MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own; nothing of the machine's configuration shines through."""
    for name in list(os.environ):
        if name.startswith(("PARLEY_", "OPENAI_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("PARLEY_HOME", str(folder))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    yield folder
    texts.use_overlay(None)


@pytest.fixture(scope="session")
def default_model() -> Path:
    """The real default model's GGUF, as `make` installs it."""
    path = Path(_NAMED) if _NAMED else _INSTALLED / "models" / DEFAULT_MODEL
    if not path.is_file():
        pytest.fail(f"the default model is not at {path}: run `make model`, or set PARLEY_TEST_MODEL")
    return path


_NAMED = os.environ.get("PARLEY_TEST_MODEL")
_INSTALLED = home_folder()
