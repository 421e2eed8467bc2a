"""The transformers generator keeps every promise of the Generator seam."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import GenerationFailed, GeneratorUnavailable, PromptTooLong
from bot.generation.model import GeneratorSettings
from bot.generation.transformers import TransformersGenerator
from bot.generation.transformers_batching import BatchedRunner
from bot.generation.transformers_sampling import Token
from bot.types import EndReason, GeneratedText, GenerationEnd, GenerationEvent, Prompt, PromptMessage, Role, Sampling
from tests.generation.test_transformers_exact import generate, load_reference
from tests.generation.tiny_models import QUESTIONS, ask, make_model, resolved

SETTINGS = GeneratorSettings(context_length=256, slots=4, threads=1, device="cpu", dtype="float32")
GREEDY = Sampling(temperature=0, max_tokens=30)
FOX = ask("fox")


@pytest.fixture(scope="module", params=["llama", "bloom"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is batched, and one whose requests take turns."""
    return make_model(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def batched_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def generator(folder: Path) -> Iterator[TransformersGenerator]:
    """Both kinds, for tests that leave them as they were."""
    generator = TransformersGenerator(resolved(folder), SETTINGS)
    generator.load()
    yield generator
    asyncio.run(generator.__aexit__())


@pytest.fixture
async def fresh(folder: Path) -> AsyncIterator[TransformersGenerator]:
    """Both kinds, for tests that break them."""
    async with TransformersGenerator(resolved(folder), SETTINGS) as generator:
        yield generator


@pytest.fixture
async def batched(batched_folder: Path) -> AsyncIterator[TransformersGenerator]:
    async with TransformersGenerator(resolved(batched_folder), SETTINGS) as generator:
        yield generator


async def events_of(generator: TransformersGenerator, prompt: Prompt, sampling: Sampling) -> list[GenerationEvent]:
    return [event async for event in generator.stream(prompt, sampling)]


def text_of(events: Sequence[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, GeneratedText))


async def reply_of(generator: TransformersGenerator, prompt: Prompt, sampling: Sampling) -> str:
    return text_of(await events_of(generator, prompt, sampling))


def end_of(events: Sequence[GenerationEvent]) -> GenerationEnd:
    assert isinstance(events[-1], GenerationEnd)
    return events[-1]


# -- text ---------------------------------------------------------------------------------------------------


async def test_the_reply_reads_as_the_tokens_of_generate_do(generator: TransformersGenerator, folder: Path) -> None:
    model, tokenizer = load_reference(folder)
    expected = tokenizer.decode(generate(model, tokenizer, "fox", 30), skip_special_tokens=True)

    events = await events_of(generator, FOX, GREEDY)

    assert text_of(events) == expected.rstrip("\ufffd")
    assert len(events) > 10


async def test_a_stop_string_ends_the_reply_and_is_not_part_of_it(generator: TransformersGenerator) -> None:
    whole = await reply_of(generator, FOX, GREEDY)
    stop = whole[6:10]

    events = await events_of(generator, FOX, replace(GREEDY, stop=(stop,)))

    assert text_of(events) == whole[: whole.index(stop)]
    assert end_of(events).reason is EndReason.STOP


async def test_a_reply_ends_at_the_length_that_was_asked_for(generator: TransformersGenerator) -> None:
    end = end_of(await events_of(generator, FOX, replace(GREEDY, max_tokens=7)))

    assert end.reason is EndReason.LENGTH
    assert end.usage.completion_tokens == 7
    assert end.usage.prompt_tokens == await generator.count(FOX)


async def test_a_reply_ends_where_the_window_does(generator: TransformersGenerator) -> None:
    usage = end_of(await events_of(generator, FOX, Sampling(temperature=0))).usage

    assert usage.prompt_tokens + usage.completion_tokens <= generator.context_length


async def test_a_token_that_ends_the_reply_is_not_shown(batched: TransformersGenerator) -> None:
    token = (await first_tokens(batched, FOX, 3))[2]
    batched.loaded.eos_ids.append(token)

    events = await events_of(batched, FOX, GREEDY)

    assert end_of(events).reason is EndReason.STOP
    assert end_of(events).usage.completion_tokens == 3


async def first_tokens(generator: TransformersGenerator, prompt: Prompt, count: int) -> list[int]:
    request = await generator.make_request(prompt, replace(GREEDY, max_tokens=count))
    return [token.id async for token in generator.stream_tokens(request)]


# -- sampling -----------------------------------------------------------------------------------------------


async def test_a_seed_gives_the_same_reply_alone_and_among_others(generator: TransformersGenerator) -> None:
    seeded = Sampling(temperature=0.8, seed=7, max_tokens=20)
    alone = await reply_of(generator, FOX, seeded)

    together = await asyncio.gather(
        reply_of(generator, FOX, seeded),
        reply_of(generator, FOX, replace(seeded, seed=8)),
        reply_of(generator, ask("dog"), seeded),
        reply_of(generator, FOX, seeded),
    )

    assert together[0] == together[3] == alone
    assert together[1] != alone


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7},
        {"temperature": 1.5, "top_k": 5},
        {"temperature": 1.5, "top_p": 0.6},
        {"temperature": 1.5, "min_p": 0.2},
        {"temperature": 1.0, "repetition_penalty": 1.8},
    ],
)
async def test_sampled_tokens_are_those_of_generate_with_the_same_seed(
    settings: dict[str, Any], generator: TransformersGenerator, folder: Path
) -> None:
    import torch

    model, tokenizer = load_reference(folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "fox"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        output = model.generate(**prompt, do_sample=True, max_new_tokens=20, **({"top_k": 0} | settings))
    request = await generator.make_request(FOX, Sampling(**settings, seed=5, max_tokens=20))

    tokens = [token.id async for token in generator.stream_tokens(request)]

    assert tokens == output[0, prompt["input_ids"].shape[1] :].tolist()


async def test_a_repetition_penalty_changes_a_greedy_reply_as_it_changes_generate(
    generator: TransformersGenerator, folder: Path
) -> None:
    model, tokenizer = load_reference(folder)
    model.generation_config.repetition_penalty = 1.8

    request = await generator.make_request(FOX, replace(GREEDY, repetition_penalty=1.8))

    tokens = [token.id async for token in generator.stream_tokens(request)]
    assert tokens == generate(model, tokenizer, "fox", 30)
    assert tokens != await first_tokens(generator, FOX, 30)


async def test_what_is_not_asked_for_is_left_to_the_model(tmp_path: Path) -> None:
    import transformers

    folder = make_model(tmp_path / "own")
    transformers.GenerationConfig(repetition_penalty=1.8, eos_token_id=2).save_pretrained(folder)
    model, tokenizer = load_reference(folder)

    async with TransformersGenerator(resolved(folder), SETTINGS) as generator:
        assert await first_tokens(generator, FOX, 30) == generate(model, tokenizer, "fox", 30)


async def test_requests_of_different_settings_do_not_touch_each_other(generator: TransformersGenerator) -> None:
    alone = await reply_of(generator, FOX, GREEDY)

    together = await asyncio.gather(
        reply_of(generator, FOX, GREEDY),
        reply_of(generator, FOX, Sampling(temperature=2.0, max_tokens=30)),
        reply_of(generator, FOX, replace(GREEDY, repetition_penalty=1.8)),
        reply_of(generator, FOX, Sampling(temperature=1.0, top_k=1, max_tokens=30)),
    )

    assert together[0] == together[3] == alone
    assert alone not in together[1:3]


async def test_log_probabilities_are_those_that_the_model_gave(generator: TransformersGenerator, folder: Path) -> None:
    import torch

    model, _ = load_reference(folder)
    request = await generator.make_request(FOX, Sampling(temperature=1.3, seed=1, max_tokens=12, logprobs=True))
    tokens = [token async for token in generator.stream_tokens(request)]
    ids = torch.tensor([request.prompt_ids + [token.id for token in tokens]])
    with torch.no_grad():
        logits = model(ids).logits[0, len(request.prompt_ids) - 1 : -1]
    expected = torch.log_softmax(logits, dim=-1).gather(1, ids[0, len(request.prompt_ids) :, None])[:, 0]

    assert [token.logprob for token in tokens] == pytest.approx(expected.tolist(), abs=1e-3)


async def test_log_probabilities_come_with_the_text(generator: TransformersGenerator) -> None:
    events = await events_of(generator, FOX, replace(GREEDY, logprobs=True))

    shown = [event for event in events if isinstance(event, GeneratedText)]
    assert all(event.logprobs for event in shown)
    assert all(logprob <= 0 for event in shown for logprob in event.logprobs)


# -- limits -------------------------------------------------------------------------------------------------


async def test_a_prompt_longer_than_the_window_is_refused_with_both_figures(generator: TransformersGenerator) -> None:
    prompt = ask("fox " * 300)
    tokens = await generator.count(prompt)

    with pytest.raises(PromptTooLong, match=f"{tokens} tokens, and it can read {generator.context_length} at once"):
        await reply_of(generator, prompt, GREEDY)


async def test_requests_beyond_the_slots_wait_and_are_answered(folder: Path) -> None:
    async with TransformersGenerator(resolved(folder), replace(SETTINGS, slots=2)) as generator:
        alone = [await reply_of(generator, ask(question), GREEDY) for question in QUESTIONS]

        together = await asyncio.gather(*(reply_of(generator, ask(question), GREEDY) for question in QUESTIONS))

    assert together == alone


async def test_long_conversations_fill_every_slot_to_the_last_token(batched: TransformersGenerator) -> None:
    batched.loaded.eos_ids.clear()
    limit = Sampling(temperature=0)

    ends = [end_of(events) for events in await asyncio.gather(*(events_of(batched, ask(q), limit) for q in QUESTIONS))]

    assert {end.usage.prompt_tokens + end.usage.completion_tokens for end in ends} == {batched.context_length}


async def test_a_prompt_seen_before_is_taken_from_the_cache(batched: TransformersGenerator) -> None:
    prompt = ask("Tell me about the lazy dog and the quick brown fox. " * 3)
    first = await events_of(batched, prompt, GREEDY)

    second = await events_of(batched, prompt, GREEDY)

    assert end_of(first).usage.cached_tokens == 0
    assert end_of(second).usage.cached_tokens >= 32
    assert text_of(second) == text_of(first)


async def test_a_running_conversation_costs_only_its_new_tokens(batched: TransformersGenerator) -> None:
    said = [PromptMessage(Role.USER, "Tell me about the lazy dog and the quick brown fox. " * 3)]
    said.append(PromptMessage(Role.ASSISTANT, await reply_of(batched, Prompt(tuple(said)), GREEDY)))
    said.append(PromptMessage(Role.USER, "And then?"))

    usage = end_of(await events_of(batched, Prompt(tuple(said)), GREEDY)).usage

    assert usage.cached_tokens > usage.prompt_tokens / 2


# -- stopping -----------------------------------------------------------------------------------------------


def runner_of(generator: TransformersGenerator) -> BatchedRunner:
    assert isinstance(generator.runner, BatchedRunner)
    return generator.runner


def watch_steps(generator: TransformersGenerator) -> list[list[str]]:
    """The requests of each step from now on, as the library schedules them."""
    steps: list[list[str]] = []
    chooser = runner_of(generator)._chooser
    assert chooser
    prepare = chooser.prepare_tensor_args

    def spy(requests_in_batch: Sequence[Any], arg_storage: Any) -> Any:
        steps.append([scheduled.state.request_id for scheduled in requests_in_batch])
        return prepare(requests_in_batch, arg_storage)

    chooser.prepare_tensor_args = spy  # type: ignore[method-assign]  # the library's only view of it
    return steps


async def test_closing_a_stream_frees_its_request_within_one_step(batched: TransformersGenerator) -> None:
    batched.loaded.eos_ids.clear()
    steps = watch_steps(batched)
    async with aclosing(batched.stream(FOX, Sampling(temperature=0))) as stream:
        await anext(stream)
    cancelled = steps[0][0]
    after = len(steps)

    await reply_of(batched, ask("dog"), GREEDY)

    assert sum(cancelled in step for step in steps[after:]) <= 1
    router = runner_of(batched)._manager.output_router
    assert not router.result_handlers
    assert router.output_queue.empty()


async def test_closing_a_stream_lets_a_waiting_request_run(folder: Path) -> None:
    async with TransformersGenerator(resolved(folder), replace(SETTINGS, slots=1)) as generator:
        async with aclosing(generator.stream(FOX, Sampling(temperature=0))) as stream:
            await anext(stream)
            waiting = asyncio.create_task(reply_of(generator, ask("dog"), GREEDY))
        assert await waiting == await reply_of(generator, ask("dog"), GREEDY)


async def test_a_cancelled_reader_stops_its_request(generator: TransformersGenerator) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(generator.stream(FOX, Sampling(temperature=0))) as events:
            async for _ in events:
                begun.set()
                await asyncio.Event().wait()  # in the midst of it, however fast the rest comes

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await reply_of(generator, ask("dog"), GREEDY)


async def test_a_cancellation_that_overtakes_its_request_is_made_good(batched: TransformersGenerator) -> None:
    manager = runner_of(batched)._manager
    manager.add_request([1, 2, 3], request_id="overtaken", max_new_tokens=1_000_000)

    await reply_of(batched, FOX, GREEDY)

    assert "overtaken" not in manager.batch_processor.scheduler.active_requests


# -- failing ------------------------------------------------------------------------------------------------


def break_after(generator: TransformersGenerator, steps: int) -> None:
    """Let the model fail at a later step, once."""
    causal = generator.loaded.causal
    forward = causal.forward
    left = steps

    def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            causal.forward = forward
            raise RuntimeError("out of memory, or so")
        return forward(*arguments, **options)

    causal.forward = fail


async def test_a_step_that_fails_ends_its_replies_and_the_next_ones_succeed(
    fresh: TransformersGenerator,
) -> None:
    whole = await reply_of(fresh, FOX, GREEDY)
    break_after(fresh, 5)
    shown: list[GenerationEvent] = []

    with pytest.raises((GeneratorUnavailable, GenerationFailed), match="out of memory, or so"):
        async for event in fresh.stream(FOX, GREEDY):
            shown.append(event)

    assert 0 < len(text_of(shown)) < len(whole)
    assert whole.startswith(text_of(shown))
    assert await reply_of(fresh, FOX, GREEDY) == whole


async def test_a_step_that_fails_leaves_no_reader_waiting(batched: TransformersGenerator) -> None:
    break_after(batched, 5)

    outcomes = await asyncio.gather(
        *(reply_of(batched, ask(question), GREEDY) for question in QUESTIONS), return_exceptions=True
    )

    assert any(isinstance(outcome, GeneratorUnavailable) for outcome in outcomes)
    assert all(isinstance(outcome, str | GeneratorUnavailable) for outcome in outcomes)
    assert await asyncio.gather(*(reply_of(batched, ask(question), GREEDY) for question in QUESTIONS))


async def test_a_reader_of_a_thread_that_died_without_a_word_is_told(
    batched: TransformersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.generation.transformers_batching.ALIVE_CHECK_SECONDS", 0.01)
    manager = runner_of(batched)._manager
    monkeypatch.setattr(manager, "_handle_critical_error", lambda *_: None)
    break_after(batched, 2)

    with pytest.raises(GeneratorUnavailable, match="stopped in the middle"):
        await reply_of(batched, FOX, GREEDY)


async def test_a_generator_that_was_not_entered_says_so() -> None:
    generator = TransformersGenerator(resolved(Path("nowhere")), SETTINGS)

    with pytest.raises(GeneratorUnavailable, match="tiny is not loaded"):
        await generator.count(FOX)


async def read(tokens: AsyncIterator[Token]) -> list[Token]:
    return [token async for token in tokens]


async def test_leaving_ends_what_still_runs_or_waits(folder: Path) -> None:
    async with TransformersGenerator(resolved(folder), replace(SETTINGS, slots=1)) as generator:
        generator.loaded.eos_ids.clear()
        runner = generator.runner
        requests = [await generator.make_request(FOX, Sampling(temperature=0)) for _ in range(2)]
        reading = [asyncio.create_task(read(runner.tokens(request))) for request in requests]
        while not requests[0].computed_tokens:
            await asyncio.sleep(0)

    for task in reading:
        with pytest.raises(GeneratorUnavailable):
            await task


async def test_leaving_frees_the_model(folder: Path) -> None:
    async with TransformersGenerator(resolved(folder), SETTINGS) as generator:
        await reply_of(generator, FOX, GREEDY)
        model = weakref.ref(generator.loaded.causal)

    gc.collect()
    assert model() is None
