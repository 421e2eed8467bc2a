"""`parley doctor`: what it finds, what it says of it, and that it changes nothing. Run as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from bot.cli.checks import Check, Finding, Patient, Status
from bot.cli.checks_machine import check_database, check_folder, check_integrity
from bot.cli.checks_model import check_server
from bot.cli.doctor import CHECKS
from bot.config import defaults, load
from bot.folders import make_private_folder
from bot.generation.fetching import record_hash
from bot.generation.gguf import check_gguf, estimate_memory_bytes
from bot.generation.sizes import format_size
from bot.texts import LANGUAGES, Texts, use_overlay
from storage.migrations import HEAD
from tests.cli.program import parley
from tests.generation.gguf_files import sha256_of
from tests.servers.openai_server import OpenAIServer

NOBODY = 65534
NOT_QUICK = {"weights", "server", "graphics", "integrity", "connections"}


@pytest.fixture
def installed(home: Path, default_model: Path) -> Path:
    """A data folder with the default model."""
    make_private_folder(home / "models")
    (home / "models" / default_model.name).symlink_to(default_model)
    return home


def examine(*arguments: str, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status, and findings by the name of their check."""
    result = parley("doctor", "--json", *arguments, variables={"PARLEY_MODEL__GENERATOR": "auto", **variables})
    report: dict[str, Any] = json.loads(result.stdout)
    assert set(report) == {"checks", "ok"}
    assert report["ok"] == (result.returncode == 0)
    for finding in report["checks"]:
        assert set(finding) == {"name", "status", "found", "why", "mend"}
        assert finding["found"]
        assert finding["status"] == Status.OK or finding["mend"], finding
        assert "{" not in finding["found"] + finding["why"] + finding["mend"], finding
    return result.returncode, {finding["name"]: finding for finding in report["checks"]}


def statuses(findings: dict[str, dict[str, str]], *but: str) -> set[str]:
    """Of all checks but these; those of the machine differ from machine to machine."""
    return {found["status"] for name, found in findings.items() if name not in (*but, "graphics", "memory", "folder")}


# -- a healthy one ------------------------------------------------------------------------------------------


def test_all_is_well_with_the_default_model(installed: Path) -> None:
    status, findings = examine()
    assert status == 0
    assert list(findings) == [check.name for check in CHECKS]
    assert statuses(findings) == {"ok"}


def test_it_tells_what_was_chosen_and_why(installed: Path) -> None:
    _, findings = examine()
    assert "SmolLM2-135M-Instruct.Q4_1.gguf" in findings["model"]["found"]
    assert "llamacpp" in findings["generator"]["found"]
    assert "GGUF" in findings["generator"]["why"]
    assert "361 MB" in findings["memory"]["found"]
    assert "4096" in findings["memory"]["why"]


def test_it_makes_and_changes_nothing(installed: Path) -> None:
    before = sorted(installed.rglob("*"))
    examine()
    assert sorted(installed.rglob("*")) == before


def test_quick_leaves_out_what_costs_or_asks_others(installed: Path) -> None:
    _, findings = examine("--quick")
    assert set(findings) == {check.name for check in CHECKS} - NOT_QUICK


def test_chinese_has_no_blank_behind_its_signs(installed: Path) -> None:
    told = parley("doctor", "--quick", variables={"LC_ALL": "zh_CN.UTF-8", "PARLEY_MODEL__GENERATOR": "auto"})
    assert not re.search("[：。，；] ", told.stdout.decode())


@pytest.mark.parametrize(("language", "title"), [("en", "Data folder"), ("zh", "数据目录")])
def test_people_read_it_in_their_language(installed: Path, language: str, title: str) -> None:
    told = parley("doctor", "--quick", variables={"PARLEY_LANGUAGE": language}).stdout.decode()
    assert title in told
    assert "{" not in told
    assert f"\n{Texts(language).get('doctor.summary_ok')}\n" in told


# -- configuration ------------------------------------------------------------------------------------------


def test_it_tells_which_file_and_which_variables_were_read(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('language = "en"\n[chat]\nmax_pending = 3\n', encoding="utf-8")
    _, findings = examine(PARLEY_MODEL__THREADS="1")
    assert "parley.toml" in findings["configuration"]["found"]
    assert "chat.max_pending, language" in findings["configuration"]["why"]
    assert "PARLEY_MODEL__THREADS: model.threads" in findings["configuration"]["why"]


def test_a_broken_file_is_told_and_the_rest_is_checked_all_the_same(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text("[model]\nnmae = 1\n", encoding="utf-8")
    status, findings = examine()
    assert status == 1
    assert findings["configuration"]["status"] == "broken"
    assert "model.name" in findings["configuration"]["found"]
    assert statuses(findings, "configuration") == {"ok"}


@pytest.mark.parametrize("name", ["PARLAY_MODEL__NAME", "parley_home", "OPENAI_KEY", "DISCORD_TOKEN"])
def test_a_variable_that_only_looks_like_ours_is_named(installed: Path, name: str) -> None:
    status, findings = examine("--quick", **{name: "x"})
    assert status == 0
    assert findings["configuration"]["status"] == "warning"
    assert name in findings["configuration"]["found"]


@pytest.mark.parametrize(("mode", "status"), [(0o644, "warning"), (0o600, "ok")])
def test_a_key_in_a_file_that_others_can_read_is_told_without_the_key(
    installed: Path, tmp_path: Path, mode: int, status: str
) -> None:
    file = tmp_path / "parley.toml"
    file.write_text('[model]\napi_key = "hush-hush"\n', encoding="utf-8")
    file.chmod(mode)
    _, findings = examine("--quick")
    assert findings["secrets"]["status"] == status
    assert "model.api_key" in findings["secrets"]["found"]
    assert "hush" not in json.dumps(findings)


def test_a_persona_that_is_not_there_is_told_with_those_that_are(installed: Path) -> None:
    status, findings = examine("--quick", PARLEY_CHAT__PERSONA="nobody")
    assert status == 1
    assert "tutor" in findings["persona"]["found"]


def test_a_skill_that_is_not_installed_is_told(installed: Path) -> None:
    status, findings = examine("--quick", PARLEY_PLUGINS__SKILLS='["juggling"]')
    assert status == 1
    assert "juggling" in findings["plugins"]["found"]


def test_a_channel_without_an_adapter_is_told_without_its_token(installed: Path) -> None:
    status, findings = examine("--quick", PARLEY_CHANNELS__PIGEON__TOKEN="hush-hush")
    assert status == 0
    assert findings["channels"]["status"] == "warning"
    assert "pigeon" in findings["channels"]["found"]
    assert "hush" not in json.dumps(findings)


# -- model --------------------------------------------------------------------------------------------------


def test_a_model_that_is_not_installed_is_told_with_the_command_that_installs_it() -> None:
    status, findings = examine()
    assert status == 1
    assert findings["model"]["status"] == "broken"
    assert "parley models add smollm2-135m-instruct" in findings["model"]["found"]
    assert {findings[name]["status"] for name in ("weights", "generator", "server", "memory")} == {"warning"}


def test_a_model_file_that_was_cut_off_is_broken(home: Path, default_model: Path) -> None:
    (home / "models").mkdir(parents=True)
    with default_model.open("rb") as whole:
        (home / "models" / default_model.name).write_bytes(whole.read(1_000_000))
    status, findings = examine()
    assert status == 1
    assert findings["model"]["status"] == "broken"


@pytest.fixture
def damaged(home: Path, default_model: Path) -> Path:
    """The default model with one byte in its middle changed; `parley models add` would take it from a file."""
    folder = home / "models"
    folder.mkdir(parents=True)
    content = bytearray(default_model.read_bytes())
    sha256 = sha256_of(bytes(content))
    (folder / "catalog.toml").write_text(
        f"""
        [[models]]
        name = "smollm2-135m-instruct"
        format = "gguf"
        file = "{default_model.name}"
        licence = "Apache-2.0"
        size_bytes = {len(content)}
        sha256 = "{sha256}"
        sources = [{{ path = "{default_model}" }}]
        """,
        encoding="utf-8",
    )
    content[len(content) // 2] ^= 0xFF
    (folder / default_model.name).write_bytes(content)
    record_hash(folder / default_model.name, sha256)
    return folder / default_model.name


def test_a_file_that_is_damaged_in_its_middle_is_found_and_mended_as_told(damaged: Path, default_model: Path) -> None:
    status, findings = examine()
    assert status == 1
    assert findings["weights"]["status"] == "broken"
    assert "parley models add smollm2-135m-instruct" in findings["weights"]["mend"]
    assert parley("models", "add", "smollm2-135m-instruct").returncode == 0
    assert damaged.read_bytes() == default_model.read_bytes()
    status, findings = examine()
    assert status == 0
    assert findings["weights"]["status"] == "ok"


@pytest.mark.parametrize("size", [1, 10**9])
def test_reading_a_large_file_is_shown(
    installed: Path, size: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bot.cli.checks_model.SLOW_BYTES", size)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().err
    assert ("Reading" in shown) == ("100 %" in shown) == (size == 1)


def test_a_file_of_ones_own_has_nothing_to_be_compared_with(tmp_path: Path, default_model: Path) -> None:
    (tmp_path / "mine.gguf").symlink_to(default_model)
    status, findings = examine(PARLEY_MODEL__NAME=str(tmp_path / "mine.gguf"))
    assert status == 0
    assert "no SHA-256" in findings["weights"]["found"]


def test_a_model_that_may_not_take_what_it_needs_is_broken(installed: Path) -> None:
    status, findings = examine(PARLEY_MODEL__MEMORY_LIMIT="200MB")
    assert status == 1
    assert findings["memory"]["status"] == "broken"
    assert "200 MB" in findings["memory"]["found"]


def test_context_and_slots_count_in_what_is_needed(installed: Path) -> None:
    _, findings = examine("--quick", PARLEY_MODEL__CONTEXT_LENGTH="2048", PARLEY_MODEL__SLOTS="3")
    assert "3 × 2048" in findings["memory"]["why"]
    assert "parley chat" not in findings["memory"]["why"], "a configured length holds for every run"


@pytest.mark.parametrize(("arguments", "tokens"), [(["chat", "Hi"], 2048), (["chat"], 4096)])
def test_the_memory_that_is_told_is_that_of_the_context_which_runs(
    installed: Path, arguments: list[str], tokens: int
) -> None:
    _, findings = examine("--quick")
    variables = {"PARLEY_MODEL__GENERATOR": "auto", "PARLEY_LOG__LEVEL": "INFO", "PARLEY_SAMPLING__MAX_TOKENS": "1"}
    log = parley(*arguments, given=b"Hi\n", variables=variables).stderr.decode()
    assert f"1 slots of {tokens} tokens" in log
    assert f"{tokens} tokens" in findings["memory"]["why"]
    info = check_gguf(installed / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")
    told = findings["memory"]["found"] if tokens == 4096 else findings["memory"]["why"]
    assert format_size(estimate_memory_bytes(info, tokens, 1)) in told


def test_more_threads_than_cores_are_told(installed: Path) -> None:
    _, findings = examine("--quick", PARLEY_MODEL__THREADS="1000")
    assert findings["processor"]["status"] == "warning"
    assert "PARLEY_MODEL__THREADS" in findings["processor"]["why"]


def test_a_generator_that_cannot_run_the_model_is_broken(installed: Path) -> None:
    status, findings = examine("--quick", PARLEY_MODEL__GENERATOR="nonsense")
    assert status == 1
    assert findings["generator"]["status"] == "broken"
    assert "nonsense" in findings["generator"]["found"]


# -- server -------------------------------------------------------------------------------------------------


def test_a_server_that_only_another_programs_variable_names_is_told_to_be_unused(installed: Path) -> None:
    status, findings = examine(OPENAI_BASE_URL="http://ann:hush-hush@127.0.0.1:9/v1")
    assert status == 0
    assert findings["generator"]["status"] == "warning"
    assert "http://127.0.0.1:9/v1" in findings["generator"]["found"]
    assert findings["server"]["status"] == "ok"
    assert "hush" not in json.dumps(findings)


def test_a_server_that_does_not_answer_is_broken_and_quick_does_not_ask_it() -> None:
    variables = {"PARLEY_MODEL__BASE_URL": "http://127.0.0.1:9/v1", "PARLEY_MODEL__NAME": "some-model"}
    status, findings = examine(**variables)
    assert status == 1
    assert findings["server"]["status"] == "broken"
    assert findings["model"]["status"] == "ok"
    status, findings = examine("--quick", **variables)
    assert status == 0


async def test_a_server_that_answers_is_well_and_its_key_is_not_shown() -> None:
    async with OpenAIServer(key="hush-hush") as server:
        address = {"PARLEY_MODEL__BASE_URL": server.url, "PARLEY_MODEL__NAME": "some-model"}
        status, findings = await asyncio.to_thread(examine, PARLEY_MODEL__API_KEY="hush-hush", **address)
    assert status == 0
    assert address["PARLEY_MODEL__BASE_URL"] in findings["server"]["found"]
    assert "hush" not in json.dumps(findings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_are_not_said_to_stay_where_a_channel_carries_them(
    language: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_MODEL__GENERATOR", "auto")
    told = Texts(language).get("doctor.no_server")
    assert check_server(Patient(load(), Texts(language), {})).found == told
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:x")
    found = check_server(Patient(load(), Texts(language), {})).found
    assert found != told
    assert "telegram" in found


# -- what is kept -------------------------------------------------------------------------------------------


def test_a_database_is_told_with_its_size_and_revision(installed: Path) -> None:
    assert parley("db", "upgrade").returncode == 0
    status, findings = examine()
    assert status == 0
    assert "parley.db" in findings["database"]["found"]
    assert HEAD in findings["database"]["found"]
    assert statuses(findings) == {"ok"}


def test_a_file_that_is_no_database_is_broken_and_stays(installed: Path) -> None:
    (installed / "parley.db").write_text("no database", encoding="utf-8")
    status, findings = examine()
    assert status == 1
    assert {findings[name]["status"] for name in ("database", "integrity")} == {"broken"}
    assert (installed / "parley.db").read_text(encoding="utf-8") == "no database"


def test_another_programs_database_is_broken(installed: Path) -> None:
    with closing(sqlite3.connect(installed / "parley.db")) as connection:
        connection.execute("CREATE TABLE theirs (id)")
        connection.commit()
    status, findings = examine("--quick")
    assert status == 1
    assert findings["database"]["status"] == "broken"


def test_a_damaged_page_is_found(installed: Path) -> None:
    """The header is whole, so that only a look at every page tells."""
    assert parley("db", "upgrade").returncode == 0
    file = installed / "parley.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    page_size = 4096
    content = bytearray(file.read_bytes())
    content[page_size * 2 : page_size * 6] = b"\xff" * page_size * 4
    file.write_bytes(content)
    status, findings = examine()
    assert status == 1
    assert findings["integrity"]["status"] == "broken"


READ_ONLY = ("file", "folder", "log")


@contextmanager
def read_only(what: str) -> Iterator[Path]:
    """A data folder with a sound database, of which this process may not write a part, even as root."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        assert parley("db", "upgrade", variables={"PARLEY_HOME": name}).returncode == 0
        parts = {"file": home / "parley.db", "folder": home, "log": home / "parley.db-wal"}
        parts["log"].touch()
        for path in (home, *home.iterdir()):
            mode = 0o777 if path.is_dir() else 0o666
            path.chmod(mode & ~0o222 if path == parts[what] else mode)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield home
        finally:
            os.seteuid(user)
            home.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")
@pytest.mark.parametrize("what", READ_ONLY)
@pytest.mark.parametrize("check", [check_database, check_integrity])
def test_a_database_that_may_not_be_written_is_not_told_as_damaged(
    check: Callable[[Patient], Finding], what: str, home: Path
) -> None:
    assert main(["db", "upgrade"]) == 0
    use_overlay(None)  # it lies where only root may look
    assert examined(check, home).status is Status.OK  # and what it imports is read while everything may be
    with read_only(what) as folder:
        findings = [examined(check, folder, language) for language in LANGUAGES]
    for finding in findings:
        if check is check_database:
            assert finding.status is Status.BROKEN
            assert "chmod u+rw" in finding.found
        assert "restore" not in finding.found + finding.mend


def test_a_lock_of_another_program_is_no_reason_to_restore(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["db", "upgrade"]) == 0
    monkeypatch.setattr("bot.cli.checks_machine.LOCK_SECONDS", 0.05)
    with closing(sqlite3.connect(installed / "parley.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        finding = examined(check_integrity, installed)
    assert finding.status is Status.BROKEN
    assert "locked" in finding.found
    assert "restore" not in finding.found + finding.mend


def test_a_password_in_the_databases_address_is_not_shown(installed: Path) -> None:
    _, findings = examine("--quick", PARLEY_STORAGE__URL="postgresql://ann:hush-hush@127.0.0.1:9/parley")
    assert findings["database"]["status"] == "broken"
    assert "hush" not in json.dumps(findings)


def test_conversations_that_others_can_read_are_told(installed: Path) -> None:
    installed.chmod(0o755)
    (installed / "parley.db").touch(mode=0o644)
    _, findings = examine("--quick")
    assert findings["folder"]["status"] == "warning"
    assert "parley.db" in findings["folder"]["found"]
    installed.chmod(0o700)
    _, findings = examine("--quick")
    assert "parley.db" not in findings["folder"]["found"]


def test_a_data_folder_that_others_can_read_is_told_with_the_command_that_closes_it(installed: Path) -> None:
    installed.chmod(0o755)
    finding = examined(check_folder, installed)
    assert finding.status is Status.WARNING
    assert f"can read {installed}." in finding.found
    assert f"`chmod 700 {installed}`" in finding.mend
    installed.chmod(0o700)
    assert "can read" not in examined(check_folder, installed).found


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")
@pytest.mark.parametrize("check", [check_folder, check_database])
def test_where_the_home_folder_is_missing_another_one_is_advised(
    check: Callable[[Patient], Finding], installed: Path
) -> None:
    examined(check, installed)  # what it imports is read while everything may be
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        finding = examined(check, Path("/nonexistent/.local/share/parley"))
    finally:
        os.seteuid(user)
    advice = finding.found + finding.mend
    assert finding.status is Status.BROKEN
    assert "PARLEY_HOME" in advice
    assert "chmod" not in advice and "chown" not in advice and "right" not in advice


def test_a_data_folder_that_is_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, findings = examine("--quick", PARLEY_HOME=str(tmp_path / "file"))
    assert status == 1
    assert findings["folder"]["status"] == "broken"


# -- checks themselves --------------------------------------------------------------------------------------


def examined(look: Callable[[Patient], Finding], home: Path, language: str = "en") -> Finding:
    patient = Patient(defaults({"PARLEY_HOME": str(home)}), Texts(language), {})
    return Check("model", look).run(patient)


def test_a_check_that_fails_itself_is_broken_and_logged(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def stumble(patient: Patient) -> Finding:
        raise ZeroDivisionError("of nothing")

    finding = examined(stumble, home)
    assert finding.status is Status.BROKEN
    assert "of nothing" in finding.found
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_has_a_title_and_a_remedy(check: Check, language: str) -> None:
    texts = Texts(language)
    assert texts.get(f"doctor.title_{check.name}")
    assert texts.get(f"doctor.mend_{check.name}")
