"""Recommends models for the machine at hand: those that fit, are fast enough to talk with, and speak the language.

Decoding reads all weights for every token, so that its speed is the memory's: bytes a second over bytes a token
(the bandwidth side of the roofline model, Williams et al. 2009, https://doi.org/10.1145/1498765.1498785).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from bot.generation.catalog import CatalogueEntry, ModelKind
from bot.generation.hardware import Machine
from bot.generation.sizes import format_size
from bot.texts import Texts

CORE_BYTES_PER_SECOND = 6.5e9
"""Of weights, by one core of a server: the 98 MB default model gives 133 tokens/s on two."""
MACHINE_BYTES_PER_SECOND = 40e9
"""Where more cores no longer help: two channels of DDR5 at about half their nominal rate."""
SHARED_GPU_BYTES_PER_SECOND = 70e9
GPU_BYTES_PER_SECOND = 250e9
"""Cautious: a graphics card of the middle class; fast ones manage four times that."""
COMFORTABLE_TOKENS_PER_SECOND = 8.0
"""About as fast as people read."""
THINKING_TOKENS_PER_SECOND = 25.0
"""For a model that first writes hundreds of tokens nobody is shown."""
MEMORY_SHARE = 0.9
"""How much of what is free may be taken; the rest is for everything else."""


class Fit(IntEnum):
    """How well a model suits a machine, best first."""

    GOOD = 0
    SLOW = 1
    FOREIGN = 2
    """It does not speak the language."""
    TOO_LARGE = 3


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One model and why it stands where it does."""

    entry: CatalogueEntry
    fit: Fit
    tokens_per_second: float
    """Estimated, for one conversation."""
    on_gpu: bool = False
    values: Mapping[str, object] = field(default_factory=dict)

    def why(self, texts: Texts) -> str:
        """The reason in one sentence."""
        return texts.get(f"models.why_{self.fit.name.lower()}", **self.values)


def recommend(
    machine: Machine, entries: Iterable[CatalogueEntry], language: str, *, gpu_runs_gguf: bool = True
) -> list[Recommendation]:
    """Rank the chat models, best first.

    Args:
        machine: what there is.
        entries: the models to choose from.
        language: the language to talk in, as a tag's first part.
        gpu_runs_gguf: whether the installed llama.cpp was built for the machine's graphics card.
    """
    judged = [
        _judge(entry, machine, language, gpu_runs_gguf=gpu_runs_gguf)
        for entry in entries
        if entry.kind is ModelKind.CHAT
    ]
    return sorted(judged, key=lambda judgement: (judgement.fit, -_worth(judgement)))


def _worth(judgement: Recommendation) -> float:
    """By quality where it runs well, by speed where it does not."""
    if judgement.fit in (Fit.GOOD, Fit.FOREIGN):
        return judgement.entry.quality + min(0.9, judgement.tokens_per_second / 1000)
    return judgement.tokens_per_second


def _judge(entry: CatalogueEntry, machine: Machine, language: str, *, gpu_runs_gguf: bool) -> Recommendation:
    need = entry.memory_bytes or 2 * (entry.size_bytes or 0)
    on_gpu = gpu_runs_gguf and _fits_gpu(machine, need)
    free = machine.memory_available_bytes
    speed = _bytes_per_second(machine, on_gpu=on_gpu) / max(1, entry.size_bytes or 1)
    if not on_gpu and need > free * MEMORY_SHARE:
        fit = Fit.TOO_LARGE
    elif entry.languages and language not in entry.languages:
        fit = Fit.FOREIGN
    else:
        comfortable = THINKING_TOKENS_PER_SECOND if entry.thinks else COMFORTABLE_TOKENS_PER_SECOND
        fit = Fit.GOOD if speed >= comfortable else Fit.SLOW
    values = {
        "need": format_size(need),
        "free": format_size(free),
        "speed": f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}",
        "languages": ", ".join(entry.languages),
    }
    return Recommendation(entry, fit, speed, on_gpu, values)


def _fits_gpu(machine: Machine, need_bytes: int) -> bool:
    if machine.apple_silicon:
        return need_bytes <= machine.memory_available_bytes * MEMORY_SHARE
    return any(need_bytes <= gpu.memory_free_bytes * MEMORY_SHARE for gpu in machine.gpus)


def _bytes_per_second(machine: Machine, *, on_gpu: bool) -> float:
    if on_gpu:
        return SHARED_GPU_BYTES_PER_SECOND if machine.apple_silicon else GPU_BYTES_PER_SECOND
    return min(MACHINE_BYTES_PER_SECOND, machine.cpu_cores * CORE_BYTES_PER_SECOND)
