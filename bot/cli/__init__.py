"""The program `parley`: finds the subcommand, loads the configuration, tells failures and sets the exit status.

What a subcommand needs is imported only when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.cli.parsing import speak
from bot.errors import ConfigurationError, ParleyError
from bot.texts import Texts, system_language, use_overlay

COMMANDS = ("chat", "run", "init", "doctor", "models", "intents", "pair", "people", "db")
DEFAULT_COMMAND = "chat"
NEAR_ENOUGH = 0.8

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (the process's own by default); the exit status."""
    arguments = [_readable(argument) for argument in (sys.argv[1:] if argv is None else argv)]
    texts = Texts(system_language())
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
    try:
        try:
            return _run(arguments, texts)
        finally:
            sys.stdout.flush()
    except ParleyError as error:
        print(f"parley: {error.told(texts)}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # nobody reads any more; keep the interpreter from complaining when it closes standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        logging.getLogger(__name__).debug("the cause", exc_info=True)
        print(f"parley: {texts.get('console.system_error', problem=error)}", file=sys.stderr)
        return EXIT_FAILED


def entry() -> None:
    """What the installed program calls: `main`, then out at once.

    By then everything is closed and written; taking the interpreter apart would cost another tenth of a second.
    """
    status = main()
    sys.stderr.flush()
    os._exit(status)


def _run(argv: list[str], texts: Texts) -> int:
    argv = _with_help_as_option(argv)
    name = _command_of(argv)
    if name is None:
        argv, name = [DEFAULT_COMMAND, *argv], DEFAULT_COMMAND
    module = importlib.import_module(f"bot.cli.{name}") if name in COMMANDS else None
    parser, subparsers = _parser(texts)
    if module is not None:
        module.configure(subparsers[name])
    arguments = parser.parse_args(argv)
    _check_packages()
    from bot import config

    arguments.texts = texts
    arguments.configuration_error = None
    try:
        configuration = config.load(arguments.config)
    except ConfigurationError as error:
        if not getattr(module, "SURVIVES_BAD_CONFIGURATION", False):
            raise
        arguments.configuration_error, configuration = error, config.defaults()
    _apply(configuration, arguments)
    assert module is not None
    return int(module.run(arguments))


def _apply(configuration: object, arguments: argparse.Namespace) -> None:
    from bot.config import Configuration

    assert isinstance(configuration, Configuration)
    arguments.configuration = configuration
    use_overlay(configuration.home / "prompts")
    if configuration.settings.language:
        arguments.texts = Texts(configuration.settings.language)
    logging.basicConfig(
        level=configuration.settings.log.level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _with_help_as_option(argv: list[str]) -> list[str]:
    """Alone or before a subcommand, `help` is hardly meant for the model."""
    match argv:
        case ["help"]:
            return ["--help"]
        case ["help", name] if name in COMMANDS:
            return [name, "--help"]
    return argv


def _command_of(argv: list[str]) -> str | None:
    """The subcommand that is named; None where what stands there is meant for `chat`."""
    rest = iter(argv)
    for argument in rest:
        if argument == "--config":
            next(rest, None)
        elif argument in COMMANDS or argument in ("-h", "--help", "--version"):
            return argument
        elif not argument.startswith("-") or argument == "--":
            _refuse_typo(argument, argv)
            return None
    return None


def _refuse_typo(word: str, argv: list[str]) -> None:
    """A single word that looks like a subcommand is hardly meant for the model."""
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, 1, NEAR_ENOUGH)
    if near and len(word.split()) == 1:
        raise ConfigurationError("console.not_a_command", name=word, near=near[0])


def _parser(texts: Texts) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    from importlib import metadata

    speak(texts)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="FILE", help=texts.get("console.help_config"))
    about, words = texts.get("console.about"), texts.get("console.help_words")
    parser = argparse.ArgumentParser("parley", description=about, epilog=words, parents=[common])
    version = f"parley {metadata.version('parley')}"
    parser.add_argument("--version", action="version", version=version, help=texts.get("arguments.version"))
    group = parser.add_subparsers(metavar="COMMAND")
    # a default in the subparser would hide what stands before the subcommand
    again = argparse.ArgumentParser(add_help=False)
    again.add_argument("--config", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    subparsers = {}
    for name in COMMANDS:
        told = texts.get(f"console.help_{name}")
        subparsers[name] = group.add_parser(name, help=told, description=told, parents=[again])
    return parser, subparsers


def _check_packages() -> None:
    """Another distribution also calls a package `adapters`; if it comes first, nothing of ours would work."""
    import importlib.util

    here = Path(__file__).resolve().parents[2]
    for name in ("adapters", "storage", "prompts"):
        spec = importlib.util.find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if str(here / name) not in {str(Path(place).resolve()) for place in places}:
            raise ConfigurationError("console.foreign_package", name=name, path=", ".join(places) or "–")


def _readable(argument: str) -> str:
    """Bytes of the command line that are not UTF-8 come as surrogates, which nothing could write."""
    return os.fsencode(argument).decode("utf-8", "replace")
