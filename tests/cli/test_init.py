"""`parley init`: what it asks, what it writes, and what it never overwrites. Run as a person runs it."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from bot.config import Configuration, Settings, load
from bot.folders import make_private_folder
from tests.cli.program import PARLEY, environment, parley

DEFAULT = "smollm2-135m-instruct"


def initialize(*arguments: str, answers: str | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return parley("init", *arguments, given=None if answers is None else answers.encode(), variables=variables)


def written(path: Path) -> Configuration:
    """What the file configures, nothing else having a say."""
    return load(path, environment={})


@pytest.fixture
def installed(home: Path, default_model: Path) -> Path:
    """A data folder with the default model."""
    make_private_folder(home / "models")
    (home / "models" / default_model.name).symlink_to(default_model)
    return home


# -- without a person ---------------------------------------------------------------------------------------


def test_yes_asks_nothing_and_writes_into_the_data_folder(home: Path) -> None:
    result = initialize("--yes")
    assert result.returncode == 0, result.stderr
    settings = written(home / "parley.toml").settings
    assert (settings.language, settings.model.name, settings.chat.persona) == ("en", DEFAULT, "parley")
    assert str(home) in result.stdout.decode()


def test_yes_takes_a_model_that_is_there_rather_than_the_best_one(installed: Path) -> None:
    result = initialize("--yes")
    assert written(installed / "parley.toml").settings.model.name == DEFAULT
    assert "parley models add" not in result.stdout.decode()


def test_a_model_that_is_not_there_is_told_with_the_command_that_fetches_it() -> None:
    assert f"parley models add {DEFAULT}" in initialize("--yes").stdout.decode()


def test_the_language_of_the_system_is_preselected(home: Path) -> None:
    initialize("--yes", LANG="zh_CN.UTF-8")
    text = (home / "parley.toml").read_text(encoding="utf-8")
    assert 'language = "zh"' in text
    assert "# Parley 的配置" in text


def test_what_is_written_is_read_by_the_next_start(installed: Path) -> None:
    initialize("--yes", LANG="zh_CN.UTF-8")
    assert "一切正常" in parley("doctor", "--quick").stdout.decode()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_comment_shows_a_key_with_its_default_or_an_example(home: Path, tmp_path: Path, language: str) -> None:
    initialize("--yes", LANG=f"{language}.UTF-8")
    text = (home / "parley.toml").read_text(encoding="utf-8")
    bare = tmp_path / "uncommented.toml"
    bare.write_text(re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    examples = {"context_length": None, "threads": None}
    model = written(bare).settings.model.model_copy(update=examples)
    sampling = written(bare).settings.sampling.model_copy(update={"max_tokens": None})
    found = written(bare).settings.model_copy(update={"model": model, "sampling": sampling, "language": ""})
    assert found == Settings()
    assert text.count("\n# ") > 20


def test_the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(home: Path) -> None:
    initialize("--yes")
    assert stat.S_IMODE((home / "parley.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir()] == ["parley.toml"]


# -- never overwriting --------------------------------------------------------------------------------------


def test_a_file_that_is_there_stays_as_it_is(home: Path) -> None:
    home.mkdir()
    (home / "parley.toml").write_text('language = "zh"', encoding="utf-8")
    result = initialize("--yes", LANG="en_US.UTF-8")
    assert result.returncode == 1
    assert b"--force" in result.stderr
    assert result.stdout == b""
    assert (home / "parley.toml").read_text(encoding="utf-8") == 'language = "zh"'


def test_force_overwrites_even_a_broken_one(home: Path) -> None:
    home.mkdir()
    (home / "parley.toml").write_text("broken =", encoding="utf-8")
    assert initialize("--yes", "--force").returncode == 0
    assert written(home / "parley.toml").settings.model.name == DEFAULT


def test_another_file_is_written_where_it_is_named_and_told_how_to_use(home: Path, tmp_path: Path) -> None:
    result = initialize("--yes", "--file", "mine/my own.toml")
    assert written(tmp_path / "mine" / "my own.toml").settings.model.name == DEFAULT
    assert "--config" in result.stdout.decode()
    assert not home.exists()


def test_a_file_here_that_will_be_read_instead_is_told(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").touch()
    assert f"{tmp_path / 'parley.toml'} is read instead" in initialize("--yes").stdout.decode()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = initialize("--yes", "--file", "file/parley.toml")
    assert result.returncode == 1
    assert b"--file PATH" in result.stderr
    assert b"Traceback" not in result.stderr


# -- answers through a pipe ---------------------------------------------------------------------------------


def test_answers_are_numbers_or_names(home: Path) -> None:
    result = initialize(answers=f"2\n{DEFAULT}\nTUTOR\n")
    assert result.returncode == 0, result.stderr
    settings = written(home / "parley.toml").settings
    assert (settings.language, settings.model.name, settings.chat.persona) == ("zh", DEFAULT, "tutor")
    assert "由哪个模型回答" in result.stdout.decode()


def test_an_empty_line_and_the_end_of_the_answers_take_what_is_preselected(home: Path) -> None:
    result = initialize(answers="zh\n\n")
    preselected = re.findall(r"^\[(.+?)\]", result.stdout.decode(), re.MULTILINE)
    settings = written(home / "parley.toml").settings
    assert settings.language == "zh"
    assert [settings.model.name, settings.chat.persona, "none"] == preselected[-3:]
    assert settings.channels == {}


def test_an_answer_that_makes_no_sense_is_asked_again(home: Path) -> None:
    result = initialize(answers=f"klingon\nen\nnonsense\n{DEFAULT}\n9\ntutor\n")
    assert result.returncode == 0
    assert [word for word in ("klingon", "nonsense", "9") if f"“{word}”" not in result.stdout.decode()] == []
    assert written(home / "parley.toml").settings.chat.persona == "tutor"


def test_where_nobody_can_be_asked_again_nothing_is_written(home: Path) -> None:
    result = initialize(answers="klingon\n")
    assert result.returncode == 1
    assert b"klingon" in result.stderr
    assert not home.exists()


@pytest.mark.parametrize("model", ["http://127.0.0.1:8000/v1", "somebody/some-model"])
def test_a_server_or_a_hub_id_may_be_named_as_the_model(home: Path, model: str) -> None:
    assert initialize(answers=f"en\n{model}\n\n").returncode == 0
    assert written(home / "parley.toml").settings.model.name == model


def test_a_models_file_may_be_named(home: Path, default_model: Path) -> None:
    result = initialize(answers=f"en\n{default_model}\n\n")
    assert written(home / "parley.toml").settings.model.name == str(default_model)
    assert "parley models add" not in result.stdout.decode()


# -- in a terminal ------------------------------------------------------------------------------------------


def test_interrupted_it_writes_nothing(home: Path) -> None:
    terminal = pexpect.spawn(PARLEY, ["init"], env=environment(), encoding="utf-8", timeout=30)
    terminal.expect_exact("[en] ")
    terminal.sendline("")
    terminal.expect_exact("Which model")
    terminal.expect(r"\[[a-z].*?\] ")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert "Traceback" not in str(terminal.before)
    assert not home.exists()


def test_nothing_heavy_is_imported_to_ask() -> None:
    heavy = ["torch", "transformers", "openai", "sqlalchemy", "alembic", "huggingface_hub", "prompt_toolkit"]
    code = f"import sys, bot.cli.init, bot.cli.doctor; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
