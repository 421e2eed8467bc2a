"""The `openai` generator against two real servers: llama-server, and transformers serve, which knows no keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from bot.errors import GenerationFailed, GeneratorUnavailable, PromptTooLong
from bot.types import EndReason, GeneratedText, Prompt, PromptMessage, Role, Sampling
from tests.generation.openai_asking import QUESTION, ask, generator
from tests.servers.llama_server import CONTEXT_TOKENS, KEY, llama_server
from tests.servers.process import ServerProcess
from tests.servers.transformers_serve import build_model, transformers_serve

ENDLESS = Prompt((PromptMessage(Role.USER, "Repeat without end:" + " one two" * 8),))


@pytest.fixture(scope="module")
def llama(default_model: Path) -> Iterator[ServerProcess]:
    """llama-server with the default model."""
    with llama_server(default_model) as server:
        yield server


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random chat model."""
    folder = tmp_path_factory.mktemp("tiny")
    build_model(folder)
    return folder


@pytest.fixture(scope="module")
def serve(tiny_model: Path) -> Iterator[ServerProcess]:
    """transformers serve, pinned to the tiny model."""
    with transformers_serve(tiny_model) as server:
        yield server


# -- llama-server -------------------------------------------------------------------------------------------


async def test_llama_server_tells_its_model_and_window_and_streams_a_reply(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        said = await ask(model)
        assert model.model == "SmolLM2-135M-Instruct.Q4_1.gguf"
        assert model.context_length == CONTEXT_TOKENS
        assert said.text.strip()
        assert said.end.usage.prompt_tokens == await model.count(QUESTION)
        assert said.end.usage.completion_tokens <= 12


async def test_llama_server_tells_what_its_cache_held(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        await ask(model)
        usage = (await ask(model)).end.usage
        assert 0 < usage.cached_tokens < usage.prompt_tokens


async def test_llama_server_gives_a_log_probability_a_token(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        sampling = Sampling(temperature=0, max_tokens=5, logprobs=True)
        said = await ask(model, QUESTION, sampling)
        logprobs = [value for piece in said.pieces for value in piece.logprobs]
        assert len(logprobs) == 5
        assert max(logprobs) <= 0


async def test_closing_the_stream_ends_the_generation_in_llama_server(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        async with aclosing(model.stream(ENDLESS, Sampling(temperature=0, max_tokens=1500))) as events:
            await anext(events)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
            while (slot := (await client.get(f"{llama.url}/slots")).json()[0])["is_processing"]:
                continue
    assert slot["n_prompt_tokens"] < 1000  # of 1,547 that a whole reply would have left there


@pytest.mark.parametrize(("key", "text"), [("wrong", "openai.key_refused"), ("", "openai.key_missing")])
async def test_llama_server_refuses_a_wrong_key_in_words(llama: ServerProcess, key: str, text: str) -> None:
    with pytest.raises(GenerationFailed) as caught:
        async with generator(llama.url, key=key):
            pytest.fail("it was let in")
    assert caught.value.key == text
    assert llama.url in str(caught.value)


async def test_llama_server_refuses_a_bad_request_in_its_own_words(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        with pytest.raises(GenerationFailed, match="refused the request") as caught:
            await ask(model, QUESTION, Sampling(temperature="hot"))  # type: ignore[arg-type]  # that is the point
    assert "temperature" in str(caught.value)


async def test_a_prompt_beyond_the_window_of_llama_server_is_too_long(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY) as model:
        prompt = Prompt((PromptMessage(Role.USER, "word " * 3000),))
        with pytest.raises(PromptTooLong) as caught:
            await ask(model, prompt)
        assert caught.value.values == {"tokens": await model.count(prompt), "limit": CONTEXT_TOKENS}


async def test_llama_server_tells_itself_that_a_prompt_is_too_long(llama: ServerProcess) -> None:
    async with generator(llama.url, key=KEY, context_length=100_000) as model:
        with pytest.raises(PromptTooLong) as caught:
            await ask(model, Prompt((PromptMessage(Role.USER, "word " * 3000),)))
        assert caught.value.values["limit"] == CONTEXT_TOKENS


async def test_what_llama_server_said_before_it_was_killed_is_kept(default_model: Path) -> None:
    said = ""
    with llama_server(default_model) as server:
        async with generator(server.url, key=KEY) as model:
            with pytest.raises(GeneratorUnavailable) as caught:
                async for event in model.stream(ENDLESS, Sampling(temperature=0, max_tokens=1500)):
                    if isinstance(event, GeneratedText) and not said:
                        said = event.text
                        server.kill()
    assert said
    assert caught.value.key == "openai.broke_off"


# -- transformers serve -------------------------------------------------------------------------------------


async def test_transformers_serve_streams_though_it_lists_no_model_and_refuses_fields(serve: ServerProcess) -> None:
    async with generator(serve.url, name="default") as model:
        sampling = Sampling(temperature=0, max_tokens=12, top_k=5, min_p=0.1, repetition_penalty=1.1)
        said = await ask(model, QUESTION, sampling)
        assert said.text
        assert said.end.reason is EndReason.LENGTH
        assert said.end.usage.completion_tokens == 12
        assert said.end.usage.prompt_tokens > 30


async def test_a_stop_string_is_no_part_of_a_reply_of_transformers_serve(serve: ServerProcess) -> None:
    async with generator(serve.url) as model:
        whole = (await ask(model)).text
        stop = whole[len(whole) // 2 :][:1]
        said = await ask(model, QUESTION, Sampling(temperature=0, max_tokens=12, stop=(stop,)))
        assert said.text == whole[: whole.index(stop)]
        assert said.end.reason is EndReason.STOP


async def test_closing_the_stream_ends_the_generation_in_transformers_serve(serve: ServerProcess) -> None:
    """It answers one request at a time, so that the next is answered only when the endless one has ended."""
    async with generator(serve.url) as model:
        async with aclosing(model.stream(QUESTION, Sampling(temperature=0, max_tokens=1_000_000))) as events:
            await anext(events)
        said = await ask(model)
        assert said.text


async def test_transformers_serve_refuses_another_model_in_words(serve: ServerProcess) -> None:
    async with generator(serve.url, name="somebody/else") as model:
        with pytest.raises(GenerationFailed, match=r"does not have the model `somebody/else`.* pinned to"):
            await ask(model)


async def test_transformers_serve_refuses_a_bad_request_in_its_own_words(serve: ServerProcess) -> None:
    # it closes the connection after such an answer, so that the repeats need their real pauses
    async with generator(serve.url, pauses=asyncio.sleep) as model:
        with pytest.raises(GeneratorUnavailable, match="failed: Internal Server Error"):
            await ask(model, QUESTION, Sampling(max_tokens="many"))  # type: ignore[arg-type]  # that is the point


async def test_what_transformers_serve_said_before_it_was_killed_is_kept(tiny_model: Path) -> None:
    said = ""
    with transformers_serve(tiny_model) as server:
        async with generator(server.url) as model:
            with pytest.raises(GeneratorUnavailable) as caught:
                async for event in model.stream(QUESTION, Sampling(temperature=0, max_tokens=1_000_000)):
                    if isinstance(event, GeneratedText) and not said:
                        said = event.text
                        server.kill()
    assert said
    assert caught.value.key == "openai.broke_off"
