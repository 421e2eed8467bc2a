"""The hub of the example adapter, with its people: what the contract kit wants scripted of a platform."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from adapters.contract import Failure, Place, Seen
from docs.examples.line_channel import LineChannel

Json = dict[str, Any]
TOKEN = "a hub's token"
ACCOUNT = "parley"
NEXT_SECONDS = 10
"""How long a question for what happens next may wait for it."""
CHATS = {Place.ANN: "ann", Place.BEN: "ben", Place.GROUP: "#family"}
REFUSALS: dict[Failure, Json] = {
    Failure.RATE_LIMITED: {"error": "slow down"},
    Failure.REJECTED: {"error": "not like this"},
    Failure.GONE: {"error": "gone"},
}


class LineHub:
    """Enter it, and it listens at `port`."""

    def __init__(self) -> None:
        self.port = 0
        self._numbers = itertools.count(1)
        self._waiting: deque[Json] = deque()
        self._newest: Json = {}
        self._texts: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._failure: tuple[Failure, float] | None = None
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1_000_000)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        connections = [*self._connections]
        for writer in connections:
            writer.close()
        async with self._changed:
            self._changed.notify_all()
        await asyncio.gather(*(writer.wait_closed() for writer in connections), return_exceptions=True)
        await self._server.wait_closed()

    # what people do and see

    def adapter(self) -> LineChannel:
        config = LineChannel.Config.model_validate({"port": self.port, "token": TOKEN})
        return LineChannel(config, name="lines", home=Path(), sleep=_hardly)

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        await self.__aexit__()
        try:
            yield
        finally:
            await self.__aenter__()

    async def say(self, text: str, *, place: Place = Place.ANN, addressed: bool = True, reply_to: str = "") -> str:
        if reply_to:
            pytest.skip("nobody can reply to one message here")
        message = str(next(self._numbers))
        call = f"@{ACCOUNT} " if place is Place.GROUP and addressed else ""
        await self._tell("message", message, call + text, place)
        return message

    async def edit(self, message_id: str, text: str) -> None:
        await self._tell("edit", message_id, text, Place.ANN)

    async def delete(self, message_id: str) -> None:
        await self._tell("deletion", message_id, "", Place.ANN)

    async def press(self, message_id: str, button: str) -> None:
        pytest.skip("there are no buttons here")

    async def share(self, content: bytes) -> None:
        pytest.skip("there are no files here")

    async def move(self) -> None:
        pytest.skip("chats keep their names here")

    async def repeat(self) -> None:
        await self._queue(self._newest)

    async def babble(self) -> None:
        await self._queue({"update": str(next(self._numbers)), "telepathy": ["Hello"]})
        await self._queue({"update": str(next(self._numbers)), "chat": 3, "text": None, "at": "yesterday"})

    async def shown(self, place: Place = Place.ANN) -> Sequence[Seen]:
        return [Seen(message_id, text) for message_id, text in self._texts[CHATS[place]].items()]

    async def file(self, message_id: str) -> bytes:
        pytest.skip("there are no files here")

    async def fail_next(self, failure: Failure, *, seconds: float) -> None:
        self._failure = (failure, seconds)

    async def until_shown(self, *texts: str) -> None:
        """Wait until these are the messages that Ann sees from the assistant."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: [*self._texts[CHATS[Place.ANN]].values()] == list(texts))

    async def _tell(self, kind: str, message: str, text: str, place: Place) -> None:
        person = CHATS[Place.BEN if place is Place.BEN else Place.ANN]
        told = {"kind": kind, "message": message, "text": text, "chat": CHATS[place], "at": time.time()}
        self._newest = told | {"update": str(next(self._numbers)), "person": person, "name": person.title()}
        await self._queue(self._newest)

    async def _queue(self, told: Json) -> None:
        async with self._changed:
            self._waiting.append(told)
            self._changed.notify_all()

    # what the adapter asks

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            answer = await self._answer(json.loads(await reader.readline()))
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # whoever asked has gone
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, asked: Json) -> Json | None:
        """None for an answer that is lost on the way."""
        if asked["token"] != TOKEN:
            return {"error": "wrong token"}
        async with self._changed:
            match asked:
                case {"do": "hello"}:
                    return {"account": ACCOUNT}
                case {"do": "next"}:
                    return await self._next()
                case {"do": "forget", "update": update}:
                    if self._waiting and self._waiting[0]["update"] == update:
                        self._waiting.popleft()
                    return {}
                case {"do": "delete", "chat": chat, "message": message}:
                    self._texts[chat].pop(message, None)
                    return {}
            return self._post(asked)

    async def _next(self) -> Json:
        server = self._server
        assert server is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(NEXT_SECONDS):
                await self._changed.wait_for(lambda: self._waiting or not server.is_serving())
        return self._waiting[0] if self._waiting and server.is_serving() else {}

    def _post(self, asked: Json) -> Json | None:
        failure, self._failure = self._failure, None
        if failure and failure[0] in REFUSALS:
            seconds = {"seconds": failure[1]} if failure[0] is Failure.RATE_LIMITED else {}
            return REFUSALS[failure[0]] | seconds
        shown, message = self._texts[asked["chat"]], asked.get("message") or str(next(self._numbers))
        if "message" in asked and message not in shown:
            return {"error": "no such message"}
        if not asked["text"].strip() or len(asked["text"]) > 4096:
            return {"error": "empty, or too long"}
        shown[message] = asked["text"]
        self._changed.notify_all()
        return None if failure else {"message": message}


async def _hardly(seconds: float) -> None:
    """A pause that takes no time."""
    await asyncio.sleep(0)
