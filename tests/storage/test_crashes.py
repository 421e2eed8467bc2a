"""A bookkeeper is killed again and again, wherever it is; what it promised holds, and nothing is half done."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.storage.bookkeeper import MOST_PARTS
from tests.storage.test_processes import ROOT
from tests.storage.values import execute, url_of

KILLS = 10
MOST_LINES = 120
LONGEST_WAIT_SECONDS = 0.02


def run_until_killed(file: Path, first: int, dice: random.Random) -> dict[str, set[int]]:
    """Kill a bookkeeper at some point; what it had promised."""
    command = [sys.executable, "-m", "tests.storage.bookkeeper", url_of(file), str(first)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    said = [process.stdout.readline() for _ in range(dice.randint(1, MOST_LINES))]
    # not just when it has promised something, but anywhere between two promises
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=dice.uniform(0, LONGEST_WAIT_SECONDS))
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (-signal.SIGKILL, "")
    promised: dict[str, set[int]] = defaultdict(set)
    for line in (*said, *rest.splitlines(keepends=True)):
        if line.endswith("\n"):  # the last one may be torn
            what, number = line.split()
            promised[what].add(int(number))
    return promised


def check(file: Path, promised: dict[str, set[int]]) -> None:
    """What must hold at any moment."""
    assert execute(file, "PRAGMA integrity_check") == [("ok",)]
    assert execute(file, "SELECT key FROM inbox GROUP BY key HAVING count(*) > 1") == []
    assert execute(file, "SELECT update_id FROM inbox GROUP BY update_id HAVING count(*) > 1") == []
    wanted = f"(substr(update_id, 2) % {MOST_PARTS} + 1)"
    parts = "(SELECT count(*) FROM outbox WHERE arrival_id = inbox.id AND outbox.state != 'preview')"
    previews = "(SELECT count(*) FROM outbox WHERE arrival_id = inbox.id AND outbox.state = 'preview')"
    waiting = f"state = 'waiting' AND finished_at IS NULL AND payload IS NOT NULL AND {parts} = 0"
    done = f"state = 'done' AND finished_at IS NOT NULL AND payload IS NULL AND {parts} = {wanted} AND {previews} = 0"
    assert execute(file, f"SELECT id FROM inbox WHERE NOT ({waiting}) AND NOT ({done})") == []
    sent = "state = 'sent' AND content IS NULL AND receipt = 'm' || id AND attempts > 0"
    unsent = "state IN ('waiting', 'sending', 'preview') AND content IS NOT NULL AND receipt = ''"
    assert execute(file, f"SELECT id FROM outbox WHERE NOT ({sent}) AND NOT ({unsent})") == []
    accepted = {int(str(number)) for (number,) in execute(file, "SELECT substr(update_id, 2) FROM inbox")}
    assert accepted >= promised["accepted"]
    delivered = "SELECT turn_id FROM outbox WHERE state = 'sent' GROUP BY turn_id HAVING count(*) = "
    answered = {number for (number,) in execute(file, f"{delivered} turn_id % {MOST_PARTS} + 1")}
    assert answered >= promised["delivered"]


def test_a_bookkeeper_killed_anywhere_loses_nothing_and_answers_once(file: Path) -> None:
    dice = random.Random()
    promised: dict[str, set[int]] = defaultdict(set)
    for _ in range(KILLS):
        first = max(promised["accepted"], default=1)
        for what, numbers in run_until_killed(file, first, dice).items():
            promised[what] |= numbers
        check(file, promised)
    assert len(promised["delivered"]) > KILLS
