"""`parley init`: asks the few questions that matter and writes a commented `parley.toml`.

Works through a pipe as well: each line is an answer.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

from bot.cli.asking import Option, Question, take_preselected
from bot.cli.asking import ask as ask_person
from bot.cli.init_channel import ChosenChannel, ask_channel
from bot.config import FILE_NAME, Configuration
from bot.errors import ConfigurationError, ModelError
from bot.folders import make_private_folder
from bot.texts import LANGUAGES, Texts, system_language

SURVIVES_BAD_CONFIGURATION = True

OFFERED_MODELS = 5
FILE_MODE = 0o600


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    parser.add_argument("--yes", action="store_true", help=told("init.help_yes"))
    parser.add_argument("--force", action="store_true", help=told("init.help_force"))
    parser.add_argument("--file", type=Path, metavar="PATH", help=told("init.help_file"))


def run(arguments: argparse.Namespace) -> int:
    """Ask, write the file, and say what comes next.

    Raises:
        ConfigurationError: the file is there already, cannot be written, or an answer makes no sense.
    """
    configuration: Configuration = arguments.configuration
    path = (arguments.file or configuration.home / FILE_NAME).expanduser().absolute()
    if path.exists() and not arguments.force:
        raise ConfigurationError("init.exists", path=path)
    ask = take_preselected if arguments.yes else ask_person
    language = ask(_language_question(arguments.texts), arguments.texts)
    texts = Texts(language)
    print(texts.get("init.data_lives", path=configuration.home))
    model = ask(_model_question(configuration, texts), texts)
    persona = ask(_persona_question(configuration, texts), texts)
    channel = None if arguments.yes else ask_channel(configuration, texts)
    values = {"language": language, "model": model, "persona": persona}
    _write(path, texts.get("init.file", **_quoted(values)) + (_section(channel, texts) if channel else ""))
    _tell_next(path, model, configuration, texts)
    if channel:
        print(texts.get("init.next_run", name=channel.name))
    return 0


# -- questions ----------------------------------------------------------------------------------------------


def _language_question(texts: Texts) -> Question:
    options = [Option(language, texts.get(f"init.language_{language}")) for language in LANGUAGES]
    return Question(texts.get("init.ask_language"), options, texts.language)


def _model_question(configuration: Configuration, texts: Texts) -> Question:
    """The best models for this machine, and what is installed, which is preferred."""
    from bot.cli.models_list import gather
    from bot.generation.catalog import DEFAULT_MODEL
    from bot.generation.hardware import measure_machine
    from bot.generation.recommend import Fit

    rows = gather(configuration, measure_machine(configuration.models_folder), texts.language)
    rows = [row for row in rows if row.judgement]
    good = [row for row in rows if row.judgement and row.judgement.fit is Fit.GOOD]
    offered = good[:OFFERED_MODELS]
    offered += [row for row in rows if row not in offered and (row.path or row.entry.name == DEFAULT_MODEL)]
    installed = [row.entry.name for row in rows if row.path]
    # what is there answers at once; a better one is a choice, not a default that has to be fetched first
    preselected = (installed or [DEFAULT_MODEL])[:1]
    options = [
        Option(
            row.entry.name,
            texts.get("init.model_installed" if row.path else "init.model_offered", why=row.judgement.why(texts)),
        )
        for row in offered
        if row.judgement
    ]
    return Question(
        texts.get("init.ask_model"), options, preselected[0], lambda answer: _names_model(answer, configuration)
    )


def _names_model(answer: str, configuration: Configuration) -> bool:
    """Whether the answer is a model that is there, or one that could be fetched or asked."""
    from bot.generation.resolve import UnknownModel, resolve

    try:
        resolve(answer, models_folder=configuration.models_folder)
    except UnknownModel:
        return False
    except ModelError as error:
        return error.key == "models.not_installed"
    return True


def _persona_question(configuration: Configuration, texts: Texts) -> Question:
    from bot.skills.personas import Personas

    personas = Personas(configuration.home / "prompts" / "personas")
    options = [Option(name, _beginning(personas.prompt(name, texts.language))) for name in personas.names()]
    return Question(texts.get("init.ask_persona"), options, "parley")


def _beginning(prompt: str) -> str:
    """The first sentence."""
    ends = [prompt.find(mark) + 1 for mark in (". ", "。") if mark in prompt]
    return prompt[: min(ends, default=len(prompt))]


# -- the file -----------------------------------------------------------------------------------------------


def _section(channel: ChosenChannel, texts: Texts) -> str:
    """The table of the channel."""
    return texts.get("init.file_channel", name=channel.name, **_quoted({"token": channel.token}))


def _quoted(values: Mapping[str, str]) -> dict[str, str]:
    """As TOML writes them."""
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all, for its owner alone: a key may stand in it."""
    draft = path.with_name(f"{path.name}.part")
    try:
        make_private_folder(path.parent)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError("init.not_written", path=path, problem=error.strerror or error) from error


def _tell_next(path: Path, model: str, configuration: Configuration, texts: Texts) -> None:
    print("\n" + texts.get("init.written", path=path))
    usual = (Path(FILE_NAME).absolute(), configuration.home / FILE_NAME)
    if path not in usual:
        print(texts.get("init.named", path=path))
    elif path == usual[1] and usual[0].is_file():
        print(texts.get("init.shadowed", path=usual[0]))
    from bot.generation.resolve import resolve

    try:
        resolve(model, models_folder=configuration.models_folder)
        print(texts.get("init.next_chat"))
    except ModelError as error:
        print(texts.get("init.next_add", command=error.values.get("command", f"parley models add {model}")))
