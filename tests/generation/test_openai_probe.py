"""The `openai` generator as it finds out what a server is: its address, models, window and tokenizer."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import pytest

from bot.errors import GenerationFailed, GeneratorUnavailable
from bot.types import Prompt, PromptMessage, Role
from tests.generation.openai_asking import QUESTION, ask, generator
from tests.servers.openai_server import (
    CHAT,
    REPLY,
    Answer,
    End,
    OpenAIServer,
    html_answer,
    json_answer,
)

ESTIMATE = 18  # 30 bytes / 3 + 8


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    """A server that answers `Hello you`."""
    async with OpenAIServer() as listening:
        yield listening


def listing(**fields: Any) -> Answer:
    return json_answer({"object": "list", "data": [{"id": "tiny", **fields}, {"id": "big"}]})


# -- where it is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_an_address_is_found_with_and_without_its_version(server: OpenAIServer, path: str) -> None:
    async with generator(server.url + path) as model:
        assert (await ask(model)).text == "Hello you"
    assert server.requests[-1].path == CHAT


@pytest.mark.parametrize("path", ["/api", "/api/v1"])
async def test_an_api_that_has_no_version_in_its_address_is_found(server: OpenAIServer, path: str) -> None:
    server.routes = {"/api/models": listing(), "/api/chat/completions": REPLY, "/api/v1/models": html_answer()}
    async with generator(server.url + path) as model:
        assert (await ask(model)).text == "Hello you"


async def test_an_address_without_a_scheme_is_taken_for_http(server: OpenAIServer) -> None:
    async with generator(server.url.removeprefix("http://")) as model:
        assert (await ask(model)).text == "Hello you"


async def test_a_server_that_is_busy_at_first_is_asked_again(server: OpenAIServer) -> None:
    server.queues["/v1/models"].extend((Answer(end=End.REFUSED), json_answer({}, 503), json_answer({}, 429)))
    async with generator(server.url) as model:
        assert model.model == "tiny"


@pytest.mark.parametrize(("key", "text"), [("wrong", "openai.key_refused"), ("", "openai.key_missing")])
async def test_a_wrong_key_is_told_on_entering(key: str, text: str) -> None:
    async with OpenAIServer(key="right") as server:
        with pytest.raises(GenerationFailed) as caught:
            async with generator(server.url, key=key):
                pytest.fail("it was let in")
    assert caught.value.key == text


async def test_white_space_around_a_key_is_no_part_of_it() -> None:
    async with OpenAIServer(key="right") as server, generator(server.url, key=" right\n") as model:
        assert (await ask(model)).text == "Hello you"


# -- its models ---------------------------------------------------------------------------------------------

MODELS = {
    "standard": listing(),
    "a bare list": json_answer([{"id": "tiny"}, {"id": "big"}]),
    "names": json_answer({"models": [{"name": "tiny"}]}),
    "with strays": json_answer({"data": [None, {}, "what", {"id": "tiny"}]}),
}


@pytest.mark.parametrize("name", ["", "default"])
@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS.keys())
async def test_without_a_name_the_first_model_is_taken(server: OpenAIServer, models: Answer, name: str) -> None:
    server.routes["/v1/models"] = models
    async with generator(server.url, name=name) as model:
        await ask(model)
        assert model.model == "tiny"
    assert server.chats[0]["model"] == "tiny"


NO_MODELS = {
    "empty": json_answer({"object": "list", "data": []}),
    "null": json_answer({"object": "list", "data": None}),
    "transformers serve without a cache": Answer((b"Internal Server Error",), 500, "text/plain"),
    "not implemented": json_answer({"error": "no"}, 501),
    "not there": json_answer({"detail": "Not Found"}, 404),
}


@pytest.mark.parametrize("models", NO_MODELS.values(), ids=NO_MODELS.keys())
async def test_a_server_that_lists_no_models_is_left_the_choice(server: OpenAIServer, models: Answer) -> None:
    server.routes["/v1/models"] = models
    async with generator(server.url) as model:
        assert (await ask(model)).text == "Hello you"
        assert model.model == "default"
    assert "model" not in server.chats[0]


async def test_a_model_that_is_not_listed_is_asked_for_all_the_same(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with generator(server.url, name="huge") as model:
        await ask(model)
    assert server.chats[0]["model"] == "huge"
    assert "does not list huge, but tiny" in caplog.text


async def test_a_model_that_is_a_path_is_known_by_its_last_part(server: OpenAIServer) -> None:
    server.routes["/v1/models"] = json_answer({"data": [{"id": "/models/tiny.gguf"}]})
    async with generator(server.url) as model:
        await ask(model)
        assert model.model == "tiny.gguf"
    assert server.chats[0]["model"] == "/models/tiny.gguf"


# -- its window ---------------------------------------------------------------------------------------------

PROPS = json_answer({"default_generation_settings": {"n_ctx": 3000}, "total_slots": 2})
SHOW = {"model_info": {"general.architecture": "llama", "llama.context_length": 131072}}
WINDOWS: dict[str, tuple[Answer, dict[str, Answer], int]] = {
    "vLLM": (listing(max_model_len=8192), {}, 8192),
    "OpenRouter": (listing(context_length=32768), {}, 32768),
    "Groq": (listing(context_window=16384), {}, 16384),
    "Mistral": (listing(max_context_length=65536), {}, 65536),
    "llama-server": (listing(meta={"n_ctx": 2048, "n_ctx_train": 8192}), {"/props": PROPS}, 2048),
    "older llama-server": (listing(meta={"n_ctx_train": 8192}), {"/props": PROPS}, 3000),
    "llama-server behind a proxy": (listing(meta={"n_ctx_train": 8192}), {}, 8192),
    "Ollama": (listing(), {"/api/show": json_answer(SHOW)}, 4096),
    "Ollama with num_ctx": (
        listing(), {"/api/show": json_answer(SHOW | {"parameters": 'stop "x"\nnum_ctx                 16000'})}, 16000,
    ),
    "Ollama with the model loaded": (
        listing(),
        {"/api/show": json_answer(SHOW),
         "/api/ps": json_answer({"models": [{"name": "tiny", "context_length": 8000}]})},
        8000,
    ),
    "Ollama with a small model": (
        listing(), {"/api/show": json_answer({"model_info": {"bert.context_length": 512}})}, 512,
    ),
    "nonsense": (
        listing(max_model_len="long", meta=None), {"/props": html_answer(), "/api/show": json_answer([])}, 4096,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("models", "routes", "tokens"), WINDOWS.values(), ids=WINDOWS.keys())
async def test_the_window_is_found(
    server: OpenAIServer, models: Answer, routes: dict[str, Answer], tokens: int
) -> None:
    server.routes |= {"/v1/models": models} | routes
    async with generator(server.url) as model:
        assert model.context_length == tokens


async def test_an_assumed_window_is_logged(server: OpenAIServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with generator(server.url) as model:
            assert model.context_length == 4096
    assert "4096 tokens are assumed" in caplog.text


async def test_a_configured_window_is_believed_without_asking(server: OpenAIServer) -> None:
    server.routes["/v1/models"] = listing(max_model_len=8192)
    async with generator(server.url, context_length=1024) as model:
        assert model.context_length == 1024
    assert [request.path for request in server.requests] == ["/v1/models"]


# -- its tokenizer ------------------------------------------------------------------------------------------

COUNTERS: dict[str, tuple[dict[str, Answer], int]] = {
    "llama-server": ({f"{CHAT}/input_tokens": json_answer({"input_tokens": 32})}, 32),
    "vLLM": ({"/tokenize": json_answer({"count": 21, "max_model_len": 2048, "tokens": [1] * 21})}, 21),
    "older llama-server": (
        {"/tokenize": json_answer({"tokens": [1, 2, 3]}), "/apply-template": json_answer({"prompt": "<|user|>"})}, 3,
    ),
    "none": ({}, ESTIMATE),
    "nonsense": ({"/tokenize": html_answer(), f"{CHAT}/input_tokens": json_answer([])}, ESTIMATE),
}  # fmt: skip


@pytest.mark.parametrize(("routes", "tokens"), COUNTERS.values(), ids=COUNTERS.keys())
async def test_tokens_are_counted_by_the_server_where_it_can(
    server: OpenAIServer, routes: dict[str, Answer], tokens: int
) -> None:
    server.routes |= routes
    async with generator(server.url) as model:
        assert await model.count(QUESTION) == tokens


@pytest.mark.parametrize(("name", "asked"), [("vLLM", 1), ("none", 0)])
async def test_the_way_to_count_is_looked_for_once(server: OpenAIServer, name: str, asked: int) -> None:
    server.routes |= COUNTERS[name][0]
    async with generator(server.url) as model:
        await model.count(QUESTION)
        before = len(server.requests)
        await model.count(QUESTION)
        assert len(server.requests) == before + asked


async def test_a_tokenizer_that_fails_for_once_is_not_given_up(server: OpenAIServer) -> None:
    counter = f"{CHAT}/input_tokens"
    server.routes[counter] = COUNTERS["llama-server"][0][counter]
    async with generator(server.url) as model:
        counts = [await model.count(QUESTION)]
        server.queues[counter].append(Answer(end=End.REFUSED))
        counts += [await model.count(QUESTION), await model.count(QUESTION)]
    assert counts == [32, ESTIMATE, 32]


async def test_an_estimate_is_rather_too_high_for_common_languages(server: OpenAIServer) -> None:
    texts = (
        "Please tell me what the weather will be like tomorrow.",
        "请告诉我明天天气怎么样。",
        "for i in range(10):",
    )
    prompt = Prompt(tuple(PromptMessage(Role.USER, text) for text in texts))
    async with generator(server.url) as model:
        assert await model.count(prompt) == 18 + 12 + 7 + 3 * 8


# -- its life -----------------------------------------------------------------------------------------------


async def test_a_generator_that_was_not_entered_says_so(server: OpenAIServer) -> None:
    model = generator(server.url)
    with pytest.raises(GeneratorUnavailable, match="is not loaded"):
        await ask(model)
    with pytest.raises(GeneratorUnavailable, match="is not loaded"):
        await model.count(QUESTION)
    assert server.requests == []


async def test_a_generator_that_was_left_says_so(server: OpenAIServer) -> None:
    async with generator(server.url) as model:
        await ask(model)
    with pytest.raises(GeneratorUnavailable, match="is not loaded"):
        await model.count(QUESTION)


def test_both_languages_tell_the_same() -> None:
    tables = [tomllib.loads((files("prompts") / f"languages/{language}/openai.toml").read_text("utf-8"))
              for language in ("en", "zh")]  # fmt: skip
    english, chinese = ({name: set(re.findall(r"\{\w+\}", text)) for name, text in table.items()} for table in tables)
    assert english == chinese
