"""Runs the program as a person or a script would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PARLEY = str(Path(sys.executable).with_name("parley"))


def environment(**variables: str) -> dict[str, str]:
    """This process's environment (its data folder is the test's), the scripted generator, and further variables."""
    return {**os.environ, "PARLEY_MODEL__GENERATOR": "echo", "PYTHONWARNINGS": "error", **variables}


def parley(
    *arguments: str | bytes, given: bytes | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end.

    Args:
        arguments: of the command line.
        given: standard input; None is none.
        variables: added to the environment.
    """
    command: Sequence[str | bytes] = [PARLEY, *arguments]
    return subprocess.run(
        command,
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        env=environment(**(variables or {})),
        timeout=60,
        check=False,
    )
