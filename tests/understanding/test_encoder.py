"""The encoder: the same vectors as the published model's, from texts of any kind, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot.errors import ModelError
from bot.understanding.encoder import SentenceEncoder, prepare_encoder
from bot.understanding.heads import WIDTH, Array

SENTENCES = ["when do you open?", "My parcel has not arrived yet, can you look where it is?", "放点音乐", "a"]


def reference(folder: Path, sentence: str) -> Array:
    """The mean over the tokens of the last layer, as the published model gives it in full precision."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(sentence, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mean: Array = hidden.mean(dim=1)[0].numpy()
    return np.asarray(mean / np.linalg.norm(mean))


def test_vectors_point_where_the_published_models_do(encoder: SentenceEncoder, models_folder: Path) -> None:
    vectors = encoder.encode(SENTENCES)[:, :WIDTH]
    for vector, sentence in zip(vectors, SENTENCES, strict=True):
        assert float(vector @ reference(models_folder / "all-minilm-l6-v2", sentence)) > 0.97


def test_a_sentence_means_the_same_alone_and_among_others(encoder: SentenceEncoder) -> None:
    together = encoder.encode([*SENTENCES, "word " * 90], workers=2)
    for row, sentence in enumerate(SENTENCES):
        assert float((encoder.encode([sentence])[0] * together[row])[:WIDTH].sum()) > 0.95


def test_every_layer_counts_alike(encoder: SentenceEncoder) -> None:
    layers = encoder.encode(SENTENCES).reshape(len(SENTENCES), -1, WIDTH)
    assert np.allclose(np.linalg.norm(layers, axis=2), 1, atol=1e-5)


@pytest.mark.parametrize(
    "text", ["", " ", "😀🎉", "\x00\x01", "好" * 50_000, "word " * 10_000], ids=lambda text: text[:4]
)
def test_any_text_has_a_vector(encoder: SentenceEncoder, text: str) -> None:
    assert np.isfinite(encoder.encode([text])).all()


def test_no_texts_have_no_vectors(encoder: SentenceEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.width)


def test_the_graph_is_written_once(models_folder: Path, tmp_path: Path) -> None:
    graph = prepare_encoder(models_folder, tmp_path)
    written = graph.stat().st_mtime_ns
    assert prepare_encoder(models_folder, tmp_path) == graph
    assert graph.stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir() if path != graph and path.is_file()] == []


def test_a_missing_encoder_is_told_with_what_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        SentenceEncoder.open(tmp_path / "models", tmp_path / "cache")
    assert "parley models add all-minilm-l6-v2" in str(caught.value)


def test_classifying_imports_neither_torch_nor_what_trains(models_folder: Path, tmp_path: Path) -> None:
    prepare_encoder(models_folder, tmp_path)
    script = f"""
import sys
from pathlib import Path
from bot.understanding.classifier import Classifier
from bot.understanding.encoder import SentenceEncoder
from bot.understanding.keeping import load_classifier
SentenceEncoder.open(Path({str(models_folder)!r}), Path({str(tmp_path)!r})).encode(["when do you open"])
print([name for name in ("torch", "transformers", "sklearn", "scipy", "onnx") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
