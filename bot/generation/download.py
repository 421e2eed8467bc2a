"""Downloads one file over HTTP so that it can be taken up where it broke off, in this run or a later one.

What has arrived stands in `NAME.part`, and in `NAME.part.validator` the server's mark of the version it is part of
(RFC 9110, sections 13.1.5 and 14.2): a file that changed in between is never pieced together from two versions.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bot.errors import DownloadError
from bot.generation.fetching import (
    CHUNK_BYTES,
    Fetched,
    FreeBytes,
    Watcher,
    check_hash,
    check_space,
    telling_disk_errors,
)
from bot.generation.hardware import disk_free_bytes

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 5
"""Tries in a row that bring nothing."""
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
SILENCE_SECONDS = 30.0
SHA256 = re.compile(r"[0-9a-f]{64}")
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be downloaded, and what is known of it."""

    url: str
    path: Path
    """Where it lies when it is complete."""
    size_bytes: int | None = None
    sha256: str = ""

    @property
    def part(self) -> Path:
        """Where it grows."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def validator(self) -> Path:
        """Where the mark of its version stands."""
        return self.path.with_name(self.path.name + ".part.validator")


class _BrokeOff(Exception):
    """The connection failed; what arrived is kept. `wait_seconds` is what the server asked for."""

    def __init__(self, problem: object, wait_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.wait_seconds = wait_seconds


def download(
    target: Target,
    *,
    watcher: Watcher,
    free_bytes: FreeBytes = disk_free_bytes,
    wait: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Download the file, taking up what is there already.

    Args:
        target: what to download.
        watcher: is told of progress and of retries.
        free_bytes: the free bytes where a path is.
        wait: sleeps for the seconds given.

    Raises:
        DownloadError: the address is wrong, the server refuses, the disk is full, the connection broke off
            `ATTEMPTS` times without bringing anything, or the hash is wrong.
    """
    import httpx

    run = _Download(target, watcher, free_bytes)
    barren = 0
    with httpx.Client(follow_redirects=True, timeout=SILENCE_SECONDS) as client:
        while True:
            before = run.have_bytes
            try:
                run.advance(client)
                return run.finish()
            except _BrokeOff as error:
                barren = 1 if run.have_bytes > before else barren + 1
                if barren >= ATTEMPTS:
                    key = "models.broke_off" if run.have_bytes else "models.url_unreachable"
                    raise DownloadError(key, url=host_of(target.url), problem=error) from error
                watcher.news("models.retrying", problem=error)
                wait(_wait_seconds(barren, error.wait_seconds))


def host_of(url: str) -> str:
    """Scheme, host and path: an address without what may be secret in it (user, password, query)."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _wait_seconds(barren: int, asked: float | None) -> float:
    return min(LONGEST_WAIT_SECONDS, asked if asked is not None else FIRST_WAIT_SECONDS * 2 ** (barren - 1))


class _Download:
    """One file that grows over several connections."""

    def __init__(self, target: Target, watcher: Watcher, free_bytes: FreeBytes) -> None:
        self._target = target
        self._watcher = watcher
        self._free_bytes = free_bytes
        self._expected_sha256 = target.sha256.lower()
        self._total_bytes = target.size_bytes
        self._digest = hashlib.sha256()
        self.have_bytes = 0
        with telling_disk_errors(target.path.parent):
            self._take_up()

    def _take_up(self) -> None:
        """Hash what an earlier run left, unless nothing can tell whether it belongs to the same version."""
        part = self._target.part
        if not part.exists():
            return
        if not (self._expected_sha256 or self._validator):
            self._start_over()
            return
        with part.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._digest.update(chunk)
                self.have_bytes += len(chunk)

    @property
    def _validator(self) -> str:
        path = self._target.validator
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def _start_over(self) -> None:
        self._digest, self.have_bytes = hashlib.sha256(), 0
        self._target.part.unlink(missing_ok=True)
        self._target.validator.unlink(missing_ok=True)

    def advance(self, client: httpx.Client) -> None:
        """Fetch what is missing over one connection."""
        import httpx

        try:
            with client.stream("GET", self._target.url, headers=self._headers()) as response:
                self._accept(response)
                if response.status_code != 416:
                    self._read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise DownloadError("models.url_wrong", url=host_of(self._target.url), problem=error) from error
        except httpx.TransportError as error:
            raise _BrokeOff(error or type(error).__name__) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self.have_bytes:
            headers["Range"] = f"bytes={self.have_bytes}-"
            if validator := self._validator:
                headers["If-Range"] = validator
        return headers

    def _accept(self, response: httpx.Response) -> None:
        """Make sure that what follows continues what is there, or start over."""
        self._refuse(response)
        content_range = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        if response.status_code == 416:
            if content_range is None or content_range[2] != str(self.have_bytes):
                self._start_over()
                raise _BrokeOff(f"HTTP {response.status_code}")
            self._total_bytes = self.have_bytes
            return
        if response.status_code == 206:
            if content_range is None or content_range[1] != str(self.have_bytes):
                self._start_over()
                raise _BrokeOff("Content-Range")
            self._total_bytes = None if content_range[2] == "*" else int(content_range[2])
        else:
            self._start_over()
            length = response.headers.get("Content-Length", "")
            self._total_bytes = int(length) if length.isdigit() else self._target.size_bytes
        self._expected_sha256 = self._expected_sha256 or _offered_hash(response)
        if self._total_bytes:
            check_space(self._target.path.parent, self._total_bytes - self.have_bytes, self._free_bytes)
        self._remember_version(response)

    def _refuse(self, response: httpx.Response) -> None:
        status, url = response.status_code, host_of(self._target.url)
        if status in (408, 425, 429) or status >= 500:
            asked = response.headers.get("Retry-After", "")
            raise _BrokeOff(f"HTTP {status}", float(asked) if asked.isdigit() else None)
        if status in (401, 403):
            raise DownloadError("models.url_refused", url=url, status=status)
        if status in (404, 410):
            raise DownloadError("models.url_missing", url=url, status=status)
        if status not in (200, 206, 416):
            raise DownloadError("models.url_odd", url=url, status=status)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise DownloadError("models.url_is_page", url=url)

    def _remember_version(self, response: httpx.Response) -> None:
        etag = response.headers.get("ETag", "")
        mark = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        with telling_disk_errors(self._target.path.parent):
            self._target.validator.write_text(mark, encoding="utf-8")

    def _read(self, response: httpx.Response) -> None:
        with self._open() as file:
            for chunk in response.iter_raw():
                with telling_disk_errors(self._target.path.parent):
                    file.write(chunk)
                self._digest.update(chunk)
                self.have_bytes += len(chunk)
                self._watcher.progress(self.have_bytes, self._total_bytes)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        # unbuffered: what counts as there is on the disk also when this process is killed
        with telling_disk_errors(self._target.path.parent):
            file: Any = self._target.part.open("ab", buffering=0)
        with file:
            yield file

    def finish(self) -> Fetched:
        """Check the complete file and give it its name."""
        target, sha256 = self._target, self._digest.hexdigest()
        if self._total_bytes is not None and self.have_bytes < self._total_bytes:
            raise _BrokeOff(f"{self.have_bytes} < {self._total_bytes}")
        target.validator.unlink(missing_ok=True)
        check_hash(target.part, sha256=sha256, expected=self._expected_sha256, source=host_of(target.url))
        target.part.replace(target.path)
        return Fetched(target.path, sha256)


def _offered_hash(response: httpx.Response) -> str:
    """The SHA-256 that a model hub names in the header of its redirect."""
    for answer in (*response.history, response):
        mark = answer.headers.get("X-Linked-Etag", "").strip('"').lower()
        if SHA256.fullmatch(mark):
            return str(mark)
    return ""
