"""Fetches models from a model hub through huggingface_hub, which honours HF_ENDPOINT, HF_HOME, HF_TOKEN and
HF_HUB_OFFLINE.

What the user's hub cache holds already is taken from there. The library is optional and imported when it is needed.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bot.errors import DownloadError, ModelError
from bot.generation.catalog import HUB_ID, CatalogueEntry, HubSource, hub_folder
from bot.generation.fetching import FULL, Fetched, Watcher, check_hash, hash_file
from bot.generation.model import ModelFormat
from bot.generation.resolve import UnknownModel

PREFERRED_QUANTIZATIONS = ("q4_k_m", "q4_0", "q5_k_m", "q8_0")
SNAPSHOT_PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*")
SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


def fetch(source: HubSource, entry: CatalogueEntry, scratch: Path, watcher: Watcher) -> Fetched:
    """Download the file (with its companions), or all that belongs to the safetensors, into `scratch`.

    Raises:
        DownloadError: the library is missing, the hub cannot be reached or refuses, or the hash is wrong.
    """
    with telling_hub_errors(source.repo, source.file):
        watcher.news("models.from_hub", repo=source.repo)
        if not source.file:
            return _fetch_snapshot(source.repo, scratch, watcher)
        folder = PurePosixPath(source.file).parent
        for name in entry.companions:
            _fetch_file(source.repo, str(folder / name), scratch / name, watcher)
        return _fetch_weights(source, entry, scratch, watcher)


def inspect(reference: str) -> CatalogueEntry:
    """Ask the hub what `reference` is, and choose the file: safetensors as a whole, or the GGUF that is usual.

    Raises:
        ModelError: the repository has no weights that can run, or not the quantisation that was asked for.
        DownloadError: as `fetch`.
    """
    match = HUB_ID.fullmatch(reference)
    if match is None:
        raise UnknownModel(reference)
    repo = match["repo"]
    with telling_hub_errors(repo, match["file"] or ""):
        files = _files(repo)
    if match["file"] is None and match["quantization"] is None and (weights := _safetensors(files)):
        return CatalogueEntry(
            name=repo,
            file=hub_folder(repo),
            format=ModelFormat.SAFETENSORS,
            sources=(HubSource(repo),),
            size_bytes=sum(file.size_bytes for file in weights),
            approximate=True,
        )
    file = _choose_gguf(reference, files, match["file"], match["quantization"])
    return CatalogueEntry(
        name=reference,
        file=f"{hub_folder(repo)}/{PurePosixPath(file.name).name}",
        format=ModelFormat.GGUF,
        sources=(HubSource(repo, file.name),),
        size_bytes=file.size_bytes or None,
        sha256=file.sha256,
    )


# -- choosing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _HubFile:
    name: str
    size_bytes: int
    sha256: str


def _files(repo: str) -> list[_HubFile]:
    from huggingface_hub import HfApi

    siblings = HfApi().model_info(repo, files_metadata=True).siblings or []
    return [_HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in siblings]


def _safetensors(files: Sequence[_HubFile]) -> list[_HubFile]:
    return [file for file in files if file.name.endswith(".safetensors") and "/" not in file.name]


def _choose_gguf(reference: str, files: Sequence[_HubFile], name: str | None, quantization: str | None) -> _HubFile:
    whole = [
        file
        for file in files
        if file.name.lower().endswith(".gguf") and not SPLIT.search(file.name) and "mmproj" not in file.name.lower()
    ]
    if not whole:
        raise ModelError("models.hub_no_weights", repo=reference)
    wanted = [name] if name else [quantization] if quantization else PREFERRED_QUANTIZATIONS
    for part in wanted:
        if found := next((file for file in whole if str(part).lower() in file.name.lower()), None):
            return found
    if name or quantization:
        raise ModelError("models.hub_no_file", repo=reference, files=", ".join(file.name for file in whole))
    return whole[0]


# -- fetching -----------------------------------------------------------------------------------------------


def _fetch_weights(source: HubSource, entry: CatalogueEntry, scratch: Path, watcher: Watcher) -> Fetched:
    target = scratch / Path(entry.file).name
    if is_cached := _take_cached(source.repo, source.file, target):
        sha256 = hash_file(target)
        if sha256 == (entry.sha256 or sha256):
            return Fetched(target, sha256)
        target.unlink()
    offered = next((file for file in _files(source.repo) if file.name == source.file), None)
    # what is damaged in the cache would be taken from there by the library as well
    _download(source.repo, source.file, target, watcher, force_download=is_cached)
    sha256 = hash_file(target)
    check_hash(target, sha256=sha256, expected=offered.sha256 if offered else "", source=source.repo)
    return Fetched(target, sha256)


def _fetch_file(repo: str, file: str, target: Path, watcher: Watcher) -> None:
    if not _take_cached(repo, file, target):
        _download(repo, file, target, watcher)


def _download(repo: str, file: str, target: Path, watcher: Watcher, *, force_download: bool = False) -> None:
    from huggingface_hub import hf_hub_download

    folder, bar = target.parent / "hub", _bar(watcher)
    path = hf_hub_download(repo, file, local_dir=folder, tqdm_class=bar, force_download=force_download)
    Path(path).replace(target)


def _take_cached(repo: str, file: str, target: Path) -> bool:
    """Take a file from the user's hub cache, as a hard link where that is possible: it costs no disk then."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repo, file)
    if not isinstance(cached, str):
        return False
    target.unlink(missing_ok=True)
    real = Path(cached).resolve()
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
    return True


def _fetch_snapshot(repo: str, scratch: Path, watcher: Watcher) -> Fetched:
    from huggingface_hub import snapshot_download

    folder = scratch / "snapshot"
    snapshot_download(
        repo,
        local_dir=folder,
        allow_patterns=list(SNAPSHOT_PATTERNS),
        ignore_patterns=["*/*"],
        tqdm_class=_bar(watcher),
    )
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return Fetched(folder)


def _bar(watcher: Watcher) -> Any:
    """A progress bar class that shows nothing itself and tells the watcher."""
    from huggingface_hub import utils

    silent: Any = utils.tqdm  # type: ignore[attr-defined]  # public by its documentation, not by __all__

    class Bar(silent):  # type: ignore[misc]  # untyped
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._counts_bytes = options.get("unit") == "B"
            super().__init__(*arguments, **{**options, "disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> Any:
            shown = super().update(n)
            if self._counts_bytes:
                watcher.progress(int(self.n), int(self.total) if self.total else None)
            return shown

    return Bar


@contextmanager
def telling_hub_errors(repo: str, file: str) -> Iterator[None]:
    """Turn what the library raises into sentences.

    Raises:
        DownloadError: instead of the library's errors, and where the library is missing.
    """
    try:
        from huggingface_hub import constants, errors
    except ImportError:
        raise DownloadError("models.hub_library_missing") from None
    # its HTTP library has changed before: the bases of its own error are what that one raises
    bases = [kind for kind in errors.HfHubHTTPError.__mro__ if kind.__name__ in ("HTTPError", "OSError")]
    failures: tuple[type[Exception], ...] = (errors.EntryNotFoundError, *bases)
    try:
        yield
    except errors.GatedRepoError:
        raise DownloadError("models.hub_gated", repo=repo) from None
    except errors.RepositoryNotFoundError:
        raise DownloadError("models.hub_missing", repo=repo) from None
    except errors.HFValidationError as error:
        raise DownloadError("models.hub_unreachable", repo=repo, problem=_first_line(error)) from None
    except failures as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # the disk's fault, which the installation tells
        if constants.is_offline_mode():
            raise DownloadError("models.hub_offline", repo=repo) from None
        if isinstance(error, errors.RemoteEntryNotFoundError):
            raise DownloadError("models.hub_no_file", repo=repo, files=file) from None
        raise DownloadError("models.hub_unreachable", repo=repo, problem=_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    """The innermost cause says most, and in the fewest words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
