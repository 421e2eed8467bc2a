"""`parley chat TEXT` from process start to exit, beside a bare script that loads the same model and asks the same."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Run, arguments, configuration, median, report, run_process

QUESTION = "What is the capital of France?"


def main() -> None:
    """Interleave both sides and print the ratios."""
    options = arguments(__doc__ or "", rounds=11)
    found, model = configuration()
    parley = Path(sys.executable).with_name("parley")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "models").symlink_to(found.models_folder)
        environment = {
            **os.environ,
            "PARLEY_HOME": home,
            "PARLEY_SAMPLING__TEMPERATURE": "0",
            "PARLEY_MODEL__THREADS": str(options.threads),
        }
        bare_command = [sys.executable, "-m", "benchmarks.bare", str(model), QUESTION, str(options.threads)]
        bare, ours = list[Run](), list[Run]()
        for _ in range(options.rounds + 1):  # the first round fills the disk cache and makes the database
            bare.append(run_process(bare_command, environment=environment))
            ours.append(run_process([str(parley), "chat", QUESTION], environment=environment))
    bare, ours = bare[1:], ours[1:]
    seconds = median([run.seconds for run in bare]), median([run.seconds for run in ours])
    memory = median([run.peak_mib for run in bare]), median([run.peak_mib for run in ours])
    figures = {
        "bare seconds": seconds[0],
        "parley seconds": seconds[1],
        "ratio of seconds": seconds[1] / seconds[0],
        "bare peak MiB": memory[0],
        "parley peak MiB": memory[1],
        "ratio of peak memory": memory[1] / memory[0],
        "answer": ours[-1].output.strip(),
    }
    report("cold start", figures, as_json=options.json)


if __name__ == "__main__":
    main()
