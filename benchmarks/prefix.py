"""Time to first token at turn 3 and at turn 30 of one conversation, with equally long questions."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import arguments, configuration, median, report
from bot.app import open_app
from bot.config import Configuration
from bot.types import Address, Finished, Message, Person, TextDelta, Usage

ADDRESS = Address("console", "bench")
TURNS = 31
REPLY_TOKENS = 24
NEAR = 1  # turns 2 to 4, and 29 to 31, against the noise of a single one


async def talk(found: Configuration) -> list[tuple[float, Usage]]:
    """Seconds to the first text and usage of each turn of a conversation."""
    samples = []
    async with open_app(found) as app:
        for number in range(1, TURNS + 1):
            message = Message(
                ADDRESS, Person("bench"), f"Tell me one short fact about the number {number:03d}.", app.clock.now()
            )
            started, first = time.perf_counter(), 0.0
            async for event in app.engine.respond(message):
                if isinstance(event, TextDelta) and not first:
                    first = time.perf_counter() - started
                if isinstance(event, Finished):
                    samples.append((first, event.usage))
    return samples


def main() -> None:
    """Print the ratio."""
    options = arguments(__doc__ or "", rounds=3)
    found, _ = configuration()
    early, late, usages = list[float](), list[float](), list[Usage]()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as home:
            (Path(home) / "models").symlink_to(found.models_folder)
            section = found.settings.model.model_copy(update={"threads": options.threads})
            sampling = found.settings.sampling.model_copy(update={"temperature": 0.0, "max_tokens": REPLY_TOKENS})
            settings = found.settings.model_copy(update={"model": section, "sampling": sampling})
            samples = asyncio.run(talk(replace(found, settings=settings, home=Path(home))))
        early += [first for first, _ in samples[2 - NEAR : 3 + NEAR]]
        late += [first for first, _ in samples[29 - NEAR : 30 + NEAR]]
        usages = [usage for _, usage in samples]
    figures = {
        "turn 3, first token ms": 1000 * median(early),
        "turn 30, first token ms": 1000 * median(late),
        "ratio": median(late) / median(early),
        "prompt tokens at turn 30": usages[29].prompt_tokens,
        "of which cached": usages[29].cached_tokens,
    }
    report("prefix reuse", figures, as_json=options.json)


if __name__ == "__main__":
    main()
