"""What the benchmarks share: the machine, medians, and processes with their time and peak memory."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.config import Configuration, load


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to exit."""

    seconds: float
    peak_mib: float
    output: str


def run_process(command: Sequence[str], *, environment: Mapping[str, str]) -> Run:
    """Run it to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(environment), text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    divisor = 2**20 if sys.platform == "darwin" else 2**10
    return Run(seconds, usage.ru_maxrss / divisor, output)


def machine() -> str:
    """The machine in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, {platform.system()}"


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def arguments(about: str, *, rounds: int) -> argparse.Namespace:
    """The arguments that every benchmark takes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=rounds, help="repetitions; medians are reported")
    parser.add_argument("--threads", type=int, default=2, help="threads of the model, for all sides")
    parser.add_argument("--json", action="store_true", help="print one object")
    return parser.parse_args()


def configuration() -> tuple[Configuration, Path]:
    """The configuration in force and the default model's file."""
    found = load()
    from bot.app import resolve_model

    return found, Path(resolve_model(found, found.settings.model.name).location)


def report(name: str, figures: Mapping[str, object], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps({"benchmark": name, "machine": machine(), **figures}))
        return
    print(f"{name} ({machine()})")
    for key, value in figures.items():
        print(f"  {key:<28} {value:.3f}" if isinstance(value, float) else f"  {key:<28} {value}")
