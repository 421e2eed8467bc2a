"""Tokens per second and time to first token: the bare generator beside engine, storage and console."""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from adapters.terminal_markdown import MarkdownStream
from benchmarks.measure import arguments, configuration, median, report
from bot.app import App, generator_settings, open_app, resolve_model
from bot.config import Configuration
from bot.generation.llamacpp import LlamaCppGenerator
from bot.protocols import Generator
from bot.skills.personas import Personas
from bot.types import Address, Finished, GeneratedText, GenerationEnd, Message, Person, Sampling, TextDelta

QUESTIONS = [
    "Write a long story about a lighthouse keeper.",
    "Explain how rain forms, step by step.",
    "List ten things to see in Paris, with a sentence on each.",
    "Tell me about the history of paper.",
]
TOKENS = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply."""

    first_seconds: float
    tokens_per_second: float


async def bare(generator: Generator, app: App, conversation_id: int) -> Sample:
    """The same prompt again, straight from the generator."""
    from bot.memory.window import build_window

    turns = (await app.store.path(conversation_id))[:-1]
    standing = Personas().prompt("parley", "en")
    window = await build_window(
        turns, standing_prompt=standing, generator=generator, max_reply_tokens=TOKENS, cache_key="bare"
    )
    started, first, end = time.perf_counter(), 0.0, None
    async for event in generator.stream(
        window.prompt, Sampling(temperature=0, repetition_penalty=1.05, max_tokens=TOKENS)
    ):
        if isinstance(event, GeneratedText) and not first:
            first = time.perf_counter()
        if isinstance(event, GenerationEnd):
            end = event
    assert end is not None
    return Sample(first - started, (end.usage.completion_tokens - 1) / (time.perf_counter() - first))


async def whole(app: App, question: str) -> tuple[Sample, int]:
    """A turn through engine, storage and the terminal's rendering."""
    address = Address("console", "bench")
    conversation = await app.engine.open_conversation(address)
    message = Message(address, Person("bench"), question, app.clock.now(), conversation_id=conversation.id)
    stream = MarkdownStream(Console(file=io.StringIO(), force_terminal=True, width=100, height=40))
    started, first, usage = time.perf_counter(), 0.0, None
    async for event in app.engine.respond(message):
        if isinstance(event, TextDelta):
            first = first or time.perf_counter()
            stream.feed(event.text)
        if isinstance(event, Finished):
            usage = event.usage
    stream.finish()
    ended = time.perf_counter()
    assert usage is not None
    return Sample(first - started, (usage.completion_tokens - 1) / (ended - first)), conversation.id


async def measure(found: Configuration, rounds: int) -> dict[str, object]:
    """Both sides in turn, on one loaded model; each side's prompt is new to its cache or not alike."""
    settings = replace(generator_settings(found), context_length=2048)
    model = resolve_model(found, found.settings.model.name)
    bares, wholes = list[Sample](), list[Sample]()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(found, context_limit=2048))
        generator = await stack.enter_async_context(LlamaCppGenerator(model, settings))
        for number in range(rounds + 1):
            question = QUESTIONS[number % len(QUESTIONS)] + " " * (number // len(QUESTIONS))
            sample, conversation_id = await whole(app, question)
            wholes.append(sample)
            bares.append(await bare(generator, app, conversation_id))
    rates = [side.tokens_per_second for side in bares[1:]], [side.tokens_per_second for side in wholes[1:]]
    waits = [side.first_seconds for side in bares[1:]], [side.first_seconds for side in wholes[1:]]
    ratios = [b / a for a, b in zip(*rates, strict=True)]
    extra = [1000 * (b - a) for a, b in zip(*waits, strict=True)]
    return {
        "bare tokens per second": median(rates[0]),
        "parley tokens per second": median(rates[1]),
        "ratio, median of pairs": median(ratios),
        "bare first token ms": 1000 * median(waits[0]),
        "parley first token ms": 1000 * median(waits[1]),
        "added ms, median of pairs": median(extra),
    }


def main() -> None:
    """Print the ratios."""
    options = arguments(__doc__ or "", rounds=12)
    found, _ = configuration()
    with tempfile.TemporaryDirectory() as home:
        section = found.settings.model.model_copy(update={"threads": options.threads})
        sampling = found.settings.sampling.model_copy(update={"temperature": 0.0, "max_tokens": TOKENS})
        settings = found.settings.model_copy(update={"model": section, "sampling": sampling})
        (Path(home) / "models").symlink_to(found.models_folder)
        figures = asyncio.run(measure(replace(found, settings=settings, home=Path(home)), options.rounds))
    report("streaming", figures, as_json=options.json)


if __name__ == "__main__":
    main()
