"""Where a model's files are and whether they are whole, told before anything is loaded.

Imports neither torch nor transformers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ModelError
from bot.generation.model import ResolvedModel
from bot.generation.sizes import format_size

SAFETENSORS_INDEX = "model.safetensors.index.json"
LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian."""
LARGEST_HEADER_BYTES = 100_000_000
"""As the format's own reader has it."""


@dataclass(frozen=True, slots=True)
class Source:
    """What `from_pretrained` is given."""

    path: str
    """A folder, or a name that the hub knows."""
    gguf_file: str | None = None
    is_local: bool = False

    @property
    def options(self) -> dict[str, object]:
        """Keyword arguments for `from_pretrained`; code that comes with a model is never run."""
        options: dict[str, object] = {"trust_remote_code": False}
        if self.is_local:
            options["local_files_only"] = True
        if self.gguf_file:
            options["gguf_file"] = self.gguf_file
        return options


def find_source(model: ResolvedModel) -> Source:
    """Where the model is: a folder of safetensors, a GGUF file, or else a name for the hub.

    Raises:
        ModelError: the folder lacks something, or a file in it is cut short.
    """
    path = Path(model.location)
    if path.suffix == ".safetensors":
        path = path.parent
    if path.is_file():
        return Source(str(path.parent), gguf_file=path.name, is_local=True)
    if path.is_dir():
        check_folder(path, model.name)
        return Source(str(path), is_local=True)
    if path.is_absolute():
        raise ModelError("transformers.nothing_there", model=model.name, path=path)
    return Source(model.location)


def check_folder(folder: Path, model: str) -> None:
    """See that a folder holds a configuration and weights, all of them whole.

    Raises:
        ModelError: it does not.
    """
    if not (folder / "config.json").is_file():
        raise ModelError("transformers.no_config", model=model, path=folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights and not list(folder.glob("*.bin")):
        raise ModelError("transformers.no_weights", model=model, path=folder)
    for name in sorted(_indexed_files(folder, model)):
        if not (folder / name).is_file():
            raise ModelError("transformers.file_missing", model=model, path=folder / name)
    for file in weights:
        check_safetensors(file, model)


def check_safetensors(file: Path, model: str) -> None:
    """See that a safetensors file is as long as its header says.

    Raises:
        ModelError: it is shorter, or has no header.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or header_bytes > LARGEST_HEADER_BYTES:
            raise ModelError("transformers.not_safetensors", model=model, path=file)
        header = stream.read(header_bytes)
    if len(header) < header_bytes:
        raise _truncated(file, model, has=size, expected=LENGTH_BYTES + header_bytes)
    try:
        tensors = json.loads(header)
        end = max((tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"), default=0)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ModelError("transformers.not_safetensors", model=model, path=file) from None
    expected = LENGTH_BYTES + header_bytes + end
    if size < expected:
        raise _truncated(file, model, has=size, expected=expected)


def _indexed_files(folder: Path, model: str) -> set[str]:
    index = folder / SAFETENSORS_INDEX
    if not index.is_file():
        return set()
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        raise ModelError("transformers.not_json", model=model, path=index) from None


def _truncated(file: Path, model: str, *, has: int, expected: int) -> ModelError:
    return ModelError(
        "transformers.truncated", model=model, path=file, size=format_size(has), expected=format_size(expected)
    )
