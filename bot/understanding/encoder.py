"""Sentences to vectors: all-MiniLM-L6-v2 in 8-bit integers on ONNX Runtime.

The graph is written from the model's weights at first use, and kept under a name that changes with them. Encoding
imports neither torch nor transformers. An encoder may be used by several threads at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bot.errors import ModelError
from bot.folders import make_private_folder
from bot.understanding.heads import Array

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

MODEL = "all-minilm-l6-v2"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
FORM = 3
"""Counts the changes of the graph; a new one is written, and trained models of an old one are not used."""
LONGEST_TOKENS = 128
LONGEST_CHARACTERS = 1000
"""What comes later in a text cannot be among the tokens that are read."""
BATCH = 8
"""Sentences that are encoded together: of about one length, so that little is padded. Twice as fast as 32."""
RAREST = 3
"""A token that fewer sentences have counts no more than one that so many have."""


def has_encoder(models_folder: Path) -> bool:
    """Whether the model is installed."""
    return (models_folder / MODEL / WEIGHTS).is_file()


def prepare_encoder(models_folder: Path, cache_folder: Path) -> Path:
    """The file of the graph, written where it is not there yet.

    Raises:
        ModelError: the model is not installed.
        OSError: the graph cannot be written.
    """
    if not has_encoder(models_folder):
        raise ModelError("intents.no_encoder", model=MODEL)
    weights = models_folder / MODEL / WEIGHTS
    seen = weights.stat()
    graph = cache_folder / f"encoder-{seen.st_size:x}-{seen.st_mtime_ns:x}-{FORM}.onnx"
    if graph.is_file():
        return graph
    from bot.understanding.encoder_graph import write_encoder

    make_private_folder(cache_folder)
    draft = graph.with_suffix(f".{os.getpid()}.part")
    write_encoder(weights, draft)
    draft.replace(graph)
    return graph


class SentenceEncoder:
    """Gives every sentence one vector: the means of the last three layers, each of length one, side by side."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: tokenizers.Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def open(cls, models_folder: Path, cache_folder: Path) -> SentenceEncoder:
        """The installed encoder.

        Raises:
            ModelError: it is not installed.
            OSError: its graph cannot be written.
        """
        graph = prepare_encoder(models_folder, cache_folder)
        import onnxruntime
        import tokenizers

        options = onnxruntime.SessionOptions()
        # one sentence is too little work to share, and threads that wait by spinning slow everything else
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        tokenizer = tokenizers.Tokenizer.from_file(str(models_folder / MODEL / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST_TOKENS)
        return cls(session, tokenizer)

    def rarity(self, sentences: Sequence[str]) -> Array:
        """What each token should count, by how few of the sentences have it; one number a token of the vocabulary."""
        seen = np.zeros(self._tokenizer.get_vocab_size(), np.float32)
        for tokens in self._tokens(sentences):
            seen[list(set(tokens))] += 1
        rarity = np.log((1 + len(sentences)) / (1 + seen)) + 1
        return np.asarray(np.minimum(rarity, 1 + np.log(max(len(sentences) / RAREST, 1))), np.float32)

    def encode(self, sentences: Sequence[str], *, rarity: Array | None = None, workers: int = 1) -> Array:
        """The vectors, one row a sentence.

        Args:
            sentences: any texts; of long ones the beginning counts.
            rarity: what each token counts in the last layer's mean; None lets all count alike.
            workers: threads that encode side by side.
        """
        tokens = self._tokens(sentences)
        # sentences of about the same length side by side need little padding
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        vectors = np.empty((len(tokens), self.width), np.float32)

        def fill(batch: list[int]) -> None:
            vectors[batch] = self._encode([tokens[index] for index in batch], rarity)

        if workers == 1 or len(batches) == 1:
            for batch in batches:
                fill(batch)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(fill, batches))
        return vectors

    @property
    def width(self) -> int:
        """Numbers in one vector."""
        return sum(output.shape[1] for output in self._session.get_outputs())

    def _tokens(self, sentences: Sequence[str]) -> list[list[int]]:
        cut = [sentence[:LONGEST_CHARACTERS] for sentence in sentences]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(cut)] if cut else []

    def _encode(self, tokens: list[list[int]], rarity: Array | None) -> Array:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int32)
        mask = np.zeros_like(ids)
        for row, sentence in enumerate(tokens):
            ids[row, : len(sentence)] = sentence
            mask[row, : len(sentence)] = 1
        counts = (mask if rarity is None else rarity[ids] * mask).astype(np.float32)
        layers = self._session.run(None, {"ids": ids, "mask": mask, "counts": counts})
        return np.hstack([layer / np.linalg.norm(layer, axis=1, keepdims=True) for layer in layers])
