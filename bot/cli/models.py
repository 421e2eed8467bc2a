"""`parley models`: list, add, choose and remove models, and say where they are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bot.config import Configuration
from bot.errors import ModelError, ParleyError
from bot.generation.catalog import HUB_ID, CatalogueEntry, hub_folder, load_catalogue
from bot.generation.sizes import format_size
from bot.texts import Texts, system_language

EXIT_REFUSED = 1
EXIT_INTERRUPTED = 130
WEIGHTS = (".gguf", ".safetensors")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    named = {name: told(f"models.help_{name}") for name in ("list", "add", "use", "remove", "path")}
    subparsers = {name: actions.add_parser(name, help=text, description=text) for name, text in named.items()}
    subparsers["list"].add_argument("--json", action="store_true", help=told("models.help_json"))
    subparsers["add"].add_argument("model", nargs="?", metavar="NAME|URL|HUB_ID", help=told("models.help_added"))
    subparsers["use"].add_argument("model", metavar="REFERENCE", help=told("models.help_used"))
    subparsers["use"].add_argument("--model", dest="server_model", metavar="NAME", help=told("models.help_model"))
    subparsers["remove"].add_argument("model", metavar="NAME", help=told("models.help_removed"))
    subparsers["remove"].add_argument("--yes", action="store_true", help=told("models.help_yes"))
    subparsers["remove"].add_argument("--force", action="store_true", help=told("models.help_force"))
    subparsers["path"].add_argument("model", nargs="?", metavar="NAME", help=told("models.help_path_of"))


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; the exit status.

    Raises:
        ModelError: the model is unknown, cannot be fetched, or may not be removed.
        ConfigurationError: the choice cannot be written down.
    """
    actions = {"list": _list, "add": _add, "use": _use, "remove": _remove, "path": _path}
    return actions[arguments.action or "list"](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from bot.cli import models_list

    models_list.show(arguments.configuration, arguments.texts, as_json=getattr(arguments, "json", False))
    return 0


def _add(arguments: argparse.Namespace) -> int:
    from bot.generation.install import describe

    configuration: Configuration = arguments.configuration
    section = configuration.settings.model
    if arguments.model is None and section.base_url and section.generator in ("auto", "openai"):
        raise ModelError("models.server_needs_none", url=section.base_url)
    # whoever adds what is there already doubts it
    return _install(describe(arguments.model or section.name, configuration.models_folder), arguments, verify=True)


def _install(entry: CatalogueEntry, arguments: argparse.Namespace, *, verify: bool = False) -> int:
    from bot.cli.progress import InstallationProgress
    from bot.generation.install import install, kept_bytes

    folder, texts = arguments.configuration.models_folder, arguments.texts
    try:
        with InstallationProgress(texts) as progress:
            installed = install(entry, folder, verify=verify, watcher=progress)
    except KeyboardInterrupt:
        kept = kept_bytes(entry, folder)
        key = "models.interrupted_kept" if kept else "models.interrupted"
        print(texts.get(key, model=entry.name, kept=format_size(kept)), file=sys.stderr)
        return EXIT_INTERRUPTED
    key = "models.already_installed" if installed.already else "models.installed"
    print(texts.get(key, model=entry.name, path=installed.path))
    return 0


def _use(arguments: argparse.Namespace) -> int:
    from bot.cli import models_use

    reference, configuration = arguments.model, arguments.configuration
    if (entry := models_use.missing_entry(reference, configuration)) is not None:
        print(arguments.texts.get("models.installing_first", model=entry.name), file=sys.stderr)
        if status := _install(entry, arguments):
            return status
    models_use.use(reference, configuration, arguments.texts, server_model=arguments.server_model)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    from bot.generation.install import remove

    configuration, texts = arguments.configuration, arguments.texts
    path = _installed_path(arguments.model, configuration.models_folder)
    if not arguments.force and path == _path_in_use(configuration):
        raise ModelError("models.in_use", model=arguments.model)
    if not (arguments.yes or _agrees(texts.get("models.really_remove", model=arguments.model, path=path), texts)):
        print(texts.get("models.not_removed"))
        return EXIT_REFUSED
    freed = remove(path)
    print(texts.get("models.removed", model=arguments.model, freed=format_size(freed)))
    return 0


def _agrees(question: str, texts: Texts) -> bool:
    """Ask a person.

    Raises:
        ModelError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ModelError("models.needs_yes")
    try:
        answer = input(f"{question} ")
    except EOFError:
        return False
    return answer.strip().lower() in texts.get("models.yes_words").split()


def _path(arguments: argparse.Namespace) -> int:
    from bot.app import resolve_model

    configuration = arguments.configuration
    print(resolve_model(configuration, arguments.model or configuration.settings.model.name).location)
    return 0


def _path_in_use(configuration: Configuration) -> Path | None:
    """Where the configured model lies; None where it lies nowhere (a server's, or not installed)."""
    from bot.app import resolve_model

    try:
        resolved = resolve_model(configuration, configuration.settings.model.name)
    except ParleyError:
        return None
    return Path(resolved.location)


def _installed_path(reference: str, models_folder: Path) -> Path:
    """The file or folder of an installed model, also of one that is damaged.

    Raises:
        ModelError: nothing of that name is installed.
    """
    names = [reference, f"{reference}.gguf"]
    if entry := load_catalogue(models_folder).find(reference):
        names.insert(0, str(Path(entry.file).parent) if entry.companions else entry.file)
    if match := HUB_ID.fullmatch(reference):
        folder = hub_folder(match["repo"])
        names.append(f"{folder}/{match['file']}" if match["file"] else folder)
    for name in names:
        path = models_folder / name
        if models_folder.resolve() in path.resolve().parents and _is_model(path):
            return path
    raise ModelError("models.nothing_to_remove", model=reference, folder=models_folder)


def _is_model(path: Path) -> bool:
    """Weights, or a folder of them: nothing else is deleted, whatever is asked for."""
    if path.name.startswith("."):
        return False
    files = path.iterdir() if path.is_dir() else [path]
    return any(file.is_file() and file.suffix.lower() in WEIGHTS for file in files)
