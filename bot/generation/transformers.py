"""Runs any causal model with transformers in this process, on CPU or GPU, many requests at once.

Where continuous batching gives a model's own tokens it is used; elsewhere requests take turns at `generate`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Self

from bot.errors import GeneratorUnavailable, PromptTooLong
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.generation.transformers_load import LoadedModel, load
from bot.generation.transformers_probe import Runner, start_runner
from bot.generation.transformers_sampling import Token, TokenRequest, set_sampling
from bot.generation.transformers_text import TextAssembler
from bot.types import EndReason, GenerationEnd, GenerationEvent, Prompt, Sampling, Usage


class TransformersGenerator:
    """A causal model in this process; requests beyond `slots` wait in order."""

    kind = "transformers"

    def __init__(self, model: ResolvedModel, settings: GeneratorSettings) -> None:
        self.model = model.name
        self._resolved = model
        self._settings = settings
        self._loaded: LoadedModel | None = None
        self._runner: Runner | None = None
        self._numbers = itertools.count()

    @property
    def context_length(self) -> int:
        """Tokens of one request; known once the model is loaded."""
        return self._loaded.context_length if self._loaded else self._settings.context_length or 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.load)
        return self

    async def __aexit__(self, *exception: object) -> None:
        runner, self._runner, self._loaded = self._runner, None, None
        if runner:
            await asyncio.to_thread(runner.close)
        del runner
        await asyncio.to_thread(_free_memory)

    def load(self) -> None:
        """Load the model, in the calling thread; does nothing when it is loaded already.

        Raises:
            ModelError: something is missing, broken or too large; it says what.
        """
        if self._runner is not None:
            return
        self._loaded = load(self._resolved, self._settings)
        self._runner = start_runner(
            self._loaded, slots=self._settings.slots, prompt_cache_mib=self._settings.prompt_cache_mib
        )

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt, chat template included."""
        return len(await self._encode(prompt))

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]:
        """Stream a reply; see `bot.protocols.Generator`."""
        request = await self.make_request(prompt, sampling)
        assembler = TextAssembler(self._decode, sampling.stop)
        generated, reason = 0, EndReason.LENGTH
        async with aclosing(self.stream_tokens(request)) as tokens:
            async for token in tokens:
                generated += 1
                if token.id in request.eos_ids:
                    reason = EndReason.STOP
                    break
                if piece := assembler.feed(token.id, token.logprob):
                    yield piece
                if assembler.stopped:
                    break
        if piece := assembler.flush():
            yield piece
        if assembler.stopped:
            reason = EndReason.STOP
        yield GenerationEnd(reason, Usage(len(request.prompt_ids), request.cached_tokens, generated))

    async def stream_tokens(self, request: TokenRequest) -> AsyncGenerator[Token, None]:
        """The tokens of a reply as the model generates them, the one that ends it included."""
        async with aclosing(self.runner.tokens(request)) as tokens:
            async for token in tokens:
                yield token

    async def make_request(self, prompt: Prompt, sampling: Sampling) -> TokenRequest:
        """A request for `stream_tokens`.

        Raises:
            PromptTooLong: the prompt leaves no room for a reply.
        """
        loaded = self.loaded
        prompt_ids = await self._encode(prompt)
        room = loaded.context_length - len(prompt_ids)
        if room < 1:
            raise PromptTooLong("errors.prompt_too_long", tokens=len(prompt_ids), limit=loaded.context_length)
        request = TokenRequest(
            id=f"{self.model}-{next(self._numbers)}",
            prompt_ids=prompt_ids,
            max_tokens=min(room, sampling.max_tokens or room),
            eos_ids=loaded.eos_ids,
        )
        return await asyncio.to_thread(set_sampling, request, sampling, loaded.causal, loaded.defaults)

    async def _encode(self, prompt: Prompt) -> list[int]:
        return await asyncio.to_thread(self.loaded.template.encode, prompt)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.loaded.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @property
    def loaded(self) -> LoadedModel:
        """The model with its tokenizer.

        Raises:
            GeneratorUnavailable: the generator was not entered, or left.
        """
        if self._loaded is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        return self._loaded

    @property
    def runner(self) -> Runner:
        """What generates the tokens.

        Raises:
            GeneratorUnavailable: the generator was not entered, or left.
        """
        if self._runner is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        return self._runner


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
