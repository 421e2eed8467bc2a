"""`parley intents evaluate`, as somebody types it, with the real encoder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import main
from tests.understanding.conftest import encoder, models_folder
from tests.understanding.examples import ASKED, EXAMPLES, FOREIGN

__all__ = ["encoder", "models_folder"]


@pytest.fixture(autouse=True)
def installed(home: Path, models_folder: Path) -> None:
    """The real encoder in the test's own data folder."""
    (home / "models").mkdir(parents=True)
    (home / "models" / "all-minilm-l6-v2").symlink_to(models_folder / "all-minilm-l6-v2")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The options that name the files."""
    rows = [{"text": text, "label": label} for label, texts in EXAMPLES.items() for text in texts]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    table = "".join(f"{text}\t{label}\n" for text, label in ASKED.items())
    (tmp_path / "test.tsv").write_text(f"text\tlabel\n{table}", encoding="utf-8")
    (tmp_path / "foreign.csv").write_text("text\n" + "\n".join(FOREIGN), encoding="utf-8")
    return ["--train", "train.jsonl", "--test", "test.tsv"]


def test_the_figures_are_told_as_json(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intents", "evaluate", *files, "--oos-test", "foreign.csv", "--seed", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accuracy"] == 1.0
    for name in ("macro_f1", "train_wall_s", "train_cpu_s", "p50_ms", "p95_ms", "per_second"):
        assert told[name] > 0
    for name in ("auroc", "fpr95", "in_scope_accuracy", "oos_recall"):
        assert 0 <= told[name] <= 1
    assert (told["mode"], told["seed"]) == ("fast", 1)


def test_people_are_told_in_sentences(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intents", "evaluate", *files, "--oos-dev", "foreign.csv", "--oos-test", "foreign.csv"]) == 0
    assert "Right: 100.0 % of 10 texts" in capsys.readouterr().out


def test_what_cannot_be_done_is_told(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intents", "evaluate", *files, "--mode", "tuned"]) == 1
    assert "not there yet" in capsys.readouterr().err
    assert main(["intents", "evaluate", "--train", "none.csv", "--test", "test.tsv"]) == 1
    assert "none.csv cannot be read" in capsys.readouterr().err


def test_starting_a_chat_imports_nothing_of_this() -> None:

    script = (
        "import sys, bot.cli.chat, bot.app, bot.engine;"
        "print([name for name in ('numpy', 'onnxruntime', 'sklearn', 'tokenizers') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
