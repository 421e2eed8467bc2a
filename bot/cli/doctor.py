"""`parley doctor`: checks everything, says what was chosen and why, and how to mend what is wrong."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterator

from bot.cli.checks import Check, Finding, Patient, Status
from bot.cli.checks_access import check_access
from bot.cli.checks_channels import check_channels, check_connections, check_inbox, check_outbox
from bot.cli.checks_machine import check_database, check_folder, check_graphics, check_integrity, check_processor
from bot.cli.checks_model import check_generator, check_memory, check_model, check_server, check_weights
from bot.cli.checks_setup import (
    check_configuration,
    check_packages,
    check_persona,
    check_plugins,
    check_python,
    check_secrets,
)
from bot.texts import Texts, system_language

SURVIVES_BAD_CONFIGURATION = True

CHECKS = (
    Check("configuration", check_configuration),
    Check("secrets", check_secrets),
    Check("python", check_python),
    Check("packages", check_packages),
    Check("plugins", check_plugins),
    Check("persona", check_persona),
    Check("channels", check_channels),
    Check("connections", check_connections, quick=False),
    Check("access", check_access),
    Check("inbox", check_inbox),
    Check("outbox", check_outbox),
    Check("model", check_model),
    Check("weights", check_weights, quick=False),
    Check("generator", check_generator),
    Check("server", check_server, quick=False),
    Check("memory", check_memory),
    Check("processor", check_processor),
    Check("graphics", check_graphics, quick=False),
    Check("folder", check_folder),
    Check("database", check_database),
    Check("integrity", check_integrity, quick=False),
)
FULL_WIDTH = re.compile(r"(?<=[：，。；！？]) +")
MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.BROKEN: "✗"}
WIDEST = 110
INDENT = "    "


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    parser.add_argument("--json", action="store_true", help=told("doctor.help_json"))
    parser.add_argument("--quick", action="store_true", help=told("doctor.help_quick"))


def run(arguments: argparse.Namespace) -> int:
    """Run the checks and tell; 1 where something is broken."""
    patient = Patient(
        arguments.configuration,
        arguments.texts,
        os.environ,
        getattr(arguments, "configuration_error", None),
        shows_progress=not arguments.json,
    )
    checks = [check for check in CHECKS if check.quick or not arguments.quick]
    results = ((check, check.run(patient)) for check in checks)
    findings = _tell_json(results) if arguments.json else _tell(results, patient)
    return 1 if any(finding.status is Status.BROKEN for finding in findings) else 0


def _tell_json(results: Iterator[tuple[Check, Finding]]) -> list[Finding]:
    told = list(results)
    checks = [
        {
            "name": check.name,
            "status": finding.status,
            "found": finding.found,
            "why": finding.why,
            "mend": finding.mend,
        }
        for check, finding in told
    ]
    is_ok = all(finding.status is not Status.BROKEN for _, finding in told)
    print(json.dumps({"checks": checks, "ok": is_ok}, ensure_ascii=False, indent=2))
    return [finding for _, finding in told]


def _tell(results: Iterator[tuple[Check, Finding]], patient: Patient) -> list[Finding]:
    """Each finding as soon as it is there, and a count at the end."""
    findings = []
    for check, finding in results:
        findings.append(finding)
        title = patient.tell(f"doctor.title_{check.name}")
        print(f"{MARKS[finding.status]} {title}")
        for label, text in (("", finding.found), ("why", finding.why), ("mend", finding.mend)):
            if text:
                print(_indented(f"{patient.tell(f'doctor.label_{label}')} {text}" if label else text), flush=True)
    broken, warnings = (
        sum(finding.status is status for finding in findings) for status in (Status.BROKEN, Status.WARNING)
    )
    key = "doctor.summary" if broken or warnings else "doctor.summary_ok"
    print(f"\n{patient.tell(key, broken=broken, warnings=warnings)}")
    return findings


def _indented(text: str) -> str:
    """Wrapped to the terminal; paths and names are never broken. Signs that bring their own space get no other."""
    width = min(WIDEST, shutil.get_terminal_size().columns)
    lines = (
        textwrap.fill(
            line,
            width,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in FULL_WIDTH.sub("", text).splitlines()
    )
    return "\n".join(lines)
