"""Checks of the model: whether it is there and whole, what runs it and why, and whether the machine has room for it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from pathlib import Path
from typing import cast

from bot.cli.checks import Finding, Patient, Status
from bot.errors import ModelError
from bot.generation.gguf import GgufInfo, check_gguf, estimate_memory_bytes
from bot.generation.model import GeneratorSettings, ModelFormat, ResolvedModel
from bot.generation.sizes import format_size

NEEDED_PACKAGES = {"llamacpp": ("xllamacpp",), "transformers": ("torch", "transformers"), "openai": ("openai",)}
SLOW_BYTES = 500_000_000
"""From here on reading a file takes so long that it is shown."""
TIGHT = 0.8
"""Above this share of the free memory, other programs may come to need what the model takes."""


def check_model(patient: Patient) -> Finding:
    """Whether the configured model is there; of a GGUF file, what its header says."""
    from bot.app import resolve_model

    model = resolve_model(patient.configuration, patient.configuration.settings.model.name)
    why = patient.tell("doctor.model_origin", origin=_origin(patient, "model.name"))
    if model.format is ModelFormat.SERVER:
        return Finding(patient.tell("doctor.model_server", name=model.name or "–", url=_shown(model.location)), why)
    if model.format is ModelFormat.ECHO:
        return Finding(patient.tell("doctor.model_echo"), why)
    values = {"name": model.name, "path": model.location, "size": format_size(model.size_bytes or 0)}
    if model.format is not ModelFormat.GGUF:
        return Finding(patient.tell("doctor.model_folder", **values), why)
    info = check_gguf(Path(model.location))
    if not info.has_chat_template:
        raise ModelError("generation.no_chat_template", model=model.name)
    header = {"architecture": info.architecture, "context": info.context_length or "–"}
    return Finding(patient.tell("doctor.model_gguf", **values, **header), why)


def check_weights(patient: Patient) -> Finding:
    """Whether the model's file is to the last byte what was installed; reads all of it."""
    from bot.cli.progress import InstallationProgress
    from bot.generation.fetching import hash_file

    model = patient.model
    if model is None:
        return patient.unchecked()
    path = Path(model.location)
    name, expected = _known_hash(patient, model)
    if not expected:
        return Finding(patient.tell("doctor.weights_unknown"))
    if patient.shows_progress and path.stat().st_size >= SLOW_BYTES:
        with InstallationProgress(patient.texts) as progress:
            progress.news("models.verifying", path=path)
            sha256 = hash_file(path, progress)
    else:
        sha256 = hash_file(path)
    if sha256 == expected:
        return Finding(patient.tell("doctor.weights", path=path, sha256=sha256))
    found = patient.tell("doctor.weights_damaged", path=path, sha256=sha256, expected=expected)
    mend = patient.tell("doctor.mend_weights_again", name=name) if name else patient.tell("doctor.mend_weights")
    return Finding(found, mend=mend, status=Status.BROKEN)


def _known_hash(patient: Patient, model: ResolvedModel) -> tuple[str, str]:
    """The name by which the model can be installed again, and the hash that its file must have; empty if unknown."""
    from bot.generation.catalog import HUB_ID, load_catalogue
    from bot.generation.fetching import recorded_hash

    if model.format is not ModelFormat.GGUF:
        return "", ""
    folder, path = patient.configuration.models_folder, Path(model.location)
    entries = load_catalogue(folder).entries.values()
    if entry := next((entry for entry in entries if folder / entry.file == path), None):
        return entry.name, entry.sha256 or recorded_hash(path, however_old=True)
    is_of_hub = "/" in model.name and HUB_ID.fullmatch(model.name) is not None
    return model.name if is_of_hub else "", recorded_hash(path, however_old=True)


def check_generator(patient: Patient) -> Finding:
    """What runs the model, why, and whether what it needs is installed; a server that is named and not asked."""
    if patient.model is None:
        return patient.unchecked()
    from bot import plugins
    from bot.generation.resolve import choose_generator

    choice = choose_generator(patient.model, patient.configuration.settings.model.generator)
    plugins.load("generators", choice.kind)
    problem = _missing_package(choice.kind)
    found = patient.tell("doctor.generator", kind=choice.kind)
    why = patient.tell(choice.reason, generator=choice.kind)
    if problem:
        mend = patient.tell("doctor.mend_openmp" if "libgomp" in problem else "doctor.mend_generator")
        return Finding(f"{found} {patient.tell('doctor.cannot_run', problem=problem)}", why, mend, Status.BROKEN)
    if _has_unused_server(patient):
        told = patient.tell("doctor.server_not_used", url=_shown(patient.configuration.settings.model.base_url))
        return Finding(f"{found} {told}", why, patient.tell("doctor.mend_server_not_used"), Status.WARNING)
    return Finding(found, why)


def _missing_package(kind: str) -> str:
    """What keeps the packages of a generator from being used; empty where nothing does."""
    for name in NEEDED_PACKAGES.get(kind, ()):
        if importlib.util.find_spec(name) is None:
            return name
    if kind == "llamacpp":
        try:
            importlib.import_module("xllamacpp")
        except ImportError as error:
            return str(error)
    return ""


def _has_unused_server(patient: Patient) -> bool:
    is_named = bool(patient.configuration.settings.model.base_url)
    return is_named and patient.model is not None and patient.model.format is not ModelFormat.SERVER


def check_server(patient: Patient) -> Finding:
    """Whether the server answers, if one is used."""
    model = patient.model
    if model is None:
        return patient.unchecked()
    if model.format is not ModelFormat.SERVER:
        channels = ", ".join(sorted(patient.configuration.settings.channels))
        return Finding(patient.tell("doctor.no_server_channels" if channels else "doctor.no_server", names=channels))
    from bot.app import generator_settings

    context = asyncio.run(_greet(patient, model, generator_settings(patient.configuration)))
    return Finding(patient.tell("doctor.server", url=_shown(model.location), model=model.name or "–", context=context))


async def _greet(patient: Patient, model: ResolvedModel, settings: GeneratorSettings) -> int:
    """Connect and look around, as the first reply would; the tokens of the server's window."""
    from bot import plugins
    from bot.app import GeneratorClass
    from bot.generation.resolve import choose_generator

    kind = choose_generator(model, patient.configuration.settings.model.generator).kind
    generator_class = cast(GeneratorClass, plugins.load("generators", kind))
    async with generator_class(model, settings) as generator:
        return generator.context_length


def check_memory(patient: Patient) -> Finding:
    """What the model needs against what it may have."""
    from bot.generation.hardware import memory_bytes

    model, (total, free) = patient.model, memory_bytes()
    if model is None:
        return patient.unchecked()
    has = {"free": format_size(free), "total": format_size(total)}
    if model.format in (ModelFormat.SERVER, ModelFormat.ECHO):
        return Finding(patient.tell("doctor.memory_elsewhere", **has))
    need, why = _need(patient, model)
    limit = _limit(patient)
    status = Status.BROKEN if need > min(free, limit or free) else Status.OK
    if status is Status.OK and need > free * TIGHT:
        status = Status.WARNING
    found = patient.tell("doctor.memory", need=format_size(need), **has)
    if limit is not None:
        found = f"{found} {patient.tell('doctor.memory_limit', limit=format_size(limit))}"
    return Finding(found, why, "" if status is Status.OK else patient.tell("doctor.mend_memory"), status)


def _limit(patient: Patient) -> int | None:
    from bot.config import parse_size

    return parse_size(patient.configuration.settings.model.memory_limit)


def _need(patient: Patient, model: ResolvedModel) -> tuple[int, str]:
    """Bytes the model takes, and how they are made up; of safetensors only the weights are known."""
    weights = model.size_bytes or 0
    if model.format is not ModelFormat.GGUF:
        return weights, patient.tell("doctor.memory_weights", weights=format_size(weights))
    section = patient.configuration.settings.model
    info, slots = check_gguf(Path(model.location)), section.slots or 1
    context, short = _contexts(info, section.context_length)
    need = estimate_memory_bytes(info, context, slots)
    parts = {"weights": format_size(weights), "rest": format_size(need - weights), "context": context, "slots": slots}
    why = patient.tell("doctor.memory_parts", **parts)
    if short < context:
        least = format_size(estimate_memory_bytes(info, short, slots))
        why += patient.tell("doctor.memory_short", context=short, need=least)
    return need, why


def _contexts(info: GgufInfo, configured: int | None) -> tuple[int, int]:
    """Tokens that a conversation is given, and that a single short message makes do with."""
    from bot.cli.chat import SHORT_CONTEXT_TOKENS
    from bot.generation.llamacpp import DEFAULT_CONTEXT_TOKENS

    wanted = [configured or tokens for tokens in (DEFAULT_CONTEXT_TOKENS, SHORT_CONTEXT_TOKENS)]
    most = info.context_length or max(wanted)
    return min(wanted[0], most), min(wanted[1], most)


def _origin(patient: Patient, key: str) -> str:
    return patient.configuration.origins.get(key) or patient.tell("doctor.default")


def _shown(url: str) -> str:
    from bot.generation.openai_client import shown_url

    return shown_url(url)
