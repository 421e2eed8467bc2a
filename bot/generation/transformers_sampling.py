"""How each request's next token is chosen, in float32 on the model's own scores; knows nothing of threads or text.

The processors are transformers' own, built for each request as `generate` builds them and fed with all of its
tokens, so that a request sees the same distribution alone and among others. The random numbers are the request's too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.types import Sampling

if TYPE_CHECKING:
    from torch import Generator as RandomNumbers
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token."""

    id: int
    logprob: float | None = None
    """Natural logarithm of the probability that the model gave it, before any sampling setting."""


@dataclass(slots=True)
class TokenRequest:
    """What one reply is generated from, and what its generation leaves behind."""

    id: str
    prompt_ids: list[int]
    max_tokens: int
    eos_ids: list[int] = field(default_factory=list)
    processors: Any = None
    """transformers' `LogitsProcessorList`; None or empty changes nothing."""
    random: RandomNumbers | None = None
    """None chooses the likeliest token."""
    wants_logprobs: bool = False
    # left behind
    logprobs: list[float] = field(default_factory=list)
    computed_tokens: int = 0
    """Tokens of the prompt that the model had to read; the others were in the KV cache."""

    @property
    def is_plain(self) -> bool:
        """Whether the likeliest token of the model's scores is all that is wanted."""
        return self.random is None and not self.processors and not self.wants_logprobs

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that were in the KV cache."""
        return max(0, len(self.prompt_ids) - self.computed_tokens)

    def choose(self, history: Sequence[int], scores: Tensor) -> int:
        """The next token.

        Args:
            history: prompt and reply until now.
            scores: logits, float32, of shape [1, vocabulary].
        """
        import torch

        if self.wants_logprobs:
            logprobs = torch.log_softmax(scores, dim=-1)
        processed = scores
        if self.processors:
            processed = self.processors(torch.tensor([history], device=scores.device), scores)
        if self.random is None:
            token = int(processed.argmax(dim=-1))
        else:
            probabilities = torch.softmax(processed, dim=-1)
            token = int(torch.multinomial(probabilities, 1, generator=self.random))
        if self.wants_logprobs:
            self.logprobs.append(float(logprobs[0, token]))
        return token


def set_sampling(request: TokenRequest, sampling: Sampling, model: Any, defaults: Any) -> TokenRequest:
    """Fill in how the request's tokens are chosen.

    Args:
        request: the request with its prompt.
        sampling: what is wanted.
        model: the causal model.
        defaults: the model's own `GenerationConfig`, which holds where `sampling` says nothing.
    """
    import torch

    config = _merge(defaults, sampling)
    model._prepare_special_tokens(config, device=model.device)
    request.processors = model._get_logits_processor(
        config, input_ids_seq_length=len(request.prompt_ids), device=model.device
    )
    request.wants_logprobs = sampling.logprobs
    if config.do_sample:
        request.random = torch.Generator(device=model.device)
        if sampling.seed is None:
            request.random.seed()
        else:
            request.random.manual_seed(sampling.seed)
    return request


def _merge(defaults: Any, sampling: Sampling) -> Any:
    config = copy.deepcopy(defaults)
    config.do_sample = sampling.temperature > 0
    config.num_beams = 1
    if config.do_sample:
        config.temperature = float(sampling.temperature)
    for name in ("top_p", "top_k", "min_p", "repetition_penalty"):
        if (value := getattr(sampling, name)) is not None:
            setattr(config, name, value)
    return config


class TokenChooser:
    """Chooses the tokens of every request of a batch, in the place of the manager's own processors.

    It has the methods of transformers' `ContinuousBatchingLogitsProcessorList`, whose processors know only three
    settings and one stream of random numbers for all requests. It returns scores of which the chosen tokens are the
    largest. It must see each step: neither CUDA graphs nor asynchronous batching may run it.
    """

    do_processing = True
    tensors_required = 0

    def __init__(self, on_unknown: Callable[[str], None]) -> None:
        self.requests: dict[str, TokenRequest] = {}
        self._on_unknown = on_unknown
        self._rows: list[tuple[TokenRequest | None, list[int]]] = []

    def check_kwargs(self, kwargs: dict[str, Any]) -> None:
        """There are none: requests are known by their id."""

    def fill_defaults(self, int32_tensor: Tensor) -> None:
        """There are none."""

    def prepare_tensor_args(self, requests_in_batch: Sequence[Any], arg_storage: Tensor) -> Tensor:
        """Note the requests that get a token in this step, in the order of their scores."""
        self._rows = []
        for scheduled in requests_in_batch:
            state = scheduled.state
            request = self.requests.get(state.request_id)
            if request and not state.generated_tokens:
                request.computed_tokens += scheduled.query_length
            if scheduled.has_new_token:
                self._rows.append((request, state.initial_tokens + state.generated_tokens))
                if request is None:  # its cancellation came before the request itself
                    self._on_unknown(state.request_id)
        return arg_storage

    def __call__(self, input_ids: Tensor, scores: Tensor, logits_processor_args: Tensor) -> Tensor:
        """One-hot rows that hold the chosen tokens."""
        import torch

        tokens = scores.argmax(dim=-1)
        for row, (request, history) in enumerate(self._rows):
            if request and not request.is_plain:
                tokens[row] = request.choose(history, scores[row : row + 1])
        return torch.zeros_like(scores).scatter_(1, tokens.unsqueeze(-1), 1.0)
