"""Several real processes on one database, and one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from storage.migrations import HEAD
from tests.storage.values import execute, fill, read_texts, url_of

ROOT = Path(__file__).parents[2]


def start(file: Path, name: str, count: int, wait: str = "") -> subprocess.Popen[str]:
    """Start an appender."""
    command = [sys.executable, "-m", "tests.storage.appender", url_of(file), name, str(count), wait]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run_together(processes: list[subprocess.Popen[str]]) -> list[int]:
    """Let processes that wait go on at the same time, to a good end; the ids of the turns that they appended."""
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    ids: list[int] = []
    for process in processes:
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        ids += map(int, output.split())
    return sorted(ids)


def test_two_processes_that_append_to_one_conversation_lose_nothing(file: Path) -> None:
    conversation = fill(file)
    execute(file, "UPDATE conversations SET name = 'shared'")
    ids = run_together([start(file, "shared", 150, "after") for _ in range(2)])
    assert ids == list(range(1, 301))
    assert len(read_texts(file, conversation)) == 300


def test_processes_that_open_a_fresh_database_at_once_make_it_once(file: Path) -> None:
    assert run_together([start(file, f"{number}", 1, "before") for number in range(4)]) == [1, 2, 3, 4]
    assert execute(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert execute(file, "SELECT count(*) FROM turns") == [(4,)]
    assert list(file.parent.glob("*.bak")) == []


def test_a_process_killed_while_it_appends_leaves_a_good_database_with_all_it_promised(file: Path) -> None:
    process = start(file, "killed", 100_000)
    assert process.stdout
    promised = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    # the last line may be torn
    promised += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert execute(file, "PRAGMA integrity_check") == [("ok",)]
    assert execute(file, "PRAGMA foreign_key_check") == []
    path = read_texts(file)
    assert len(promised) <= len(path) <= len(promised) + 2
    assert execute(file, f"SELECT count(*) FROM turns WHERE id <= {promised[-1]}") == [(len(promised),)]
