"""Finds the model that a reference names, and the generator that runs it; installs and loads nothing.

Imports next to nothing and hashes nothing, since it stands at the start of every run: an installed model of the
catalogue is checked by its size and its first bytes, any other GGUF by its header.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ModelError
from bot.generation.catalog import HUB_ID, Catalogue, CatalogueEntry, ModelKind, hub_folder, load_catalogue
from bot.generation.gguf import check_gguf, check_start
from bot.generation.model import ModelFormat, ResolvedModel

AUTOMATIC = "auto"
ECHO = "echo"
COMPATIBLE = {
    "llamacpp": frozenset({ModelFormat.GGUF}),
    "transformers": frozenset({ModelFormat.SAFETENSORS, ModelFormat.GGUF}),
    "openai": frozenset({ModelFormat.SERVER}),
    ECHO: frozenset(ModelFormat),
}
"""What our own generators run."""
CHOICES = {
    ModelFormat.GGUF: "llamacpp",
    ModelFormat.SAFETENSORS: "transformers",
    ModelFormat.SERVER: "openai",
    ModelFormat.ECHO: ECHO,
}
LOCAL_GENERATORS = ("llamacpp", "transformers")


@dataclass(frozen=True, slots=True)
class Choice:
    """The generator that runs a model. `reason` is the key of the text that says why."""

    kind: str
    reason: str


def choose_generator(resolved: ResolvedModel, configured: str) -> Choice:
    """Choose by the model's format, unless the configuration names a generator that can run it.

    Raises:
        ModelError: the configured generator cannot run a model of this format.
    """
    fitting = CHOICES[resolved.format]
    if configured == AUTOMATIC:
        return Choice(fitting, f"models.reason_{resolved.format}")
    if resolved.format not in COMPATIBLE.get(configured, frozenset(ModelFormat)):
        raise ModelError("models.unfit_generator", generator=configured, model=resolved.name, fitting=fitting)
    return Choice(configured, "models.reason_configured")


def resolve(reference: str, *, models_folder: Path, generator: str = AUTOMATIC, base_url: str = "") -> ResolvedModel:
    """Find the model that `reference` names.

    Args:
        reference: a name of the catalogue or of an installed file, a hub id, a folder with safetensors, a GGUF file,
            a server's URL, or, where a server is meant, the name it knows a model by.
        models_folder: where installed models lie.
        generator: the configured generator. One that runs models here never means a server; what a plugin's means is
            the plugin's affair, so that it is given a reference which names nothing here as it stands.
        base_url: the configured server.

    Raises:
        ModelError: nothing of that name is known or installed, or its file is damaged.
    """
    if generator == ECHO:
        return ResolvedModel(ECHO, ModelFormat.ECHO, "")
    if base_url and generator not in LOCAL_GENERATORS:
        return ResolvedModel(reference, ModelFormat.SERVER, base_url.rstrip("/"))
    try:
        return _Finder(models_folder).find(reference)
    except UnknownModel:
        if generator == AUTOMATIC or generator in COMPATIBLE:
            raise
        return ResolvedModel(reference, ModelFormat.SERVER, base_url)


class UnknownModel(ModelError):
    """A reference that names nothing; tells names that it may have meant, where there are any."""

    def __init__(self, reference: str, nearest: Sequence[str] = ()) -> None:
        if nearest:
            super().__init__("models.unknown_near", reference=reference, nearest=", ".join(nearest))
        else:
            super().__init__("models.unknown", reference=reference)


@dataclass(frozen=True, slots=True)
class _Finder:
    models_folder: Path

    def find(self, reference: str) -> ResolvedModel:
        if reference.lower().startswith(("http://", "https://")):
            return self._address(reference)
        catalogue = load_catalogue(self.models_folder)
        if entry := catalogue.find(reference):
            return self._entry(entry)
        if found := _at(reference, Path(reference).expanduser()) or self._installed(reference):
            return found
        raise self._missing(reference, catalogue)

    def _address(self, url: str) -> ResolvedModel:
        name = url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if not name.lower().endswith(".gguf"):
            return ResolvedModel("", ModelFormat.SERVER, url.rstrip("/"))
        if found := _at(name, self.models_folder / name):
            return found
        raise ModelError("models.not_installed", model=name, command=f"parley models add {url}")

    def _entry(self, entry: CatalogueEntry) -> ResolvedModel:
        if entry.kind is not ModelKind.CHAT:
            raise ModelError("models.not_for_chat", model=entry.name)
        path = self.models_folder / entry.file
        if not path.exists():
            raise ModelError("models.not_installed", model=entry.name, command=f"parley models add {entry.name}")
        size = entry.exact_size_bytes
        if entry.format is ModelFormat.GGUF and size is not None:
            check_start(path, size)
            return ResolvedModel(entry.name, entry.format, str(path), size, entry.context_length)
        found = _at(entry.name, path)
        if found is None:
            raise ModelError("models.not_installed", model=entry.name, command=f"parley models add {entry.name}")
        return found

    def _installed(self, reference: str) -> ResolvedModel | None:
        """By the name of its file, with or without its ending, or by its hub id, from here or from the hub's cache."""
        for name in (reference, f"{reference}.gguf"):
            if not name.startswith(".") and (found := _at(reference, self.models_folder / name)):
                return found
        match = HUB_ID.fullmatch(reference)
        if match is None:
            return None
        wanted = (match["file"] or match["quantization"] or "").rsplit("/", 1)[-1]
        folder = self.models_folder / hub_folder(match["repo"])
        places = [folder, *_cached_snapshots(match["repo"])]
        return next((found for place in places if (found := _in_folder(reference, place, wanted))), None)

    def _missing(self, reference: str, catalogue: Catalogue) -> ModelError:
        if reference.startswith((".", "~", os.sep)) or "\\" in reference:
            return ModelError("models.file_missing", path=reference)
        if HUB_ID.fullmatch(reference):
            return ModelError("models.not_installed", model=reference, command=f"parley models add {reference}")
        if reference.lower().endswith((".gguf", ".safetensors")):
            return ModelError("models.file_missing", path=reference)
        return UnknownModel(reference, catalogue.nearest(reference))


def _at(name: str, path: Path) -> ResolvedModel | None:
    """The model at a path: a file is a GGUF, a folder has safetensors or a GGUF; None where there is nothing.

    Raises:
        ModelError: there is something else.
    """
    if path.is_file():
        info = check_gguf(path)
        return ResolvedModel(_name(name, path), ModelFormat.GGUF, str(path), info.size_bytes, info.context_length)
    if not path.is_dir():
        return None
    found = _in_folder(_name(name, path), path, "")
    if found is None:
        raise ModelError("models.no_weights", path=path)
    return found


def _name(reference: str, path: Path) -> str:
    """What people call it: a path is named after its last part."""
    is_path = Path(reference).expanduser() == path or os.sep in reference
    return (path.stem if path.is_file() else path.resolve().name) if is_path else reference


def _in_folder(name: str, folder: Path, wanted: str) -> ResolvedModel | None:
    """Safetensors unless a GGUF is `wanted` (part of its name), else the first GGUF by name."""
    weights = sorted(folder.glob("*.safetensors"))
    if weights and not wanted and (folder / "config.json").is_file():
        size = sum(file.stat().st_size for file in weights)
        return ResolvedModel(name, ModelFormat.SAFETENSORS, str(folder), size, None)
    for path in sorted(folder.glob("*.gguf")):
        if wanted.lower() in path.name.lower():
            info = check_gguf(path)
            return ResolvedModel(name, ModelFormat.GGUF, str(path), info.size_bytes, info.context_length)
    return None


def _cached_snapshots(repo: str) -> Iterator[Path]:
    """What the hub's library has of a repository in its own cache, whose layout is documented and stable."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    folder = cache / f"models--{hub_folder(repo)}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return
    yield folder / "snapshots" / commit
