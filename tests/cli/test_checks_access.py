"""What `parley doctor` says of who may talk to the assistant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import main
from bot.cli.checks import Finding, Patient, Status
from bot.cli.checks_access import check_access
from bot.config import load
from bot.texts import Texts


def look(text: str) -> Finding:
    Path("parley.toml").write_text(text, encoding="utf-8")
    return check_access(Patient(load(), Texts("en"), {}))


def test_without_channels_there_is_nobody_to_let_in(home: Path) -> None:
    finding = look("")
    assert finding.status is Status.OK
    assert "terminal is yours" in finding.found
    assert not home.exists()


def test_an_open_channel_is_warned_of() -> None:
    finding = look('[channels.telegram]\n[channels.discord]\n[access]\nmode = "allow"\nmodes = { telegram = "open" }')
    assert finding.status is Status.WARNING
    assert "telegram: everybody is answered" in finding.found
    assert "discord: only those who were let in" in finding.found
    assert "Whoever finds telegram can" in finding.found
    assert "pairing" in finding.mend


def test_pairing_without_an_owner_is_warned_of_with_the_way_to_become_one(home: Path) -> None:
    finding = look("[channels.telegram]")
    assert finding.status is Status.WARNING
    assert "Nobody can let others in from telegram" in finding.found
    assert "parley pair CODE" in finding.mend
    assert not home.exists(), "looking makes nothing"


def test_pairing_with_a_configured_owner_is_well() -> None:
    finding = look('[channels.telegram]\n[access]\nowners = ["telegram:7"]')
    assert (finding.status, finding.mend) == (Status.OK, "")
    assert "telegram: unknown people get a code that has to be confirmed, and there is an owner" in finding.found


def test_pairing_with_an_owner_on_the_roll_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["people", "owner", "telegram:7"]) == 0
    assert look("[channels.telegram]").status is Status.OK
    assert look("[channels.discord]").status is Status.WARNING


def test_a_database_that_cannot_be_read_is_told(home: Path) -> None:
    home.mkdir()
    (home / "parley.db").write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    finding = look("[channels.telegram]")
    assert finding.status is Status.WARNING
    assert "cannot be read" in finding.found
