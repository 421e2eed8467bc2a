"""A fault-injecting OpenAI-compatible server over a real socket: says exactly the bytes it is told to.

`routes` holds what each path answers, and `reply` what chat completions do; `queues` holds what a path answers first,
once each, and `replies` is the queue of chat completions. `requests` is what it was asked. Knows nothing of the client.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

Json = dict[str, Any]
CHAT = "/v1/chat/completions"


class End(Enum):
    """How an answer ends."""

    WHOLE = "the body's last chunk"
    CUT = "the connection is closed in the middle of the body"
    SHORT = "the body ends where it is, as behind a proxy whose server died"
    HELD = "nothing more comes, until the client hangs up"
    OPEN = "nothing more comes, and the body never ends"
    REFUSED = "the connection is closed before anything is said"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: each of `pieces` is a network write of its own."""

    pieces: Sequence[bytes] = ()
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    end: End = End.WHOLE


@dataclass(frozen=True, slots=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    """An answer that is JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer((json.dumps(value).encode(),), status, "application/json", named)


def html_answer(status: int = 200) -> Answer:
    """What a web server that is no API answers."""
    return Answer((b"<!DOCTYPE html><html><body>Welcome to nginx!</body></html>",), status, "text/html")


def event(value: object) -> bytes:
    """One server-sent event."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def chunk(content: str | None = None, finish: str | None = None, **fields: Any) -> Json:
    """One chunk of a completion; `fields` stand in its delta."""
    delta = fields | ({} if content is None else {"content": content})
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def usage_chunk(prompt: int = 11, completion: int = 2, **details: Any) -> Json:
    """The chunk that counts tokens, as the standard has it."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"choices": [], "usage": counts | details}


def stream(*events: object, end: End = End.WHOLE) -> Answer:
    """A stream of events, one write each."""
    return Answer(tuple(event(value) for value in events), end=end)


REPLY = stream(chunk(role="assistant"), chunk("Hello"), chunk(" you"), chunk(finish="stop"), usage_chunk(), "[DONE]")


class OpenAIServer:
    """The server; enter it, and it listens at `url`."""

    def __init__(self, *, key: str = "") -> None:
        self.key = key
        self.routes: dict[str, Answer] = {"/v1/models": json_answer({"object": "list", "data": [{"id": "tiny"}]})}
        self.reply = REPLY
        self.queues: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self.requests: list[Request] = []
        self.hung_up = asyncio.Event()
        """Set when a client leaves an answer that is held."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens, without `/v1`."""
        assert self._server is not None
        return "http://127.0.0.1:{1}".format(*self._server.sockets[0].getsockname())

    @property
    def replies(self) -> deque[Answer]:
        """What the next chat completions answer."""
        return self.queues[CHAT]

    @property
    def chats(self) -> list[Json]:
        """The bodies of the chat completions that were asked for."""
        return [request.body for request in self.requests if request.path == CHAT]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                continue
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection goes on."""
        request = await _read_request(reader)
        self.requests.append(request)
        answer = self._answer(request)
        if answer.end is End.REFUSED:
            return False
        await _write(writer, _head(answer))
        for piece in answer.pieces:
            await _write(writer, b"%x\r\n%s\r\n" % (len(piece), piece))
        if answer.end in (End.HELD, End.OPEN):
            await reader.read()  # until the client hangs up
            self.hung_up.set()
            return False
        if answer.end is End.CUT:
            return False
        await _write(writer, b"0\r\n\r\n")
        return True

    def _answer(self, request: Request) -> Answer:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return json_answer({"error": {"message": f"Incorrect API key provided: {self.key}"}}, 401)
        if queue := self.queues[request.path]:
            return queue.popleft()
        if request.path == CHAT:
            return self.reply
        return self.routes.get(request.path, json_answer({"error": {"message": "Not Found"}}, 404))


async def _read_request(reader: asyncio.StreamReader) -> Request:
    first_byte = await reader.readexactly(1)
    if not first_byte.isalpha():
        raise ConnectionAbortedError("that is no HTTP, but perhaps TLS")
    head = (first_byte + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, json.loads(body) if body else None)


def _head(answer: Answer) -> bytes:
    headers = {"Content-Type": answer.content_type, "Transfer-Encoding": "chunked", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Answer", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
