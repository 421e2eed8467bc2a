"""Finds out whether continuous batching computes what the model does, by asking both.

Some architectures it refuses, and some it runs with another result, since it hands them no alibi bias or no cap on
attention scores. So two short texts are run through it together, and their logits compared with a plain forward pass.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.errors import ModelError
from bot.generation.transformers_batching import BatchedRunner
from bot.generation.transformers_load import LoadedModel
from bot.generation.transformers_sampling import TokenRequest
from bot.generation.transformers_single import SingleRunner

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

TEXTS = (
    "The quick brown fox jumps over the lazy dog and runs.",
    "Once upon a time there was a small house by the sea.",
)
PROBE_TOKENS = 12
GIVEN_TOKENS = (8, 5)
"""Of each text's tokens, how many are the prompt; the others are fed one by one."""
LARGEST_ERROR_FLOAT32 = 1e-3
LARGEST_ERROR_SHORT = 0.1
"""Root mean square of the difference, as a part of the logits' standard deviation: rounding stays far below."""
PROBE_SECONDS = 120.0

Runner = BatchedRunner | SingleRunner


@dataclass(slots=True)
class _ScriptedRequest(TokenRequest):
    """Is told its tokens, and keeps the logits it was shown."""

    script: list[int] = field(default_factory=list)
    seen: list[Tensor] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        return False

    def choose(self, history: Sequence[int], scores: Tensor) -> int:
        self.seen.append(scores[0].clone())
        return self.script[len(self.seen) - 1]


def start_runner(loaded: LoadedModel, *, slots: int, prompt_cache_mib: int) -> Runner:
    """Start the fastest runner whose tokens are those of the model, and log where that is not continuous batching.

    Raises:
        ModelError: there is no room for the KV cache.
    """
    problem = _known_problem(loaded)
    if problem is None:
        runner = BatchedRunner(loaded, slots=slots, prompt_cache_mib=prompt_cache_mib)
        problem = _try(loaded, runner)
        if problem is None:
            return runner
        runner.close()
    logger.warning(
        "%s: continuous batching cannot run it exactly (%s); replies are generated one step at a time in turns",
        loaded.name, problem,
    )  # fmt: skip
    single = SingleRunner(loaded, slots=slots)
    single.start()
    return single


def _known_problem(loaded: LoadedModel) -> str | None:
    config = loaded.causal.config.get_text_config()
    if getattr(config, "attn_logit_softcapping", None):
        return "it caps attention scores"
    return None


def _try(loaded: LoadedModel, runner: BatchedRunner) -> str | None:
    """Start the runner and compare; the reason why it is not to be used, or None."""
    texts = [_tokens(loaded, text) for text in TEXTS]
    references = [_plain_logits(loaded, ids) for ids in texts]
    try:
        runner.start()
        requests = [_script(f"probe-{place}", texts[place], given) for place, given in enumerate(GIVEN_TOKENS)]
        runner.run_blocking(requests, timeout_seconds=PROBE_SECONDS)
    except MemoryError as error:
        runner.close()
        raise ModelError("transformers.no_room", model=loaded.name, context=loaded.context_length) from error
    except (ValueError, RuntimeError, AttributeError, TypeError, KeyError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"
    limit = LARGEST_ERROR_FLOAT32 if loaded.causal.dtype.itemsize == 4 else LARGEST_ERROR_SHORT
    errors = [
        _error(request.seen, reference[given - 1 : -1])
        for request, reference, given in zip(requests, references, GIVEN_TOKENS, strict=True)
    ]
    return None if max(errors) <= limit else f"its logits differ by {max(errors):.2g} of their spread"


def _tokens(loaded: LoadedModel, text: str) -> list[int]:
    ids = loaded.tokenizer.encode(text, add_special_tokens=False) or [0]
    return list((ids * PROBE_TOKENS)[:PROBE_TOKENS])


def _plain_logits(loaded: LoadedModel, ids: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return loaded.causal(torch.tensor([ids], device=loaded.causal.device)).logits[0].float()


def _script(name: str, ids: list[int], given: int) -> _ScriptedRequest:
    return _ScriptedRequest(name, ids[:given], max_tokens=len(ids) - given, script=ids[given:])


def _error(seen: list[Tensor], reference: Tensor) -> float:
    import torch

    if len(seen) != len(reference):
        return float("inf")
    difference = torch.stack(seen) - reference
    error = float(difference.square().mean().sqrt() / reference.std())
    return error if error == error else float("inf")  # not a number: the model itself is broken
