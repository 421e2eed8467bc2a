"""Runs a GGUF file in this process, on llama.cpp through xllamacpp.

xllamacpp always opens its server on a loopback port as well; it is closed to others by a random key, and used here
only to count tokens, for which there is no call in the library.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import secrets
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from bot.errors import GenerationFailed, GeneratorUnavailable, ModelError, PromptTooLong
from bot.generation.gguf import GgufInfo, check_gguf, estimate_memory_bytes
from bot.generation.hardware import check_memory, free_threads
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.types import EndReason, GeneratedText, GenerationEnd, GenerationEvent, Prompt, Sampling, Usage

logger = logging.getLogger(__name__)

DEFAULT_CONTEXT_TOKENS = 4096
BATCH_TOKENS = 512
"""Prompt tokens between two looks at whether the reply was stopped: about two seconds of prefill on two slow cores."""
KEY_BLOCK = 32
"""Keys are kept in 8 bits on processors, by blocks of so many: reading them back is the larger part of attention over a
long conversation, and integer products are faster than products of 16-bit floats. See docs/design.md."""
GREEDY = {"temperature": 0.0, "top_k": 1}


class LlamaCppGenerator:
    """A llama.cpp server in this process; requests beyond `slots` wait in order."""

    kind = "llamacpp"

    def __init__(self, model: ResolvedModel, settings: GeneratorSettings) -> None:
        self.model = model.name
        self._path = Path(model.location)
        self._settings = settings
        self._context_length = settings.context_length or 0
        self._server: Any = None
        self._threads = ThreadPoolExecutor(settings.slots, thread_name_prefix="llamacpp")
        self._counter: _TokenCounter | None = None

    @property
    def context_length(self) -> int:
        """Tokens of one slot; known once the model is loaded."""
        return self._context_length

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().run_in_executor(self._threads, self.load)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.to_thread(self._unload)

    def _unload(self) -> None:
        self._threads.shutdown(wait=True)
        if self._counter:
            self._counter.close()
        self._server = None  # its destructor stops llama.cpp's own threads

    def load(self) -> None:
        """Load the model, in the calling thread; does nothing when it is loaded already.

        Raises:
            ModelError: the file is broken, has no chat template, or needs more memory than there is.
        """
        if self._server is not None:
            return
        info = check_gguf(self._path)
        if not info.has_chat_template:
            raise ModelError("generation.no_chat_template", model=self.model)
        self._context_length = self._choose_context(info)
        check_memory(
            self.model,
            need_bytes=estimate_memory_bytes(info, self._context_length, self._settings.slots),
            limit_bytes=self._settings.memory_limit_bytes,
        )
        self._start(info)

    def _choose_context(self, info: GgufInfo) -> int:
        trained = info.context_length or DEFAULT_CONTEXT_TOKENS
        wanted = self._settings.context_length or DEFAULT_CONTEXT_TOKENS
        if self._settings.context_length and wanted > trained:
            logger.warning(
                "%s was trained for %d tokens; context_length %d is cut to that", self.model, trained, wanted
            )
        return min(wanted, trained)

    def _start(self, info: GgufInfo) -> None:
        import xllamacpp

        key = secrets.token_urlsafe(24)
        params = self._parameters(xllamacpp.CommonParams(), key, info)
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError("generation.load_failed", model=self.model, path=self._path, problem=error) from error
        # destroyed before its own loop has begun, the server would wait for ever: an answer shows that it has
        self._server.handle_metrics()
        self._counter = _TokenCounter(self._server.listening_address, key)
        logger.info(
            "%s: %d slots of %d tokens, %d threads",
            self.model, self._settings.slots, self._context_length, params.cpuparams.n_threads,
        )  # fmt: skip

    def _parameters(self, params: Any, key: str, info: GgufInfo) -> Any:
        import xllamacpp

        settings = self._settings
        threads = settings.threads or free_threads()
        params.model.path = str(self._path)
        params.n_ctx = self._context_length * settings.slots
        params.n_parallel = settings.slots
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cache_ram_mib = settings.prompt_cache_mib
        if settings.device == "cpu" or not _has_gpu():
            params.n_gpu_layers = 0
            params.fit_params = False  # sizes are chosen here; trying them out costs a third of the loading
            params.flash_attn_type = _without_flash_attention()
            if info.key_length and info.key_length % KEY_BLOCK == 0:
                params.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_Q8_0
        elif settings.gpu_layers is not None:
            params.n_gpu_layers = settings.gpu_layers
        params.warmup = False  # the first prompt warms it as well, half a second earlier
        params.verbosity = -1
        # nobody else on this machine may ask it anything, or read what others asked
        params.api_keys = [key]
        params.endpoint_slots = params.ui = False
        params.endpoint_metrics = True
        return params

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt, chat template included."""
        if self._counter is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        return await asyncio.to_thread(self._counter.count, _messages(prompt))

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]:
        """Stream a reply; see `bot.protocols.Generator`."""
        if self._server is None:
            raise GeneratorUnavailable("generation.not_loaded", model=self.model)
        request = _Request(self._server, _body(prompt, sampling), asyncio.get_running_loop())
        future = self._threads.submit(request.run)
        try:
            async for event in request.events():
                yield event
        finally:
            request.stopped.set()
            future.cancel()


class _Request:
    """One request: runs in a thread of its own, hands its chunks to the event loop."""

    def __init__(self, server: Any, body: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.stopped = threading.Event()
        self._server = server
        self._body = body
        self._loop = loop
        self._chunks: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()

    def run(self) -> None:
        """Generate, in the calling thread, until the end or until `stopped` is set."""
        try:
            if not self.stopped.is_set():
                self._server.handle_chat_completions(self._body, self._receive)
            self._put(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader is told, below
            self._put(error)

    def _receive(self, chunk: dict[str, Any]) -> bool:
        self._put(chunk)
        return self.stopped.is_set()

    def _put(self, item: dict[str, Any] | Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, item)
        except RuntimeError:  # the event loop is closed: nobody reads any more
            self.stopped.set()

    async def events(self) -> AsyncGenerator[GenerationEvent, None]:
        """The events of the chunks, in order."""
        reason = EndReason.STOP
        while (chunk := await self._chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise GenerationFailed("generation.failed", problem=chunk) from chunk
            if error := chunk.get("error"):
                raise _failure(error)
            if usage := chunk.get("usage"):
                yield GenerationEnd(reason, _usage(usage))
                return
            for choice in chunk.get("choices", ()):
                if choice.get("finish_reason") == "length":
                    reason = EndReason.LENGTH
                if text := _text(choice):
                    yield text
        raise GeneratorUnavailable("generation.broke_off")


class _TokenCounter:
    """Counts a prompt's tokens over the loopback port; may be used by several threads."""

    def __init__(self, address: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._lock = threading.Lock()

    def count(self, messages: list[dict[str, str]]) -> int:
        """Tokens of the messages under the chat template."""
        body = json.dumps({"messages": messages}).encode()
        with self._lock:
            try:
                answer = self._ask(body)
            except (http.client.HTTPException, OSError):  # an idle connection may have been closed
                self._connection.close()
                try:
                    answer = self._ask(body)
                except (http.client.HTTPException, OSError) as error:
                    raise GeneratorUnavailable("generation.broke_off") from error
        if "input_tokens" not in answer:
            raise _failure(answer.get("error", {}))
        return int(answer["input_tokens"])

    def _ask(self, body: bytes) -> dict[str, Any]:
        self._connection.request("POST", "/v1/chat/completions/input_tokens", body, self._headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _has_gpu() -> bool:
    import xllamacpp

    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    return any(device["type"] != cpu for device in xllamacpp.get_device_info())


def _without_flash_attention() -> Any:
    """On processors the plain kernels were faster with a long context, in decoding and prefill; see docs/design.md."""
    import xllamacpp

    return xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": message.role.value, "content": message.content} for message in prompt.messages]


def _body(prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
        "seed": sampling.seed,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "logprobs": sampling.logprobs or None,
    }
    if sampling.temperature == 0:
        wanted |= GREEDY
    return {
        "messages": _messages(prompt),
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # a chance to stop while the prompt is read
        # a prompt that is partly cached is computed in other batches, whose rounding a seed cannot repeat
        "cache_prompt": sampling.seed is None or sampling.temperature == 0,
        **{name: value for name, value in wanted.items() if value is not None},
    }


def _text(choice: dict[str, Any]) -> GeneratedText | None:
    delta = choice.get("delta", {})
    logprobs = (choice.get("logprobs") or {}).get("content") or ()
    if reasoning := delta.get("reasoning_content"):
        return GeneratedText(reasoning, reasoning=True)
    if text := delta.get("content"):
        return GeneratedText(text, tuple(token["logprob"] for token in logprobs))
    return None


def _usage(usage: dict[str, Any]) -> Usage:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Usage(usage["prompt_tokens"], cached, usage["completion_tokens"])


def _failure(error: dict[str, Any]) -> PromptTooLong | GenerationFailed:
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLong("errors.prompt_too_long", tokens=error["n_prompt_tokens"], limit=error["n_ctx"])
    return GenerationFailed("generation.failed", problem=error.get("message", "unknown"))
