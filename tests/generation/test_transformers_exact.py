"""Greedy replies are, token for token, those of the library's own `generate`, alone and among others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.generation.model import GeneratorSettings, ModelFormat, ResolvedModel
from bot.generation.transformers import TransformersGenerator
from bot.generation.transformers_batching import BatchedRunner
from bot.generation.transformers_sampling import TokenRequest
from bot.generation.transformers_single import SingleRunner
from bot.types import Sampling
from tests.generation.tiny_models import BATCHED, QUESTIONS, UNBATCHED, ask, make_model, resolved

SETTINGS = GeneratorSettings(context_length=512, slots=8, threads=1, device="cpu", dtype="float32")
TINY_TOKENS = 40
DEFAULT_TOKENS = 24


async def tokens_of(generator: TransformersGenerator, question: str, limit: int) -> list[int]:
    """The greedy reply to a question, as tokens."""
    request = await make_greedy_request(generator, question, limit)
    return [token.id async for token in generator.stream_tokens(request)]


async def make_greedy_request(generator: TransformersGenerator, question: str, limit: int) -> TokenRequest:
    return await generator.make_request(ask(question), Sampling(temperature=0, max_tokens=limit))


def generate(model: Any, tokenizer: Any, question: str, limit: int) -> list[int]:
    """The same by the library's `generate`."""
    import torch

    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        output = model.generate(**prompt, do_sample=False, max_new_tokens=limit)
    reply: list[int] = output[0, prompt["input_ids"].shape[1] :].tolist()
    return reply


def load_reference(folder: Path) -> tuple[Any, Any]:
    """The model and tokenizer of a folder, loaded apart from any generator."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("architecture", [*BATCHED, *UNBATCHED])
async def test_tiny_models_reply_as_generate_does_alone_and_among_eight(architecture: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / architecture, architecture)
    model, tokenizer = load_reference(folder)
    expected = [generate(model, tokenizer, question, TINY_TOKENS) for question in QUESTIONS]
    assert len({tuple(reply) for reply in expected}) == len(QUESTIONS), "replies that are alike prove nothing"

    async with TransformersGenerator(resolved(folder), SETTINGS) as generator:
        alone = [await tokens_of(generator, question, TINY_TOKENS) for question in QUESTIONS]
        together = await asyncio.gather(*(tokens_of(generator, question, TINY_TOKENS) for question in QUESTIONS))

        assert isinstance(generator.runner, BatchedRunner if architecture in BATCHED else SingleRunner)
    assert alone == expected
    assert list(together) == expected


@pytest.mark.parametrize("architecture", UNBATCHED)
async def test_a_model_that_continuous_batching_cannot_run_exactly_is_named_in_the_log(
    architecture: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_model(tmp_path / architecture, architecture)

    async with TransformersGenerator(resolved(folder, "odd"), SETTINGS):
        pass

    assert "odd: continuous batching cannot run it exactly" in caplog.text


@pytest.fixture(scope="session")
def default_generator(default_model: Path) -> Iterator[TransformersGenerator]:
    """The default model, unpacked from its GGUF file by transformers; it takes half a minute."""
    model = ResolvedModel("default", ModelFormat.GGUF, str(default_model))
    generator = TransformersGenerator(model, replace(SETTINGS, threads=2))
    generator.load()
    yield generator
    asyncio.run(generator.__aexit__())


async def test_the_default_model_replies_as_generate_does_alone_and_among_eight(
    default_generator: TransformersGenerator,
) -> None:
    loaded = default_generator.loaded
    expected = [generate(loaded.causal, loaded.tokenizer, question, DEFAULT_TOKENS) for question in QUESTIONS]

    alone = [await tokens_of(default_generator, question, DEFAULT_TOKENS) for question in QUESTIONS]
    together = await asyncio.gather(*(tokens_of(default_generator, question, DEFAULT_TOKENS) for question in QUESTIONS))

    assert isinstance(default_generator.runner, BatchedRunner)
    assert alone == expected
    assert list(together) == expected


async def test_the_default_model_from_its_gguf_file_knows_paris(default_generator: TransformersGenerator) -> None:
    prompt = ask("What is the capital of France?", system="You are a helpful assistant.")

    events = [event async for event in default_generator.stream(prompt, Sampling(temperature=0, max_tokens=24))]

    assert "Paris" in "".join(getattr(event, "text", "") for event in events)
