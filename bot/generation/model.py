"""What a generator is made from: a model that was found, and the settings of the machine it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ModelFormat(StrEnum):
    """How a model is stored, which decides the generators that can run it."""

    GGUF = "gguf"
    SAFETENSORS = "safetensors"
    SERVER = "server"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is there: `location` is a GGUF file, a folder of safetensors, or a server's base URL."""

    name: str
    format: ModelFormat
    location: str
    size_bytes: int | None = None
    """Size of the weights; None for a server."""
    context_length: int | None = None
    """Tokens the model was made for, where the catalogue knows; None asks the model."""


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """How a generator runs. None leaves the choice to the generator, which logs what it chose."""

    # size
    context_length: int | None = None
    """Tokens of prompt and reply together, per request."""
    slots: int = 1
    """Requests that run at once."""
    prompt_cache_mib: int = 512
    """Host memory for the KV caches of conversations that lost their slot."""
    memory_limit_bytes: int | None = None
    """What the model may take; a larger one is refused before it is loaded."""
    # processor
    threads: int | None = None
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    dtype: str = "auto"
    """`auto`, `bfloat16`, `float16`, `float32`; for safetensors."""
    gpu_layers: int | None = None
    # server
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 120.0
    """How long a server may stay silent."""
    # scripted
    echo_delay_seconds: float = 0.0
    # plugins
    options: Mapping[str, object] = field(default_factory=dict)
