"""What the tests of the `openai` generator share: a generator for an address, a question, and one whole reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.generation.model import GeneratorSettings, ModelFormat, ResolvedModel
from bot.generation.openai import OpenAIGenerator, Sleep
from bot.types import GeneratedText, GenerationEnd, Prompt, PromptMessage, Role, Sampling

QUESTION = Prompt((PromptMessage(Role.USER, "What is the capital of France?"),))
PLAIN = Sampling(temperature=0, max_tokens=12)


@dataclass(slots=True)
class Pauses:
    """Stands for `asyncio.sleep`: notes the seconds, and does not wait."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def generator(
    url: str, *, name: str = "", key: str = "", pauses: Sleep | None = None, **options: Any
) -> OpenAIGenerator:
    """A generator for the server at `url`, which does not wait between repeats; `options` are GeneratorSettings."""
    model = ResolvedModel(name, ModelFormat.SERVER, url)
    settings = GeneratorSettings(api_key=key, **{"timeout_seconds": 30.0, **options})
    return OpenAIGenerator(model, settings, sleep=pauses or Pauses())


@dataclass(frozen=True, slots=True)
class Said:
    """A whole reply."""

    pieces: tuple[GeneratedText, ...]
    end: GenerationEnd

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if not piece.reasoning)

    @property
    def reasoning(self) -> str:
        return "".join(piece.text for piece in self.pieces if piece.reasoning)


async def ask(model: OpenAIGenerator, prompt: Prompt = QUESTION, sampling: Sampling = PLAIN) -> Said:
    """The reply to the prompt: any number of pieces, then exactly one end."""
    events = [event async for event in model.stream(prompt, sampling)]
    *pieces, end = events
    assert isinstance(end, GenerationEnd)
    return Said(tuple(piece for piece in pieces if isinstance(piece, GeneratedText)), end)
