"""The `openai` generator where things go wrong: what is asked again, what is told, and that no key is."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.errors import GenerationError, GenerationFailed, GeneratorUnavailable, ModelError
from bot.generation.openai_errors import LONGEST_PAUSE_SECONDS, RETRIES, Kind
from bot.texts import Texts
from bot.types import GeneratedText
from tests.generation.openai_asking import PLAIN, QUESTION, Pauses, ask, generator
from tests.servers.openai_server import (
    CHAT,
    Answer,
    End,
    OpenAIServer,
    chunk,
    html_answer,
    json_answer,
    stream,
)

KEY = "sk-parley-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    """A server that answers `Hello you`."""
    async with OpenAIServer() as listening:
        yield listening


def error(status: int, message: str = "no luck", **headers: str) -> Answer:
    return json_answer({"error": {"message": message}}, status, **headers)


# -- asking again -------------------------------------------------------------------------------------------

PASSING = {
    "408": error(408),
    "409": error(409),
    "429": error(429),
    "500": error(500),
    "502 with a page": html_answer(502),
    "503": error(503),
    "504": error(504),
    "529": error(529),
    "no answer": Answer(end=End.REFUSED),
    "cut before the first word": stream(chunk(role="assistant"), end=End.CUT),
    "ended before the first word": stream(chunk(role="assistant")),
    "an error in the stream": stream({"error": {"code": 503, "message": "overloaded"}}),
    "an error in the stream, as a string": stream({"error": "out of memory"}),
    "an error in the stream, not escaped": Answer((b'data: {"error": "no "key""}\n\n',)),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
async def test_what_may_pass_is_asked_again_before_the_first_word(server: OpenAIServer, trouble: Answer) -> None:
    server.replies.extend([trouble] * RETRIES)
    pauses = Pauses()
    async with generator(server.url, pauses=pauses) as model:
        assert (await ask(model)).text == "Hello you"
    assert all(0.25 * 2**n <= seconds <= 0.5 * 2**n for n, seconds in enumerate(pauses.seconds))
    assert len(pauses.seconds) == RETRIES


async def test_repeats_come_to_an_end(server: OpenAIServer) -> None:
    server.reply = error(500, "the engine died")
    async with generator(server.url) as model:
        with pytest.raises(GeneratorUnavailable, match="failed: the engine died"):
            await ask(model)
    assert len(server.chats) == RETRIES + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501])
async def test_what_does_not_pass_is_asked_once(server: OpenAIServer, status: int) -> None:
    server.reply = error(status)
    pauses = Pauses()
    async with generator(server.url, pauses=pauses) as model:
        with pytest.raises(GenerationError):
            await ask(model)
    assert pauses.seconds == []


async def test_nothing_is_asked_again_after_the_first_word(server: OpenAIServer) -> None:
    server.reply = stream(chunk("Hel"), end=End.CUT)
    said = ""
    async with generator(server.url) as model:
        with pytest.raises(GeneratorUnavailable) as caught:
            async for event in model.stream(QUESTION, PLAIN):
                assert isinstance(event, GeneratedText)
                said += event.text
    assert (said, caught.value.key, len(server.chats)) == ("Hel", Kind.BROKE_OFF, 1)


BREAKS = {
    "the stream ends without an end": (stream(chunk("Hel")), Kind.BROKE_OFF),
    "the last event is cut": (Answer((*stream(chunk("Hel")).pieces, b'data: {"choi'), end=End.CUT), Kind.BROKE_OFF),
    "an error in the stream": (stream(chunk("Hel"), {"error": {"code": 500, "message": "boom"}}), Kind.SERVER_FAILED),
    "finish_reason error": (stream(chunk("Hel"), chunk(finish="error"), "[DONE]"), Kind.SERVER_FAILED),
    "finish_reason content_filter": (stream(chunk("Hel"), chunk(finish="content_filter"), "[DONE]"), Kind.FILTERED),
    "no JSON": (Answer((*stream(chunk("Hel")).pieces, b"data: what?\n\n")), Kind.NOT_JSON),
    "another shape": (stream(chunk("Hel"), {"choices": ["what?"]}), Kind.NOT_JSON),
}


@pytest.mark.parametrize(("broken", "kind"), BREAKS.values(), ids=BREAKS.keys())
async def test_what_was_said_before_a_break_is_kept(server: OpenAIServer, broken: Answer, kind: Kind) -> None:
    server.reply = broken
    said = ""
    async with generator(server.url) as model:
        with pytest.raises(GenerationError) as caught:
            async for event in model.stream(QUESTION, PLAIN):
                assert isinstance(event, GeneratedText)
                said += event.text
    assert (said, caught.value.key) == ("Hel", kind)


async def test_the_pause_that_the_server_asks_for_is_kept(server: OpenAIServer) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.replies.extend((error(429, Retry_After="7"), error(503, Retry_After=later), error(429, Retry_After="soon")))
    pauses = Pauses()
    async with generator(server.url, pauses=pauses) as model:
        await ask(model)
    assert pauses.seconds[0] == 7
    assert 15 < pauses.seconds[1] <= 20
    assert pauses.seconds[2] <= 2


async def test_a_pause_that_is_too_long_is_told(server: OpenAIServer) -> None:
    server.reply = error(429, Retry_After=f"{LONGEST_PAUSE_SECONDS * 2:.0f}")
    async with generator(server.url) as model:
        with pytest.raises(GeneratorUnavailable, match="pause of 60 seconds"):
            await ask(model)
    assert len(server.chats) == 1


async def test_a_server_that_loads_its_model_is_waited_for(server: OpenAIServer) -> None:
    loading = json_answer({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)
    server.replies.extend([loading] * 9)
    pauses = Pauses()
    async with generator(server.url, pauses=pauses, timeout_seconds=20.0) as model:
        assert (await ask(model)).text == "Hello you"
        server.reply = loading
        with pytest.raises(GeneratorUnavailable, match="still loading"):
            await ask(model)
    assert sum(pauses.seconds) == 9 * 2 + 20


# -- in words -----------------------------------------------------------------------------------------------

TOLD = {
    "wrong key": (error(401), GenerationFailed, "does not accept the API key"),
    "not allowed": (error(403, "your region is not served"), GenerationFailed, "your region is not served"),
    "no credit": (
        json_answer({"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}, 429),
        GenerationFailed, "no credit left: You exceeded your quota",
    ),
    "unknown model, vLLM": (error(404, "The model `big` does not exist."), GenerationFailed, r"It lists: tiny\."),
    "unknown model, Ollama": (error(404, 'model "big" not found, try pulling it first'), GenerationFailed, "`big`"),
    "unknown model, transformers": (
        json_answer({"detail": "Server is pinned to 'tiny'; requested 'big'."}, 400),
        GenerationFailed, "pinned to 'tiny'",
    ),
    "unknown model, hosted": (
        json_answer({"error": {"message": "No such thing.", "code": "model_not_found"}}, 404),
        GenerationFailed, "does not have the model `big`",
    ),
    "a string for an error": (json_answer({"error": "try harder"}, 400), GenerationFailed, "request: try harder"),
    "a message without an error": (
        json_answer({"object": "error", "message": "try harder", "code": 400}, 400), GenerationFailed, "try harder",
    ),
    "no word at all": (Answer(status=418, content_type="text/plain"), GenerationFailed, "HTTP 418"),
    "a web page": (html_answer(), GenerationFailed, "not an OpenAI-compatible API"),
    "a web page that is missing": (html_answer(404), GenerationFailed, "not an OpenAI-compatible API"),
    "text": (Answer((b"hello\n",), content_type="text/plain"), GenerationFailed, "other than the JSON"),
    "broken JSON": (Answer((b'{"choices": [',), content_type="application/json"), GenerationFailed, "than the JSON"),
    "a JSON list": (json_answer([]), GenerationFailed, "other than the JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words"), TOLD.values(), ids=TOLD.keys())
async def test_a_refused_request_is_told_in_words(
    server: OpenAIServer, answer: Answer, kind: type[GenerationError], words: str
) -> None:
    server.reply = answer
    async with generator(server.url, name="big", key=KEY) as model:
        with pytest.raises(kind, match=words):
            await ask(model)


async def test_silence_is_told_and_not_asked_again(server: OpenAIServer) -> None:
    server.reply = Answer(end=End.HELD)
    async with generator(server.url, timeout_seconds=0.2) as model:
        with pytest.raises(GeneratorUnavailable) as caught:
            await ask(model)
    assert (caught.value.key, len(server.chats)) == (Kind.SILENT, 1)


async def test_silence_in_the_middle_of_a_reply_is_told(server: OpenAIServer) -> None:
    server.reply = stream(chunk("Hel"), end=End.HELD)
    async with generator(server.url, timeout_seconds=0.2) as model:
        events = model.stream(QUESTION, PLAIN)
        await anext(events)
        with pytest.raises(GeneratorUnavailable, match="silent for 0 seconds"):
            await anext(events)


async def test_a_server_that_is_gone_is_told(server: OpenAIServer) -> None:
    async with generator(server.url) as model:
        await server.__aexit__()
        with pytest.raises(
            GeneratorUnavailable, match=r"Nothing answers at http://127\.0\.0\.1:\d+/v1\. Is the server"
        ):
            await ask(model)


UNREACHABLE = {
    "nobody there": ("http://127.0.0.1:9/v1", Kind.UNREACHABLE),
    "no such name": ("http://parley.invalid/v1", Kind.NO_ADDRESS),
}


@pytest.mark.parametrize(("url", "kind"), UNREACHABLE.values(), ids=UNREACHABLE.keys())
async def test_a_server_that_cannot_be_reached_is_told_on_entering(url: str, kind: Kind) -> None:
    pauses = Pauses()
    with pytest.raises(GeneratorUnavailable) as caught:
        async with generator(url, pauses=pauses):
            pytest.fail("it was entered")
    assert (caught.value.key, len(pauses.seconds)) == (kind, RETRIES)
    assert url in str(caught.value)


async def test_a_server_without_tls_is_told_to_be_none(server: OpenAIServer) -> None:
    with pytest.raises(GeneratorUnavailable) as caught:
        async with generator(server.url.replace("http:", "https:")):
            pytest.fail("it was entered")
    assert caught.value.key == Kind.NOT_TRUSTED


async def test_a_web_server_is_told_to_be_no_api(server: OpenAIServer) -> None:
    server.routes = dict.fromkeys(("/v1/models", "/models"), html_answer())
    with pytest.raises(GenerationFailed) as caught:
        async with generator(server.url):
            pytest.fail("it was entered")
    assert caught.value.key == Kind.NOT_COMPATIBLE


@pytest.mark.parametrize("url", ["", "ftp://example.org", "http://", "http://host:port/v1", "http://[::1"])
async def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ModelError, match="is not the address of a server"):
        async with generator(url):
            pytest.fail("it was entered")


@pytest.mark.parametrize("key", ["sk-one two", "sk\n-", "sk–dash", "密钥"])
async def test_a_key_that_no_header_can_carry_is_told(server: OpenAIServer, key: str) -> None:
    with pytest.raises(ModelError) as caught:
        async with generator(server.url, key=key):
            pytest.fail("it was entered")
    assert caught.value.key == "openai.key_unusable"
    assert key not in str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.startswith("openai.")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_trouble_has_its_words(kind: Kind, language: str) -> None:
    values = {"url": "URL", "model": "M", "models": "A, B", "problem": "P", "seconds": 3, "status": 500}
    assert "{" not in Texts(language).get(kind, **values)


# -- keys ---------------------------------------------------------------------------------------------------


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


LEAKS = {
    "refused": error(401, f"Incorrect API key provided: {KEY}"),
    "forbidden": error(403, f"Key {KEY} may not"),
    "bad request": error(400, f"Key {KEY} is odd"),
    "failed": error(500, f"Key {KEY} broke it"),
    "cut": stream(end=End.CUT),
    "in the stream": stream({"error": f"Key {KEY} broke it"}),
}


@pytest.mark.parametrize("answer", LEAKS.values(), ids=LEAKS.keys())
async def test_no_key_is_in_an_error_or_a_log(
    server: OpenAIServer, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = answer
    with caplog.at_level(logging.DEBUG):
        async with generator(server.url, key=KEY) as model:
            with pytest.raises(GenerationError) as caught:
                await ask(model)
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert list(chain(caught.value)) == [caught.value]  # nothing of the client library hangs on to it
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [str(frame.locals) for frame in frames if frame.filename != __file__]
    assert len(ours) > 0
    assert KEY not in "".join(ours) + repr(caught.value) + str(caught.value) + repr(model) + caplog.text


async def test_no_password_of_an_address_is_in_an_error_or_a_log(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = error(500)
    with caplog.at_level(logging.INFO):
        async with generator(server.url.replace("//", "//me:hidden@")) as model:
            with pytest.raises(GenerationError) as caught:
                await ask(model)
    assert "hidden" not in str(caught.value) + caplog.text


async def test_the_environment_of_the_client_library_has_no_say(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer from-the-environment\nX-Mine: yes")
    async with generator(server.url) as model:
        await ask(model)
    assert [request.path for request in server.requests][-1] == CHAT
    sent = {name: value for request in server.requests for name, value in request.headers.items()}
    assert "from-the-environment" not in sent.values()
    assert not sent.keys() & {"x-mine", "openai-organization", "openai-project"}
    assert sent["authorization"] == "Bearer none"


async def test_without_the_client_library_it_says_what_to_install(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r'pip install -e "\.\[openai\]"'):
        async with generator(server.url):
            pytest.fail("it was entered")
