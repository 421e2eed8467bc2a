"""Checks of what is installed and configured: the file and the variables, Python, packages, plugins, channels."""

from __future__ import annotations

import difflib
import importlib.util
import platform
import stat
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from bot.cli.checks import Finding, Patient, Status
from bot.config_variables import CUSTOMARY_VARIABLES, OWN_VARIABLES, PREFIX

OLDEST_PYTHON = (3, 11)
OWN_PACKAGES = ("bot", "adapters", "storage", "prompts")
TOLD_PACKAGES = ("xllamacpp", "transformers", "torch", "openai", "sqlalchemy", "pydantic")
ALIKE = 0.8
"""How much a variable must look like one of ours to be taken for a misspelt one."""


def check_configuration(patient: Patient) -> Finding:
    """What was read from where; variables that look like ours and are not read."""
    if patient.error:
        raise patient.error
    stray = sorted(_stray_variables(patient))
    found = patient.tell("doctor.file", path=patient.configuration.file) if patient.configuration.file else ""
    found = found or patient.tell("doctor.no_file")
    why = "; ".join(f"{origin}: {', '.join(keys)}" for origin, keys in _keys_by_origin(patient).items())
    if stray:
        told = patient.tell("doctor.stray_variables", names=", ".join(stray))
        return Finding(f"{found} {told}", why, patient.tell("doctor.mend_stray_variables"), Status.WARNING)
    return Finding(found, why)


def _keys_by_origin(patient: Patient) -> dict[str, list[str]]:
    by_origin: defaultdict[str, list[str]] = defaultdict(list)
    for key, origin in sorted(patient.configuration.origins.items()):
        by_origin[origin].append(key)
    return dict(by_origin)


def _stray_variables(patient: Patient) -> Iterator[str]:
    """A wrong `PARLEY_…` is an error already; here are those of another beginning or case."""
    known = [*CUSTOMARY_VARIABLES, *OWN_VARIABLES]
    for name in patient.environment:
        bare = name.removesuffix("_FILE")
        if bare in known or name.startswith(PREFIX):
            continue
        near = difflib.get_close_matches(bare, known, 1, ALIKE)
        if name.upper().startswith(("PARLEY", "PARLAY")) or (near and near[0] not in patient.environment):
            yield name


def check_secrets(patient: Patient) -> Finding:
    """Whether a file with keys in it can be read by others."""
    file = patient.configuration.file
    holding = [
        key
        for key, origin in patient.configuration.origins.items()
        if origin == str(file) and key.rsplit(".", 1)[-1] in ("api_key", "token")
    ]
    if file is None or not holding:
        return Finding(patient.tell("doctor.no_secrets_in_file"))
    found = patient.tell("doctor.secrets_in_file", path=file, keys=", ".join(holding))
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return Finding(found, mend=patient.tell("doctor.mend_secrets", path=file), status=Status.WARNING)
    return Finding(found)


def check_python(patient: Patient) -> Finding:
    """Version and place of Python, and versions of what matters."""
    versions = [f"{name} {version}" for name in TOLD_PACKAGES if (version := _version(name))]
    values = {"version": platform.python_version(), "path": sys.executable, "packages": ", ".join(versions)}
    if sys.version_info < OLDEST_PYTHON:
        mend = patient.tell("doctor.mend_python")
        return Finding(patient.tell("doctor.python", **values), mend=mend, status=Status.BROKEN)
    return Finding(patient.tell("doctor.python", **values))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def check_packages(patient: Patient) -> Finding:
    """Whether the packages that we import by common names are ours."""
    root = Path(__file__).resolve().parents[2]
    foreign = [f"{name} ({place})" for name in OWN_PACKAGES if (place := _place(name)) != root / name]
    if foreign:
        found = patient.tell("doctor.foreign_packages", names=", ".join(foreign))
        return Finding(found, mend=patient.tell("doctor.mend_packages"), status=Status.BROKEN)
    return Finding(patient.tell("doctor.packages", version=_version("parley"), path=root))


def _place(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]).resolve() if places else None


def check_plugins(patient: Patient) -> Finding:
    """Whether the skills and recognizers that the configuration names can be imported."""
    from bot import plugins

    section = patient.configuration.settings.plugins
    for name in section.skills:
        plugins.load("skills", name)
    for name in section.recognizers:
        plugins.load("recognizers", name)
    named = {"skills": ", ".join(section.skills), "recognizers": ", ".join(section.recognizers)}
    return Finding(patient.tell("doctor.plugins", **named))


def check_persona(patient: Patient) -> Finding:
    """Whether the configured persona is there."""
    from bot.app import language_of
    from bot.skills.personas import Personas

    name = patient.configuration.settings.chat.persona
    personas = Personas(patient.configuration.home / "prompts" / "personas")
    personas.prompt(name, language_of(patient.configuration))
    return Finding(patient.tell("doctor.persona", name=name, names=", ".join(personas.names())))
