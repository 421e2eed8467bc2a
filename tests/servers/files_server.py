"""A server of files over real sockets that can be told to fail: it drops, lies about lengths, ignores ranges.

Also plays a model hub, as far as huggingface_hub asks one.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, cast
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one answer."""

    status: int | None = None
    """Answered instead of the file."""
    drop_after: int | None = None
    """The connection is closed after so many bytes of the body."""
    extra_length: int = 0
    """How much more (or less) than it sends the server says that it sends."""
    ignore_range: bool = False
    hold_after: int | None = None
    """The answer stands still after so many bytes until the server is closed or `release` is set."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; the headers' names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class FilesServer:
    """Enter it, and it serves `files` at `url`. A path's faults are used up one a request, in order."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.headers: dict[str, dict[str, str]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[Request] = []
        self.release = threading.Event()
        self.holding = threading.Event()
        """Set once an answer stands still."""

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.files = self  # type: ignore[attr-defined]  # the handler's only way to its server
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def ranges(self, path: str) -> list[str | None]:
        """The `Range` of each GET of a path, in order."""
        return [
            request.headers.get("range") for request in self.requests if (request.method, request.path) == ("GET", path)
        ]

    def publish(self, repo: str, files: Mapping[str, bytes]) -> None:
        """Serve a model repository as a hub does."""
        siblings = []
        for name, content in files.items():
            sha256 = hashlib.sha256(content).hexdigest()
            path = f"/{repo}/resolve/main/{name}"
            for served in (path, f"/{repo}/resolve/{COMMIT}/{name}"):
                self.files[served] = content
                self.headers[served] = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256}"'}
            lfs = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append({"rfilename": name, "size": len(content), "blobId": sha256[:40], "lfs": lfs})
        about = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
        tree = [{"type": "file", "path": one["rfilename"], "size": one["size"], "oid": COMMIT} for one in siblings]
        for path in (
            f"/api/models/{repo}",
            f"/api/models/{repo}/revision/main",
            f"/api/models/{repo}/revision/{COMMIT}",
        ):
            self._publish_json(path, about)
        self._publish_json(f"/api/models/{repo}/tree/{COMMIT}", tree)
        self._publish_json(f"/api/models/{repo}/tree/main", tree)

    def _publish_json(self, path: str, value: object) -> None:
        self.files[path] = json.dumps(value).encode()
        self.headers[path] = {"Content-Type": "application/json"}


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the answers that are being given

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests are about; anything else is a fault of this server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typed as socket or pair


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet: the log of requests is what tests read."""

    @property
    def files(self) -> FilesServer:
        return cast(FilesServer, self.server.files)  # type: ignore[attr-defined]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path
        self.files.requests.append(
            Request(self.command, path, {name.lower(): value for name, value in self.headers.items()})
        )
        waiting = self.files.faults.get(path, [])
        fault = waiting.pop(0) if waiting and with_body else Fault()
        content = self.files.files.get(path)
        status = fault.status or (200 if content is not None else 404)
        if status != 200 or content is None:
            self._send(status, b"", fault, {}, with_body=with_body)
            return
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"', "Accept-Ranges": "bytes"}
        headers |= self.files.headers.get(path, {})
        start = None if fault.ignore_range else self._range_start(headers["ETag"])
        if start is not None and start >= len(content):
            self._send(416, b"", fault, {"Content-Range": f"bytes */{len(content)}"}, with_body=with_body)
        elif start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206, content[start:], fault, headers, with_body=with_body)
        else:
            self._send(200, content, fault, headers, with_body=with_body)

    def _range_start(self, etag: str) -> int | None:
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range", etag) != etag:
            return None
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def _send(self, status: int, body: bytes, fault: Fault, headers: Mapping[str, str], *, with_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + fault.extra_length))
        self.end_headers()
        if not with_body:
            return
        cut = fault.drop_after if fault.drop_after is not None else fault.hold_after
        self.wfile.write(body[:cut])
        self.wfile.flush()
        if fault.hold_after is not None:
            self.files.holding.set()
            self.files.release.wait()
        if cut is not None or fault.extra_length:
            self.close_connection = True
