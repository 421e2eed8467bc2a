"""Makes a model the one in use: finds it or asks the server for it, and writes the choice into `parley.toml`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bot.cli.configuration_file import set_values
from bot.config import FILE_NAME, Configuration, ModelSection
from bot.errors import ModelError
from bot.generation.catalog import CatalogueEntry, ModelKind, load_catalogue
from bot.generation.model import ModelFormat, ResolvedModel
from bot.generation.resolve import UnknownModel, choose_generator, resolve
from bot.texts import Texts

PROBE_SECONDS = 10.0
ANY_MODEL = "default"
"""The name that lets a server which lists no models take what it has."""


def missing_entry(reference: str, configuration: Configuration) -> CatalogueEntry | None:
    """What has to be installed before `reference` can be used: of the catalogue, from a hub, or from an address.

    Raises:
        ModelError: the hub, which is asked about an id, has no such model, or none that can run.
        DownloadError: the hub cannot be asked.
    """
    folder = configuration.models_folder
    if entry := load_catalogue(folder).find(reference):
        return None if entry.kind is not ModelKind.CHAT or (folder / entry.file).exists() else entry
    is_address = reference.lower().startswith(("http://", "https://"))
    # where a server is configured, a hub id that is not installed is how the server calls its model
    if (configuration.settings.model.base_url and not is_address) or not _is_to_be_fetched(reference, folder):
        return None
    from bot.generation.install import describe

    return describe(reference, folder)


def _is_to_be_fetched(reference: str, models_folder: Path) -> bool:
    try:
        resolve(reference, models_folder=models_folder)
    except ModelError as error:
        return error.key == "models.not_installed"
    return False


def use(reference: str, configuration: Configuration, texts: Texts, *, server_model: str | None = None) -> None:
    """Write the choice down and say so.

    Args:
        reference: what `resolve` knows, a server's URL, or a name that the configured server lists.
        configuration: what holds now; its file is changed, or one in the data folder written.
        texts: of the person's language.
        server_model: the name of the server's model where `reference` is a URL.

    Raises:
        ModelError: there is no such model here, or the server has none of that name.
        GenerationError: the server cannot be reached.
        ConfigurationError: the file cannot be written.
    """
    resolved = _find(reference, configuration, server_model)
    is_server = resolved.format is ModelFormat.SERVER
    generator = _generator_for(resolved, configuration.settings.model.generator)
    name = resolved.name if is_server else _lasting(reference)
    file = configuration.file or configuration.home / FILE_NAME
    values = {
        "model.name": name,
        "model.base_url": resolved.location if is_server else None,
        "model.generator": None if generator == "auto" else generator,
    }
    set_values(file, values)
    key = "models.server_used" if is_server else "models.used"
    print(texts.get(key, model=name, url=resolved.location, file=file, reason=_reason(resolved, generator, texts)))
    _tell_overridden(configuration, values, file, texts)


def _find(reference: str, configuration: Configuration, server_model: str | None) -> ResolvedModel:
    section, folder = configuration.settings.model, configuration.models_folder
    if _is_address(reference):
        return _on_server(reference, configuration, server_model)
    try:
        return resolve(reference, models_folder=folder)
    except ModelError as error:
        # a hub id that is not installed may well be how the server calls its model
        if not section.base_url or not (isinstance(error, UnknownModel) or error.key == "models.not_installed"):
            raise
    return _on_server(section.base_url, configuration, reference)


def _is_address(reference: str) -> bool:
    return reference.lower().startswith(("http://", "https://")) and not urlsplit(reference).path.endswith(".gguf")


def _on_server(url: str, configuration: Configuration, wanted: str | None) -> ResolvedModel:
    """Ask the server where its API begins and what it has."""
    location, names = asyncio.run(_probe(url.rstrip("/"), _key_for(url, configuration)))
    if wanted and names and wanted not in names and f"{wanted}:latest" not in names:
        raise ModelError("models.server_lacks", url=url, model=wanted, models=", ".join(names))
    if not wanted and len(names) > 1:
        raise ModelError("models.server_choose", url=url, models=", ".join(names), first=names[0])
    return ResolvedModel(wanted or next(iter(names), ANY_MODEL), ModelFormat.SERVER, location)


async def _probe(url: str, api_key: str) -> tuple[str, tuple[str, ...]]:
    from bot.generation.openai_client import Connection
    from bot.generation.openai_errors import ServerTrouble
    from bot.generation.openai_probe import find_api

    connection = Connection(url, api_key=api_key, timeout_seconds=PROBE_SECONDS)
    try:
        api = await find_api(connection, url)
    except ServerTrouble as trouble:
        raise trouble.failure(url=url, model="", models="", timeout_seconds=PROBE_SECONDS) from trouble
    finally:
        await connection.close()
    return api.url, api.names


def _key_for(url: str, configuration: Configuration) -> str:
    """The configured key, for the configured server alone: another one must not learn it."""
    section = configuration.settings.model
    same = section.base_url and urlsplit(url)[:2] == urlsplit(section.base_url)[:2]
    return section.api_key.get_secret_value() if same else ""


def _generator_for(resolved: ResolvedModel, configured: str) -> str:
    """The configured generator where it can run the model, else the automatic choice."""
    if configured == "echo":
        return "auto"
    try:
        return choose_generator(resolved, configured).kind if configured != "auto" else configured
    except ModelError:
        return "auto"


def _reason(resolved: ResolvedModel, generator: str, texts: Texts) -> str:
    choice = choose_generator(resolved, generator)
    return texts.get(choice.reason, generator=choice.kind)


def _lasting(reference: str) -> str:
    """A path is written in full, as the program may be started elsewhere."""
    path = Path(reference).expanduser()
    return str(path.absolute()) if path.exists() and (path.is_file() or "/" in reference) else reference


def _tell_overridden(configuration: Configuration, values: Mapping[str, str | None], file: Path, texts: Texts) -> None:
    """A variable of the environment outweighs the file."""
    for key, value in values.items():
        origin = configuration.origins.get(key)
        if origin in (None, str(file), "OPENAI_BASE_URL"):
            continue
        name = key.partition(".")[2]
        wanted = ModelSection.model_fields[name].default if value is None else value
        if getattr(configuration.settings.model, name) != wanted:
            print(texts.get("models.overridden", variable=origin, key=key))
