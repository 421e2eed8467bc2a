"""Runs each request through `generate` in a thread of its own, for models that continuous batching cannot run exactly.

Requests take turns at the model, one step each: more threads than cores would make all of them slow.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bot.errors import GenerationFailed, GeneratorUnavailable, ParleyError
from bot.generation.transformers_load import LoadedModel
from bot.generation.transformers_sampling import Token, TokenRequest

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)


class SingleRunner:
    """Generates tokens for up to `slots` requests in turns; further ones wait in order."""

    def __init__(self, loaded: LoadedModel, *, slots: int) -> None:
        self._loaded = loaded
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="transformers")
        self._running: set[_Run] = set()

    def start(self) -> None:
        """Make the model usable by several threads."""
        turn = threading.Lock()

        def take(*_: object) -> None:
            turn.acquire()

        def give(*_: object) -> None:
            turn.release()

        self._loaded.causal.register_forward_pre_hook(take)
        self._loaded.causal.register_forward_hook(give, always_call=True)

    def close(self) -> None:
        """Stop what runs and wait for it; blocks; does no harm twice."""
        for run in list(self._running):
            run.stop(GeneratorUnavailable("generation.broke_off"))
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[Token, None]:
        """The request's tokens as they are generated; closing it cancels the request.

        Raises:
            GenerationFailed: the model failed.
            GeneratorUnavailable: the runner was closed.
        """
        run = _Run(self._loaded, request, asyncio.get_running_loop())
        self._running.add(run)
        future = self._threads.submit(run.generate)
        try:
            while (item := await run.tokens.get()) is not None:
                if isinstance(item, ParleyError):
                    raise item
                if isinstance(item, Exception):
                    raise GenerationFailed("generation.failed", problem=item) from item
                yield item
        finally:
            run.stopped.set()
            future.cancel()
            self._running.discard(run)


class _Run:
    """One request. It is the logits processor and the stopping criterion of its own `generate`."""

    def __init__(self, loaded: LoadedModel, request: TokenRequest, loop: asyncio.AbstractEventLoop) -> None:
        self.tokens: asyncio.Queue[Token | Exception | None] = asyncio.Queue()
        self.stopped = threading.Event()
        self._loaded = loaded
        self._request = request
        self._loop = loop

    def generate(self) -> None:
        """Generate, in the calling thread, until the end or until `stopped` is set."""
        try:
            if not self.stopped.is_set():
                self._generate()
            self._put(None)
        except Exception as error:
            logger.exception("%s: a reply failed", self._loaded.name)
            self._put(error)

    def stop(self, reason: ParleyError) -> None:
        """Stop generating, and tell the reader why."""
        self.stopped.set()
        self._put(reason)

    def _generate(self) -> None:
        import torch
        import transformers

        request, causal = self._request, self._loaded.causal
        prompt = torch.tensor([request.prompt_ids], device=causal.device)
        request.computed_tokens = len(request.prompt_ids)
        causal.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=transformers.GenerationConfig(
                do_sample=False, max_new_tokens=request.max_tokens, eos_token_id=request.eos_ids or None
            ),
            logits_processor=transformers.LogitsProcessorList([self._choose]),
            stopping_criteria=transformers.StoppingCriteriaList([self._is_stopped]),
        )

    def _choose(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        import torch

        token = self._request.choose(input_ids[0].tolist(), scores)
        self._put(Token(token, self._request.logprobs[-1] if self._request.wants_logprobs else None))
        chosen = torch.zeros_like(scores)
        chosen[0, token] = 1.0
        return chosen

    def _is_stopped(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        import torch

        return torch.full((1,), self.stopped.is_set(), device=input_ids.device, dtype=torch.bool)

    def _put(self, item: Token | Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self.tokens.put_nowait, item)
        except RuntimeError:  # the event loop is closed: nobody reads any more
            self.stopped.set()
