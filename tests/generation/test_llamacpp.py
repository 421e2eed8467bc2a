"""The real default model answers in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bot.errors import GeneratorUnavailable, ModelError, PromptTooLong
from bot.generation.llamacpp import LlamaCppGenerator
from bot.generation.model import GeneratorSettings, ModelFormat, ResolvedModel
from bot.types import EndReason, GeneratedText, GenerationEnd, Prompt, PromptMessage, Role, Sampling

GREEDY = Sampling(temperature=0, max_tokens=48)
STANDING = PromptMessage(Role.SYSTEM, "You are a helpful AI assistant named Parley. Use clear and simple language.")


def asked(*texts: str) -> Prompt:
    """A prompt of questions and answers in turn."""
    roles = (Role.USER, Role.ASSISTANT)
    return Prompt((STANDING, *(PromptMessage(roles[index % 2], text) for index, text in enumerate(texts))))


def made_from(path: Path, **settings: Any) -> LlamaCppGenerator:
    model = ResolvedModel("the model", ModelFormat.GGUF, str(path))
    return LlamaCppGenerator(model, GeneratorSettings(**{"threads": 2, "context_length": 1024, **settings}))


async def answer(
    generator: LlamaCppGenerator, prompt: Prompt, sampling: Sampling = GREEDY
) -> tuple[str, GenerationEnd]:
    """The whole answer and its end."""
    texts: list[str] = []
    async for event in generator.stream(prompt, sampling):
        if isinstance(event, GenerationEnd):
            return "".join(texts), event
        if isinstance(event, GeneratedText):
            texts.append(event.text)
    raise AssertionError("the stream has no end")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def generator(default_model: Path) -> AsyncIterator[LlamaCppGenerator]:
    async with made_from(default_model, slots=2) as generator:
        yield generator


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_answers(generator: LlamaCppGenerator) -> None:
    text, end = await answer(generator, asked("What is the capital of France?"))
    assert "Paris" in text
    assert end.reason is EndReason.STOP
    assert end.usage.completion_tokens > 1
    assert end.usage.prompt_tokens == await generator.count(asked("What is the capital of France?"))


async def test_answers_side_by_side_belong_to_their_questions(generator: LlamaCppGenerator) -> None:
    capitals = {"Germany": "Berlin", "Japan": "Tokyo", "Italy": "Rome", "France": "Paris"}
    questions = [asked(f"What is the capital of {country}?") for country in capitals]
    answers = await asyncio.gather(*(answer(generator, question) for question in questions))
    for (text, _), capital in zip(answers, capitals.values(), strict=True):
        assert [name for name in capitals.values() if name in text] == [capital]


async def test_the_next_turn_reads_only_what_is_new(generator: LlamaCppGenerator) -> None:
    first = asked("Tell me about the sea in two sentences.")
    text, end = await answer(generator, first)
    _, again = await answer(generator, asked("Tell me about the sea in two sentences.", text, "And the sky?"))
    assert again.usage.cached_tokens >= end.usage.prompt_tokens


async def test_a_limit_cuts_the_answer_and_is_told(generator: LlamaCppGenerator) -> None:
    text, end = await answer(generator, asked("Write a long story."), Sampling(temperature=0, max_tokens=5))
    assert (end.reason, end.usage.completion_tokens) == (EndReason.LENGTH, 5)
    assert text


async def test_a_stop_sequence_ends_the_answer_and_is_no_part_of_it(generator: LlamaCppGenerator) -> None:
    text, end = await answer(
        generator, asked("What is the capital of France?"), Sampling(temperature=0, stop=("Paris",), max_tokens=48)
    )
    assert "capital" in text and "Paris" not in text
    assert end.reason is EndReason.STOP


async def test_a_seed_makes_chance_repeatable(generator: LlamaCppGenerator) -> None:
    wild = [Sampling(temperature=1.5, seed=seed, max_tokens=24) for seed in (1, 1, 2)]
    prompt = asked("Invent a name.")
    one, same, other = [(await answer(generator, prompt, sampling))[0] for sampling in wild]
    assert one == same != other


async def test_log_probabilities_come_with_the_tokens(generator: LlamaCppGenerator) -> None:
    sampling = Sampling(temperature=0, max_tokens=8, logprobs=True)
    events = [event async for event in generator.stream(asked("Say hello."), sampling)]
    values = [value for event in events if isinstance(event, GeneratedText) for value in event.logprobs]
    assert len(values) == 8
    assert all(value <= 0 for value in values)


async def test_characters_are_whole(generator: LlamaCppGenerator) -> None:
    sampling = Sampling(temperature=0, max_tokens=40)
    async for event in generator.stream(asked("Repeat exactly: 你好，世界 🦜🦜🦜"), sampling):
        assert "\ufffd" not in getattr(event, "text", "")


async def test_a_stopped_answer_frees_its_slot_at_once(generator: LlamaCppGenerator) -> None:
    prompt = asked("Count from one to ten thousand in words.")
    for _ in range(4):  # more often than there are slots
        async with aclosing(generator.stream(prompt, Sampling(temperature=0, max_tokens=900))) as stream:
            async for event in stream:
                assert isinstance(event, GeneratedText)
                break
    text, _ = await answer(generator, asked("What is the capital of France?"))
    assert "Paris" in text


async def test_more_requests_than_slots_are_all_answered(generator: LlamaCppGenerator) -> None:
    short = Sampling(temperature=0, max_tokens=4)
    ends = await asyncio.gather(*(answer(generator, asked(f"Say {number}."), short) for number in range(6)))
    assert all(text for text, _ in ends)


async def test_a_prompt_over_the_window_is_refused_with_figures(generator: LlamaCppGenerator) -> None:
    with pytest.raises(PromptTooLong, match=r"it can read 1024 at once"):
        await answer(generator, asked("word " * 3000))


async def test_nobody_else_on_the_machine_can_ask_it(generator: LlamaCppGenerator) -> None:
    address = generator._server.listening_address
    async with httpx.AsyncClient(base_url=address) as client:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 401
        assert (await client.get("/slots")).status_code in (401, 404, 501)
        assert (await client.get("/metrics")).status_code == 401


@pytest.mark.asyncio(loop_scope="function")
async def test_a_model_that_is_not_loaded_says_so(default_model: Path) -> None:
    with pytest.raises(GeneratorUnavailable, match="not loaded"):
        await answer(made_from(default_model), asked("hi"))


@pytest.mark.asyncio(loop_scope="function")
async def test_a_model_larger_than_the_limit_is_refused_before_it_is_loaded(default_model: Path) -> None:
    generator = made_from(default_model, memory_limit_bytes=50_000_000)
    with pytest.raises(ModelError, match=r"memory"):
        async with generator:
            raise AssertionError("must not load")
    assert generator._server is None


@pytest.mark.asyncio(loop_scope="function")
async def test_a_context_beyond_the_training_is_cut_and_logged(
    default_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    generator = made_from(default_model, context_length=1 << 20, prompt_cache_mib=0)
    async with generator:
        assert generator.context_length == 8192
    assert "1048576" in caplog.text


@pytest.mark.asyncio(loop_scope="function")
async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"this is no model" * 100)
    with pytest.raises(ModelError, match="GGUF"):
        async with made_from(path):
            raise AssertionError("must not load")


@pytest.mark.asyncio(loop_scope="function")
async def test_a_model_that_is_left_as_soon_as_it_is_loaded_lets_go(default_model: Path) -> None:
    for _ in range(5):
        async with asyncio.timeout(30), made_from(default_model):
            pass
