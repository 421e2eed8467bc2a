"""Runs many requests at once through transformers' continuous batching; knows tokens only.

One thread of the library's own runs the steps; results come to the event loop of whoever asked. A manager that died
is replaced with the next request. Its one step holds at most `STEP_TOKENS` of a prompt, so a request that is
cancelled is gone within that.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from bot.errors import GeneratorUnavailable
from bot.generation.transformers_load import LoadedModel
from bot.generation.transformers_sampling import Token, TokenChooser, TokenRequest

logger = logging.getLogger(__name__)

PAGE_TOKENS = 32
"""Granularity of the KV cache: what is shared between prompts is whole pages."""
STEP_TOKENS = 512
STEP_TOKENS_ACCELERATED = 2048
SPARE_PAGES = 2
"""For each slot, since layers with and without a window are given pages in groups."""
MOST_KEPT_TOKENS = 32_768
"""Finished conversations keep at most this much of the KV cache: the attention mask grows with it."""
ALIVE_CHECK_SECONDS = 2.0
STOP_SECONDS = 60.0


class BatchedRunner:
    """Generates tokens for up to `slots` requests at once; further ones wait in order."""

    def __init__(self, loaded: LoadedModel, *, slots: int, prompt_cache_mib: int) -> None:
        self._loaded = loaded
        self._slots = slots
        self._prompt_cache_bytes = prompt_cache_mib << 20
        self._manager: Any = None
        self._chooser: TokenChooser | None = None
        self._attention: str = loaded.causal.config._attn_implementation
        self._starting = asyncio.Lock()

    # -- its life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Reserve the KV cache and start the thread; blocks.

        Raises:
            MemoryError: there is no room for every slot's window.
            ValueError: the architecture is not one for continuous batching.
        """
        try:
            self._start(self._kept_tokens())
        except MemoryError:
            logger.warning("%s: there is no room to keep the KV cache of finished conversations", self._loaded.name)
            self.close()
            self._start(kept_tokens=0)

    def _start(self, kept_tokens: int) -> None:
        from transformers.generation.configuration_utils import ContinuousBatchingConfig

        causal = self._loaded.causal
        device = causal.device.type
        windows = self._slots * (math.ceil(self._loaded.context_length / PAGE_TOKENS) + SPARE_PAGES)
        config = ContinuousBatchingConfig(
            page_size=PAGE_TOKENS,
            num_blocks=windows + kept_tokens // PAGE_TOKENS,
            max_batch_tokens=max(self._slots, STEP_TOKENS if device == "cpu" else STEP_TOKENS_ACCELERATED),
            max_requests_per_batch=self._slots,
            max_blocks_per_request=0,
            auto_switch_to_flash=device == "cuda" and causal.dtype.itemsize == 2,
            # tokens are chosen in Python, from what the step before has chosen
            use_cuda_graph=False,
            use_async_batching=False,
        )
        self._manager = manager = causal.init_continuous_batching(continuous_batching_config=config)
        self._chooser = manager.logit_processor = TokenChooser(on_unknown=manager.cancel_request)
        manager.warmup()  # makes the KV cache here, where a failure can be told, and not in the thread
        manager.start()

    def _kept_tokens(self) -> int:
        """What finished conversations may keep of the KV cache, in tokens; the setting speaks of host memory."""
        loaded = self._loaded
        if not loaded.kv_bytes_per_token or loaded.causal.device.type != "cpu":
            return 0
        return min(self._prompt_cache_bytes // loaded.kv_bytes_per_token, MOST_KEPT_TOKENS)

    def close(self) -> None:
        """Stop the thread and free the KV cache; requests that still run are failed. Blocks; does no harm twice."""
        manager, self._manager, self._chooser = self._manager, None, None
        if manager is not None:
            if manager.is_running():
                manager.stop(block=True, timeout=STOP_SECONDS, hard_stop=True)
            manager.destroy()
        causal = self._loaded.causal
        if causal.config._attn_implementation != self._attention:  # a manager that fails leaves its own behind
            causal.set_attn_implementation(self._attention)

    async def _alive_manager(self) -> tuple[Any, TokenChooser]:
        async with self._starting:
            if not _is_alive(self._manager):
                logger.warning("%s: continuous batching had stopped and is started again", self._loaded.name)
                await asyncio.to_thread(self._restart)
            assert self._chooser is not None
            return self._manager, self._chooser

    def _restart(self) -> None:
        self.close()
        try:
            self.start()
        except (ValueError, MemoryError, RuntimeError) as error:
            raise GeneratorUnavailable("transformers.died", problem=error) from error

    def run_blocking(self, requests: Sequence[TokenRequest], *, timeout_seconds: float) -> None:
        """Generate all of the requests and wait for them; only while no other request runs.

        Raises:
            RuntimeError: one of them failed, or all is not done in time.
        """
        manager, chooser = self._manager, self._chooser
        assert chooser is not None
        chooser.requests.update((request.id, request) for request in requests)
        try:
            for request in requests:
                _submit(manager, request, streaming=False)
            for _ in requests:
                output = manager.get_result(timeout=timeout_seconds)
                if output is None or output.error:
                    raise RuntimeError(output.error if output else "no answer")
        finally:
            for request in requests:
                _forget(manager, chooser, request.id)

    # -- requests -------------------------------------------------------------------------------------------

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[Token, None]:
        """The request's tokens as they are generated; closing it cancels the request.

        Raises:
            GeneratorUnavailable: the thread died.
        """
        manager, chooser = await self._alive_manager()
        outputs: asyncio.Queue[Any] = asyncio.Queue()
        chooser.requests[request.id] = request
        manager.register_result_handler(request.id, outputs.put_nowait)
        try:
            _submit(manager, request, streaming=True)
            seen = 0
            while True:
                output = await _next_output(manager, outputs)
                for place in range(seen, len(output.generated_tokens)):
                    logprob = request.logprobs[place] if request.wants_logprobs else None
                    yield Token(output.generated_tokens[place], logprob)
                seen = len(output.generated_tokens)
                if output.error:
                    raise GeneratorUnavailable("transformers.died", problem=output.error)
                if output.is_finished():
                    return
        finally:
            _forget(manager, chooser, request.id)


def _submit(manager: Any, request: TokenRequest, *, streaming: bool) -> None:
    accepted = manager.add_request(
        request.prompt_ids,
        request_id=request.id,
        max_new_tokens=request.max_tokens,
        streaming=streaming,
        eos_token_id=request.eos_ids or -1,
    )
    if accepted is None:
        raise GeneratorUnavailable("generation.broke_off")


async def _next_output(manager: Any, outputs: asyncio.Queue[Any]) -> Any:
    while True:
        try:
            return await asyncio.wait_for(outputs.get(), ALIVE_CHECK_SECONDS)
        except TimeoutError:
            if not _is_alive(manager) and outputs.empty():
                raise GeneratorUnavailable("generation.broke_off") from None


def _is_alive(manager: Any) -> bool:
    return (
        manager is not None
        and manager.is_running()
        and manager.background_thread_status.can_accept_new_requests() is None
    )


def _forget(manager: Any, chooser: TokenChooser, request_id: str) -> None:
    """Cancel the request, if it still runs, and drop what is kept for it."""
    chooser.requests.pop(request_id, None)
    router = manager.output_router
    if router.result_handlers.pop(request_id, None):
        manager.cancel_request(request_id)
    while not router.output_queue.empty():  # results of cancelled requests, which nobody waits for
        router.output_queue.get_nowait()
