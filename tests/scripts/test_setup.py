"""The set-up: what is missing is told in a sentence, and nothing is done twice. Nothing is installed here."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SHELL = shutil.which("sh") or "/bin/sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the set-up needs of the project, in a folder whose name is awkward."""
    folder = tmp_path / "my 'own' check out"
    for name in ("scripts", "prompts", "bot"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def setup(checkout: Path) -> ModuleType:
    """The script of that folder, as a module."""
    spec = importlib.util.spec_from_file_location("setup_under_test", checkout / "scripts" / "setup.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    path = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
        del sys.modules[spec.name]
    return module


def pretend(folder: Path, name: str, body: str) -> None:
    """Put a program of that name into the folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{SHELL}\n{body}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def set_up(checkout: Path, *, path: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": str(checkout), "LANG": "C.UTF-8", **variables}
    command = [SHELL, str(checkout / "scripts" / "setup.sh"), "chat"]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


# -- finding Python -----------------------------------------------------------------------------------------


def test_no_python_is_told_with_what_to_do(checkout: Path, tmp_path: Path) -> None:
    result = set_up(checkout, path=tmp_path / "empty")
    assert result.returncode == 1
    assert "Python 3.11 or newer is missing" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_it_is_told_in_chinese_too(checkout: Path, tmp_path: Path) -> None:
    assert "缺少 Python 3.11" in set_up(checkout, path=tmp_path / "empty", LANG="zh_CN.UTF-8").stderr


def test_a_python_that_is_too_old_is_named(checkout: Path, tmp_path: Path) -> None:
    pretend(tmp_path / "bin", "python3", 'case "$2" in *exit*) exit 1 ;; *) echo 3.9 ;; esac')
    assert "only 3.9 was found" in set_up(checkout, path=tmp_path / "bin").stderr


def test_a_name_that_does_not_run_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    pretend(tmp_path / "bin", "python3.13", "exit 127")
    pretend(tmp_path / "bin", "python3", f'case "$1" in -c) exec "{sys.executable}" "$@" ;; esac; echo "ran: $*"')
    assert set_up(checkout, path=tmp_path / "bin").stdout.strip() == "ran: scripts/setup.py chat"


def test_a_python_with_venv_is_preferred(checkout: Path, tmp_path: Path) -> None:
    lacking = (
        f'case "$2" in *ensurepip*) exit 1 ;; esac; case "$1" in -c) exec "{sys.executable}" "$@" ;; esac; echo no'
    )
    pretend(tmp_path / "bin", "python3.13", lacking)
    pretend(tmp_path / "bin", "python3.11", f'case "$1" in -c) exec "{sys.executable}" "$@" ;; esac; echo yes')
    assert set_up(checkout, path=tmp_path / "bin").stdout.strip() == "yes"


def test_the_named_python_comes_first(checkout: Path, tmp_path: Path) -> None:
    pretend(tmp_path / "bin", "mine", f'case "$1" in -c) exec "{sys.executable}" "$@" ;; esac; echo mine')
    assert set_up(checkout, path=tmp_path, PYTHON=str(tmp_path / "bin" / "mine")).stdout.strip() == "mine"


def test_a_missing_venv_module_is_told(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(setup.SetupError, match="python3-venv"):
        setup.make_venv()
    assert not setup.VENV.exists()


# -- what was done ------------------------------------------------------------------------------------------


def test_nothing_is_ready_at_first(setup: ModuleType) -> None:
    assert not setup.is_ready(setup.PROFILES["chat"])


def record(setup: ModuleType, profile: str, models: Path) -> None:
    """Write down that everything is there."""
    setup.VENV.mkdir(exist_ok=True)
    (models / "SmolLM2-135M-Instruct.Q4_1.gguf").touch()
    (models / "all-minilm-l6-v2").mkdir(exist_ok=True)
    (models / "all-minilm-l6-v2" / "model.safetensors").touch()
    variables = [os.environ.get(name, "") for name in setup.HOME_VARIABLES]
    version = setup.short_version(sys.version_info)
    setup.write_stamp(**{profile: setup.digest(version), "model": {"folder": str(models), "variables": variables}})


def test_what_was_set_up_for_tests_is_enough_to_chat_and_not_the_other_way_round(
    setup: ModuleType, tmp_path: Path
) -> None:
    record(setup, "chat", tmp_path)
    assert setup.is_ready(setup.PROFILES["chat"])
    assert not setup.is_ready(setup.PROFILES["test"])
    record(setup, "test", tmp_path)
    assert setup.is_ready(setup.PROFILES["test"])
    assert setup.is_ready(setup.PROFILES["chat"])


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_change_of_the_requirements_is_noticed(setup: ModuleType, tmp_path: Path, name: str) -> None:
    record(setup, "chat", tmp_path)
    (setup.ROOT / name).write_bytes((setup.ROOT / name).read_bytes() + b"\n")
    assert not setup.is_ready(setup.PROFILES["chat"])


def test_another_data_folder_or_a_removed_model_is_noticed(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(setup, "chat", tmp_path)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PARLEY_HOME", str(tmp_path / "elsewhere"))
        assert not setup.is_ready(setup.PROFILES["chat"])
    assert setup.is_ready(setup.PROFILES["chat"])
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").unlink()
    assert not setup.is_ready(setup.PROFILES["chat"])


def test_a_moved_folder_is_noticed(setup: ModuleType, tmp_path: Path) -> None:
    record(setup, "chat", tmp_path)
    stamp = json.loads(setup.STAMP.read_text(encoding="utf-8"))
    setup.STAMP.write_text(json.dumps({**stamp, "folder": "/where/it/was"}), encoding="utf-8")
    assert not setup.is_ready(setup.PROFILES["chat"])
    assert setup.usable_venv() == ""


def test_an_environment_whose_python_is_gone_is_not_usable(setup: ModuleType) -> None:
    setup.PYTHON.parent.mkdir(parents=True)
    setup.PYTHON.symlink_to("/nowhere/python3")
    assert setup.usable_venv() == ""


def test_an_environment_that_a_person_made_is_kept(setup: ModuleType) -> None:
    """A folder of packages for this version, and no record of ours, is somebody's own environment."""
    setup.PYTHON.parent.mkdir(parents=True)
    setup.PYTHON.symlink_to(sys.executable)
    version = setup.short_version(sys.version_info)
    assert setup.usable_venv() == ""
    (setup.VENV / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    assert setup.usable_venv() == version


def test_a_folder_that_is_no_environment_is_not_removed(setup: ModuleType) -> None:
    setup.VENV.mkdir()
    (setup.VENV / "precious.txt").touch()
    with pytest.raises(setup.SetupError, match="not a Python environment"):
        setup.make_venv()
    assert (setup.VENV / "precious.txt").exists()


def test_too_little_disk_is_told_with_figures(setup: ModuleType) -> None:
    greedy = setup.Profile("chat", ".", 10**18)
    with pytest.raises(setup.SetupError, match=r"1000000000\.0 GB are needed"):
        setup.check_disk(greedy)


# -- why pip failed -----------------------------------------------------------------------------------------

NO_NETWORK = """
WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'NewConnectionError(': Failed')'
ERROR: Could not find a version that satisfies the requirement aiosqlite<0.23 (from versions: none)
ERROR: No matching distribution found for aiosqlite<0.23
"""


@pytest.mark.parametrize(
    ("log", "key", "values"),
    [
        (NO_NETWORK, "no_registry", {}),
        (
            "(from versions: 1, 2)\nERROR: No matching distribution found for xllamacpp==9",
            "no_package",
            {"package": "xllamacpp==9"},
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "pip_disk_full",
            {},
        ),
        ("ERROR: [Errno 13] Permission denied: '/x'", "pip_denied", {"path": "'/x'"}),
        ("ERROR: Something new", "pip_failed", {"problem": "Something new"}),
        ("Killed\n", "pip_failed", {"problem": "Killed"}),
        ("", "pip_failed", {"problem": "?"}),
    ],
)
def test_pips_output_is_condensed_to_its_cause(setup: ModuleType, log: str, key: str, values: dict[str, str]) -> None:
    assert setup.explain(log) == (key, values)
    assert setup.SetupError(key, log="x", command="chat", version="3.11", **values).args[0]


def test_a_registry_that_cannot_be_reached_ends_in_one_sentence_and_a_log(checkout: Path) -> None:
    """The real pip meets a port where nobody listens; the environment it makes is thrown away with the folder."""
    nobody = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    ours = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PYTHON": sys.executable}
    result = set_up(checkout, path=os.environ["PATH"], **nobody, **ours)
    assert result.returncode == 1
    assert "The package registry cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr
    assert "127.0.0.1" in (checkout / ".venv" / "setup.log").read_text(encoding="utf-8")
