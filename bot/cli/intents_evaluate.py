"""`parley intents evaluate`: train on one file, measure on another, and tell the figures."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bot.cli.intents import ready_encoder
from bot.errors import ConfigurationError
from bot.texts import Texts
from bot.understanding.datasets import read_labelled
from bot.understanding.evaluation import Evaluation, evaluate
from bot.understanding.training import Labelled


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Measure; the exit status.

    Raises:
        ConfigurationError: a file cannot be read, or the mode is not there.
        ModelError: the encoder cannot be installed.
    """
    if arguments.mode == "tuned":
        raise ConfigurationError("intents.no_tuned_mode")
    examples, test = read_labelled(arguments.train), read_labelled(arguments.test)
    dev = read_labelled(arguments.dev) if arguments.dev else None
    foreign_dev, foreign_test = (_foreign(path) for path in (arguments.oos_dev, arguments.oos_test))
    encoder = ready_encoder(arguments.configuration, arguments.texts)
    evaluation = evaluate(
        examples,
        test,
        encoder,
        dev=dev,
        foreign_dev=foreign_dev.texts,
        foreign_test=foreign_test.texts,
        seed=arguments.seed,
    )
    if arguments.json:
        print(json.dumps({**_rounded(evaluation), "mode": arguments.mode, "seed": arguments.seed}))
    else:
        print(_told(evaluation, arguments.texts))
    return 0


def _foreign(path: Path | None) -> Labelled:
    return read_labelled(path, needs_labels=False) if path else Labelled((), ())


def _rounded(evaluation: Evaluation) -> dict[str, float | None]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(evaluation).items()}


def _told(evaluation: Evaluation, texts: Texts) -> str:
    """The figures for people, in percent."""
    percent = {name: f"{value * 100:.1f}" for name, value in asdict(evaluation).items() if isinstance(value, float)}
    lines = [
        texts.get(
            "intents.measured",
            train=evaluation.train_examples,
            test=evaluation.test_examples,
            intents=evaluation.intents,
            accuracy=percent["accuracy"],
            macro_f1=percent["macro_f1"],
        ),
        texts.get(
            "intents.measured_time",
            wall=f"{evaluation.train_wall_s:.1f}",
            cpu=f"{evaluation.train_cpu_s:.1f}",
            p50=f"{evaluation.p50_ms:.1f}",
            p95=f"{evaluation.p95_ms:.1f}",
            per_second=f"{evaluation.per_second:.0f}",
        ),
        texts.get(
            "intents.measured_threshold",
            threshold=f"{evaluation.threshold:.2f}",
            in_scope_accuracy=percent["in_scope_accuracy"],
        ),
    ]
    if evaluation.auroc is not None:
        oos = {name: percent[name] for name in ("oos_recall", "fpr95")}
        lines.append(texts.get("intents.measured_foreign", auroc=f"{evaluation.auroc:.3f}", **oos))
    return "\n".join(lines)
