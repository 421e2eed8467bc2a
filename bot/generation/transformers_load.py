"""Loads a causal model and its tokenizer with transformers, after seeing that both are fit and that there is room."""

from __future__ import annotations

import copy
import importlib
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.errors import ModelError
from bot.generation.hardware import check_memory, free_threads, memory_bytes
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.generation.transformers_chat import ChatTemplate
from bot.generation.transformers_files import Source, find_source

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

DEFAULT_CONTEXT_TOKENS = 4096
WORKING_BYTES = 128 << 20
"""What a step takes beside weights and KV cache, roughly."""
NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")
"""Capabilities of a processor with bfloat16 products of its own; elsewhere float32 is the faster."""
BROKEN_INPUT = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError)
"""What the library raises for files that it cannot use."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready, and what was chosen for it."""

    name: str
    causal: Any
    tokenizer: Any
    template: ChatTemplate
    context_length: int
    kv_bytes_per_token: int
    """Of the KV cache; 0 where the architecture does not tell."""
    eos_ids: list[int]
    defaults: Any
    """The model's own `GenerationConfig`; the one inside `causal` has nothing but the special tokens."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is going to be loaded, and how."""

    name: str
    source: Source
    config: Any
    device: torch.device
    dtype: torch.dtype
    context_length: int
    slots: int
    kv_bytes_per_token: int


def load(model: ResolvedModel, settings: GeneratorSettings) -> LoadedModel:
    """Load a model, in the calling thread.

    Raises:
        ModelError: a package, a file or the chat template is missing, something is broken, or there is no room.
    """
    _check_installed()
    import torch
    from safetensors import SafetensorError

    _tame_logging()
    torch.set_num_threads(settings.threads or free_threads())
    source = find_source(model)
    try:
        return _load(model, settings, source)
    except (*BROKEN_INPUT, SafetensorError) as error:
        raise ModelError(
            "transformers.load_failed", model=model.name, path=model.location, problem=_first_line(error)
        ) from error


def _load(model: ResolvedModel, settings: GeneratorSettings, source: Source) -> LoadedModel:
    import transformers

    plan = _plan(model, settings, source)
    _check_room(plan, settings.memory_limit_bytes)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source.path, **source.options)
    template = ChatTemplate(tokenizer, model.name)
    causal = _load_weights(plan)
    defaults = copy.deepcopy(causal.generation_config)
    eos_ids = _eos_ids(defaults, tokenizer)
    defaults.eos_token_id = eos_ids or None
    causal.generation_config = transformers.GenerationConfig(
        bos_token_id=defaults.bos_token_id,
        eos_token_id=eos_ids or None,
        pad_token_id=defaults.pad_token_id if defaults.pad_token_id is not None else next(iter(eos_ids), 0),
    )
    logger.info(
        "%s: %s on %s, %d slots of %d tokens, %d threads",
        plan.name, plan.dtype, plan.device, plan.slots, plan.context_length, _threads(),
    )  # fmt: skip
    return LoadedModel(
        plan.name, causal, tokenizer, template, plan.context_length, plan.kv_bytes_per_token, eos_ids, defaults
    )


def _plan(model: ResolvedModel, settings: GeneratorSettings, source: Source) -> _Plan:
    import transformers

    config = transformers.AutoConfig.from_pretrained(source.path, **source.options)
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    return _Plan(
        name=model.name,
        source=source,
        config=config,
        device=device,
        dtype=dtype,
        context_length=_choose_context(model, settings, config.get_text_config()),
        slots=settings.slots,
        kv_bytes_per_token=_kv_bytes_per_token(config.get_text_config(), dtype),
    )


def _load_weights(plan: _Plan) -> Any:
    import transformers

    options = plan.source.options
    if plan.source.gguf_file:  # products of packed weights need kernels that only a hub has
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    if plan.device.type == "cuda":
        options["device_map"] = {"": plan.device}  # straight to its memory, not by way of the host's
    causal, report = transformers.AutoModelForCausalLM.from_pretrained(
        plan.source.path, config=plan.config, dtype=plan.dtype, output_loading_info=True, **options
    )
    if missing := report["missing_keys"]:
        raise ModelError("transformers.weights_missing", model=plan.name, path=plan.source.path, count=len(missing))
    return causal.to(plan.device).eval()


# -- what is chosen -----------------------------------------------------------------------------------------


def choose_device(wanted: str) -> torch.device:
    """The device of that name; `auto` is the first of CUDA, MPS and CPU that is there.

    Raises:
        ModelError: there is no such device.
    """
    import torch

    if wanted == "auto":
        accelerators = (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
        wanted = next((name for name, is_there in accelerators if is_there), "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError("transformers.no_device", device=wanted, problem=_first_line(error)) from error
    return device


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The type of that name; `auto` is the shortest that the device calculates with natively."""
    import torch

    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.bfloat16
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(capabilities.get(name) for name in NATIVE_BFLOAT16) else torch.float32


def _choose_context(model: ResolvedModel, settings: GeneratorSettings, config: Any) -> int:
    trained = getattr(config, "max_position_embeddings", None) or model.context_length or DEFAULT_CONTEXT_TOKENS
    wanted = settings.context_length or DEFAULT_CONTEXT_TOKENS
    if settings.context_length and wanted > trained:
        logger.warning("%s was trained for %d tokens; context_length %d is cut to that", model.name, trained, wanted)
    return int(min(wanted, trained))


def _eos_ids(defaults: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a reply: those of the model, and the tokenizer's, which is often the only one kept right."""
    own = defaults.eos_token_id
    ids = [] if own is None else [own] if isinstance(own, int) else list(own)
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ids:
        ids.append(tokenizer.eos_token_id)
    return ids


def _threads() -> int:
    import torch

    return torch.get_num_threads()


# -- what it takes ------------------------------------------------------------------------------------------


def _check_room(plan: _Plan, limit_bytes: int | None) -> None:
    import torch

    weights = _parameter_count(plan.config) * plan.dtype.itemsize
    kv_cache = plan.kv_bytes_per_token * plan.context_length * plan.slots
    need = weights + kv_cache + WORKING_BYTES
    if plan.source.gguf_file:  # unpacked to float32 before it is cut to the type
        need += weights // plan.dtype.itemsize * torch.float32.itemsize
    on_gpu = plan.device.type == "cuda"
    available = torch.cuda.mem_get_info(plan.device)[0] if on_gpu else memory_bytes()[1]
    check_memory(plan.name, need_bytes=need, limit_bytes=limit_bytes, available_bytes=available)


def _parameter_count(config: Any) -> int:
    """Parameters of the architecture, counted on a model without storage."""
    import torch
    import transformers

    with torch.device("meta"):
        skeleton = transformers.AutoModelForCausalLM.from_config(copy.deepcopy(config), trust_remote_code=False)
    return sum(math.prod(parameter.shape) for parameter in skeleton.parameters())


def _kv_bytes_per_token(config: Any, dtype: torch.dtype) -> int:
    from transformers.generation.continuous_batching.utils import find_head_dim, find_num_key_value_heads

    try:
        size = 2 * config.num_hidden_layers * find_num_key_value_heads(config) * find_head_dim(config)
    except (ValueError, AttributeError):
        return 0
    return int(size * dtype.itemsize)


# -- the library --------------------------------------------------------------------------------------------


def _check_installed() -> None:
    for package in ("torch", "transformers"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ModelError("transformers.not_installed", package=package, problem=error) from error


def _tame_logging() -> None:
    """Let the library's messages go the way of ours, and draw no progress bars over the conversation."""
    from transformers import modeling_gguf_pytorch_utils
    from transformers.generation.continuous_batching.utils import logger as batching_logger
    from transformers.utils import logging as library_logging

    library_logging.disable_progress_bar()
    modeling_gguf_pytorch_utils.tqdm = library_logging.tqdm  # its own heeds no setting
    library_logging.disable_default_handler()
    library_logging.enable_propagation()
    batching_logger.handlers.clear()
    batching_logger.propagate = True


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
