"""`parley intents`: list, begin, try, train and measure the intents."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bot.texts import Texts, system_language

if TYPE_CHECKING:
    from bot.config import Configuration
    from bot.understanding.encoder import SentenceEncoder

ACTIONS = ("list", "new", "try", "train", "evaluate", "confusions")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    subparsers = {}
    for name in ACTIONS:
        text = told(f"intents.help_{name}")
        subparsers[name] = actions.add_parser(name, help=text, description=text)
    subparsers["new"].add_argument("name", metavar="NAME", help=told("intents.help_name"))
    subparsers["try"].add_argument("text", nargs="*", metavar="TEXT", help=told("intents.help_text"))
    for name in ("list", "try", "evaluate", "confusions"):
        subparsers[name].add_argument("--json", action="store_true", help=told("intents.help_json"))
    _configure_evaluate(subparsers["evaluate"], told)


def _configure_evaluate(parser: argparse.ArgumentParser, told: Callable[[str], str]) -> None:
    for option in ("train", "test", "dev", "oos-dev", "oos-test"):
        text = told(f"intents.help_{option}_file")
        parser.add_argument(f"--{option}", type=Path, metavar="FILE", required=option in ("train", "test"), help=text)
    parser.add_argument("--mode", choices=("fast", "tuned"), default="fast", help=told("intents.help_mode"))
    parser.add_argument("--seed", type=int, default=0, help=told("intents.help_seed"))


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; the exit status.

    Raises:
        ParleyError: the intents' files hold mistakes, or the encoder cannot be fetched.
    """
    action = arguments.action or "list"
    module = "intents_evaluate" if action == "evaluate" else "intents_actions"
    return int(getattr(importlib.import_module(f"bot.cli.{module}"), f"run_{action}")(arguments))


def ready_encoder(configuration: Configuration, texts: Texts) -> SentenceEncoder:
    """The encoder, installed first where it is missing.

    Raises:
        ModelError: it cannot be installed.
    """
    from bot.understanding.encoder import MODEL, SentenceEncoder, has_encoder

    folder = configuration.models_folder
    if not has_encoder(folder):
        from bot.cli.progress import InstallationProgress
        from bot.generation.install import describe, install

        with InstallationProgress(texts) as progress:
            install(describe(MODEL, folder), folder, watcher=progress)
    return SentenceEncoder.open(folder, configuration.home / "cache")
