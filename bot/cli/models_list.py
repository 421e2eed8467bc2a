"""What `parley models list` shows: the catalogue and what else is installed, judged for this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.config import Configuration
from bot.errors import ModelError
from bot.generation.catalog import Catalogue, CatalogueEntry, ModelKind, load_catalogue
from bot.generation.hardware import Machine, llamacpp_sees_gpu, measure_machine
from bot.generation.model import ModelFormat, ResolvedModel
from bot.generation.recommend import Fit, Recommendation, recommend
from bot.generation.sizes import format_size
from bot.texts import Texts

if TYPE_CHECKING:
    from rich.table import Table

RECOMMENDED = 3
SHOWN_LANGUAGES = 3
PIPE_WIDTH = 160
IN_USE_MARK, INSTALLED_MARK = "*", "+"


@dataclass(frozen=True, slots=True)
class Row:
    """One model, as it stands here."""

    entry: CatalogueEntry
    path: Path | None
    """Where it is installed."""
    in_use: bool
    judgement: Recommendation | None
    """None for one that is not for talking, or of which nothing is known."""


def show(configuration: Configuration, texts: Texts, *, as_json: bool) -> None:
    """Print the list, as a table or as one JSON object."""
    machine = measure_machine(configuration.models_folder)
    rows = gather(configuration, machine, texts.language)
    if as_json:
        print(json.dumps(_as_json(rows, machine, configuration, texts), ensure_ascii=False))
    else:
        _print_table(rows, texts)
        _print_recommended(rows, machine, texts)
        if server := configuration.settings.model.base_url:
            print(texts.get("models.server_in_use", url=server, model=configuration.settings.model.name))


def gather(configuration: Configuration, machine: Machine, language: str) -> list[Row]:
    """Every model of the catalogue, best for this machine first, then what else is installed."""
    folder = configuration.models_folder
    catalogue = load_catalogue(folder)
    entries, used = list(catalogue.entries.values()), _used(configuration, catalogue)
    judged = recommend(machine, entries, language, gpu_runs_gguf=_gpu_runs_gguf(machine))
    judgements = {judgement.entry.name: judgement for judgement in judged}
    ordered = [judgement.entry for judgement in judged]
    ordered += [entry for entry in entries if entry.name not in judgements]
    rows = []
    for entry in [*ordered, *_others(folder, entries)]:
        path = folder / entry.file
        in_use = entry is used or (used is not None and str(path) == used.file)
        rows.append(Row(entry, path if path.exists() else None, in_use, judgements.get(entry.name)))
    if used is not None and not any(row.in_use for row in rows):
        path = Path(used.file)
        rows.append(Row(used, path if path.is_absolute() and path.exists() else None, in_use=True, judgement=None))
    return rows


def _used(configuration: Configuration, catalogue: Catalogue) -> CatalogueEntry | None:
    """The model in use, by an entry of its own where the catalogue has none; None where a server has it."""
    from bot.app import resolve_model

    section = configuration.settings.model
    if section.base_url:
        return None
    if entry := catalogue.find(section.name):
        return entry
    try:
        model = resolve_model(configuration, section.name)
    except ModelError:  # it is missing or broken, and yet what the configuration says
        model = ResolvedModel(section.name, ModelFormat.GGUF, "")
    if model.format is ModelFormat.SERVER:
        return None
    file = str(Path(model.location).absolute()) if model.location else ""
    return CatalogueEntry(model.name, file, model.format, (), size_bytes=model.size_bytes)


def _others(folder: Path, entries: Sequence[CatalogueEntry]) -> Iterator[CatalogueEntry]:
    """Installed models that the catalogue does not know: GGUF files, and hub repositories in folders of their own."""
    known = {folder / entry.file for entry in entries}
    for path in sorted({*folder.glob("*.gguf"), *folder.glob("*--*/*.gguf")} - known):
        inside = path.parent.name.replace("--", "/", 1) if path.parent != folder else ""
        name = f"{inside}/{path.name}" if inside else path.stem
        yield CatalogueEntry(name, str(path.relative_to(folder)), ModelFormat.GGUF, (), size_bytes=path.stat().st_size)
    for place in sorted(folder.glob("*--*")):
        if weights := list(place.glob("*.safetensors")):
            size = sum(file.stat().st_size for file in weights)
            name = place.name.replace("--", "/", 1)
            yield CatalogueEntry(name, place.name, ModelFormat.SAFETENSORS, (), size_bytes=size)


def _gpu_runs_gguf(machine: Machine) -> bool:
    """Asked only where there is more than the processor."""
    return llamacpp_sees_gpu() if machine.gpus else machine.apple_silicon


# -- for people ---------------------------------------------------------------------------------------------


def _print_table(rows: Sequence[Row], texts: Texts) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False)
    console.print(_table([row for row in rows if row.entry.kind is ModelKind.CHAT], texts))
    if others := [row for row in rows if row.entry.kind is not ModelKind.CHAT]:
        print(texts.get("models.not_to_talk_with"))
        console.print(_table(others, texts))
    print(texts.get("models.legend", in_use=IN_USE_MARK, installed=INSTALLED_MARK))


def _table(rows: Sequence[Row], texts: Texts) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for column in ("name", "size", "memory", "speed", "languages", "licence"):
        figure = column in ("size", "memory", "speed")
        table.add_column(texts.get(f"models.column_{column}"), justify="right" if figure else "left", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style="bold" if row.in_use else None)
    return table


def _cells(row: Row) -> tuple[str, ...]:
    entry, judgement = row.entry, row.judgement
    about = "~" if entry.approximate else ""
    shown, more = entry.languages[:SHOWN_LANGUAGES], len(entry.languages) > SHOWN_LANGUAGES
    return (
        (IN_USE_MARK if row.in_use else "") + (INSTALLED_MARK if row.path else ""),
        entry.name,
        f"{about}{format_size(entry.size_bytes)}" if entry.size_bytes else "",
        format_size(entry.memory_bytes) if entry.memory_bytes else "",
        f"~{judgement.tokens_per_second:.0f}" if judgement else "",
        " ".join(shown) + (" …" if more else ""),
        entry.licence,
    )


def _print_recommended(rows: Sequence[Row], machine: Machine, texts: Texts) -> None:
    best = [row for row in rows if row.judgement and row.judgement.fit is Fit.GOOD][:RECOMMENDED]
    cores, memory = machine.cpu_cores, format_size(machine.memory_available_bytes)
    gpus = ", ".join(gpu.name for gpu in machine.gpus) or texts.get("models.no_gpu")
    print("\n" + texts.get("models.machine", cores=cores, memory=memory, gpus=gpus))
    print(texts.get("models.recommended" if best else "models.none_recommended"))
    for row in best:
        assert row.judgement is not None
        print(f"  {row.entry.name}: {_note(row.entry, texts)} {row.judgement.why(texts)}")


def _note(entry: CatalogueEntry, texts: Texts) -> str:
    """What it is good for; nothing for an entry that the user added."""
    try:
        return texts.get(f"models.note_{entry.name}")
    except KeyError:
        return ""


# -- for programs -------------------------------------------------------------------------------------------


def _as_json(rows: Sequence[Row], machine: Machine, configuration: Configuration, texts: Texts) -> dict[str, object]:
    best = next((row for row in rows if row.judgement and row.judgement.fit is Fit.GOOD), None)
    return {
        "models": [{**_row_as_json(row, texts), "recommended": row is best} for row in rows],
        "models_folder": str(configuration.models_folder),
        "in_use": {"name": configuration.settings.model.name, "base_url": configuration.settings.model.base_url},
        "machine": {**asdict(machine), "cpu_flags": sorted(machine.cpu_flags)},
    }


def _row_as_json(row: Row, texts: Texts) -> dict[str, object]:
    entry, judgement = row.entry, row.judgement
    return {
        "name": entry.name,
        "title": entry.title or entry.name,
        "kind": entry.kind,
        "format": entry.format,
        "installed": row.path is not None,
        "path": str(row.path) if row.path else None,
        "in_use": row.in_use,
        "licence": entry.licence or None,
        "size_bytes": entry.size_bytes,
        "size_is_approximate": entry.approximate,
        "memory_bytes": entry.memory_bytes,
        "context_length": entry.context_length,
        "languages": list(entry.languages),
        "thinks": entry.thinks,
        "note": _note(entry, texts),
        "fit": judgement.fit.name.lower() if judgement else None,
        "tokens_per_second": round(judgement.tokens_per_second, 1) if judgement else None,
        "why": judgement.why(texts) if judgement else None,
    }
