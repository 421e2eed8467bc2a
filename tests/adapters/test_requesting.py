"""Requests arrive whole, and where none does, it is known whether it can have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.requesting import NoAnswer, NotSent, RequestMaker

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What is sent."""

    json_parameters: dict[str, str]
    multipart_data: dict[str, tuple[str, bytes, str]] = field(default_factory=dict)


HELLO = Given({"text": "Grüße & more"})


def saying(answer: bytes, *, then_closes: bool = False) -> Script:
    """A server that answers so."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if then_closes:
            writer.close()

    return say


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on loopback: its URL, and what it was sent."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""):
            length = next((int(line[16:]) for line in head.splitlines() if line.lower().startswith(b"content-le")), 0)
            asked.append(head + await reader.readexactly(length))
            await script(writer)

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", asked


@pytest.fixture
async def maker() -> AsyncIterator[RequestMaker]:
    made = RequestMaker()
    await made.initialize()
    yield made
    await made.shutdown()


async def test_fields_arrive_as_a_form_and_the_answer_is_given(maker: RequestMaker) -> None:
    async with serving(saying(OK)) as (url, asked):
        assert await maker.do_request(url, "POST", HELLO) == (200, b"ok")
    assert asked[0].endswith(b"\r\n\r\ntext=Gr%C3%BC%C3%9Fe+%26+more")
    assert b"application/x-www-form-urlencoded" in asked[0]


async def test_files_arrive_with_their_names_and_types(maker: RequestMaker) -> None:
    async with serving(saying(OK)) as (url, asked):
        form = Given({"caption": "Look"}, {"document": ("reply.md", b"# Hello", "text/markdown")})
        await maker.do_request(url, "POST", form)
    for part in (b'name="caption"', b"Look", b'filename="reply.md"', b"text/markdown", b"# Hello"):
        assert part in asked[0]


async def test_a_refusal_is_an_answer_and_a_redirection_is_not_followed(maker: RequestMaker) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(answer)) as (url, asked):
        assert await maker.do_request(url, "POST", HELLO) == (302, b"")
    assert len(asked) == 1


async def test_where_nobody_listens_nothing_was_sent(maker: RequestMaker) -> None:
    async with serving(saying(OK)) as (url, _):
        pass
    with pytest.raises(NotSent, match="Connect call failed"):
        await maker.do_request(url, "POST", HELLO)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_where_the_answer_breaks_off_it_is_not_known_what_became_of_the_request(
    maker: RequestMaker, answer: bytes
) -> None:
    async with serving(saying(answer, then_closes=True)) as (url, asked):
        with pytest.raises(NoAnswer) as told:
            await maker.do_request(url + "secret", "POST", HELLO)
    assert not isinstance(told.value, NotSent)
    assert "secret" not in str(told.value)
    assert len(asked) == 1


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_asked(maker: RequestMaker) -> None:
    async with serving(saying(b"")) as (url, _):
        with pytest.raises(NoAnswer):
            await maker.do_request(url, "POST", HELLO, 0.05)


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(maker: RequestMaker) -> None:
    async with serving(saying(OK, then_closes=True)) as (url, asked):
        for _ in range(5):
            assert await maker.do_request(url, "POST", HELLO) == (200, b"ok")
    assert len(asked) == 5


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, maker: RequestMaker) -> None:
    async with serving(saying(OK)) as (url, asked):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        await maker.do_request("http://telegraph.example/bot", "POST", HELLO)
    assert asked[0].startswith(b"POST http://telegraph.example/bot HTTP/1.1")


async def test_it_can_be_made_ready_again(maker: RequestMaker) -> None:
    async with serving(saying(OK)) as (url, _):
        await maker.shutdown()
        await maker.initialize()
        assert await maker.do_request(url, "GET") == (200, b"ok")
