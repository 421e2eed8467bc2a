"""Writes all-MiniLM-L6-v2 as an ONNX graph, in 8-bit integers, from its published weights; needs no torch.

The graph takes token ids, a mask, and what each token counts; it gives the mean over the tokens of each of its last
layers, that of the very last so weighted, one row a sentence.
Weights are rounded to 8 bits per output channel, activations at run time (the scheme of ONNX Runtime's dynamic
quantisation). Knows nothing of texts.

Source of the architecture: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, as in Hugging Face's `BertModel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.understanding.heads import WIDTH, Array

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto


LAYERS, HEADS = 6, 12
POOLED_LAYERS = (6, 5, 4)
"""The layers whose means are given, the last first; earlier ones tell wording from meaning."""
EPSILON = 1e-12
LARGEST = 127
OPSET, IR_VERSION = 17, 9
FUSED = "com.microsoft"
"""The domain of ONNX Runtime's fused operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md"""


def write_encoder(weights_file: Path, target: Path) -> None:
    """Write the graph of the weights in `weights_file` (safetensors) to `target`.

    Raises:
        OSError: a file cannot be read or written.
    """
    from safetensors.numpy import load_file

    target.write_bytes(_Graph(load_file(weights_file)).serialized())


class _Graph:
    """Collects nodes and constants; each method that adds a step returns the name of what it gives."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def serialized(self) -> bytes:
        """The model as it stands in a file."""
        from onnx import TensorProto, helper

        outputs = self._encoder()
        shape = ["batch", "tokens"]
        kinds = {"ids": TensorProto.INT32, "mask": TensorProto.INT32, "counts": TensorProto.FLOAT}
        graph = helper.make_graph(
            self._nodes,
            "all-minilm-l6-v2",
            [helper.make_tensor_value_info(name, kind, shape) for name, kind in kinds.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDTH]) for name in outputs],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString())

    def _encoder(self) -> list[str]:
        from onnx import TensorProto

        weighted, plain = (
            self._shares("counts"),
            self._shares(self._node("Cast", ["mask"], "mask_float", to=TensorProto.FLOAT)),
        )
        hidden, pooled = self._embeddings(), {}
        for layer in range(1, LAYERS + 1):
            hidden = self._layer(hidden, f"encoder.layer.{layer - 1}.")
            if layer in POOLED_LAYERS:
                shares = weighted if layer == LAYERS else plain
                mean = self._node("MatMul", [shares, hidden], f"mean_{layer}")
                pooled[layer] = self._node("Squeeze", [mean, self._constant("token_axis", _axis(1))], f"layer_{layer}")
        return [pooled[layer] for layer in POOLED_LAYERS]

    # -- parts ----------------------------------------------------------------------------------------------

    def _shares(self, counts: str) -> str:
        """The share of each token in a mean: batch x 1 x tokens."""
        axis = self._constant("token_axis", _axis(1))
        total = self._node("ReduceSum", [counts, axis], f"{counts}_total", keepdims=1)
        shares = self._node("Div", [counts, total], f"{counts}_shares")
        return self._node("Unsqueeze", [shares, axis], f"{counts}_row")

    def _embeddings(self) -> str:
        from onnx import TensorProto

        words = self._weights["embeddings.word_embeddings.weight"]
        scales = np.abs(words).max(axis=1, keepdims=True) / LARGEST
        rounded = self._node("Gather", [self._constant("words", _rounded(words / scales)), "ids"], "word_rounded")
        scale = self._node("Gather", [self._constant("word_scales", scales), "ids"], "word_scale")
        word = self._node("Mul", [self._node("Cast", [rounded], "word_float", to=TensorProto.FLOAT), scale], "word")
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]  # there is never a second sentence
        places = self._constant("places", self._weights["embeddings.position_embeddings.weight"] + kind)
        length = self._node("Shape", ["ids"], "length", start=1, end=2)
        start = self._constant("start", _axis(0))
        place = self._node("Slice", [places, start, length, start], "place")
        total = self._node("Add", [word, place], "embedding_sum")
        name = "embeddings.LayerNorm"
        return self._node("LayerNormalization", [total, *self._norm(name)], "embedding", epsilon=EPSILON, axis=-1)

    def _layer(self, hidden: str, prefix: str) -> str:
        parts = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
        weight, bias = (np.concatenate([self._weights[f"{part}.{kind}"] for part in parts]) for kind in KINDS)
        joined = self._linear(hidden, weight, bias, f"{prefix}qkv")
        sizes = self._constant("widths", np.array([WIDTH] * 3, np.int64))
        query, key, value = self._split(joined, sizes, prefix)
        attended = self._node(
            "MultiHeadAttention", [query, key, value, "", "mask"], f"{prefix}attended", domain=FUSED, num_heads=HEADS
        )
        hidden = self._add_norm(self._dense(attended, f"{prefix}attention.output"), hidden, f"{prefix}attention.output")
        wide = self._dense(hidden, f"{prefix}intermediate")
        active = self._node("Gelu", [wide], f"{prefix}active", domain=FUSED)
        return self._add_norm(self._dense(active, f"{prefix}output"), hidden, f"{prefix}output")

    # -- steps ----------------------------------------------------------------------------------------------

    def _dense(self, source: str, name: str) -> str:
        weight, bias = (self._weights[f"{name}.dense.{kind}"] for kind in KINDS)
        return self._linear(source, weight, bias, f"{name}.dense")

    def _linear(self, source: str, weight: Array, bias: Array, name: str) -> str:
        """`source` times the weight (outputs x inputs) plus the bias, the product in integers."""
        scales = np.abs(weight).max(axis=1) / LARGEST
        inputs = [
            source,
            self._constant(f"{name}.rounded", _rounded(weight / scales[:, None]).T),
            self._constant(f"{name}.scales", scales),
            self._constant(f"{name}.zeros", np.zeros(len(scales), np.int8)),
            self._constant(f"{name}.bias", bias),
        ]
        return self._node("DynamicQuantizeMatMul", inputs, name, domain=FUSED)

    def _add_norm(self, source: str, residual: str, name: str) -> str:
        norm = f"{name}.LayerNorm"
        inputs = [source, residual, *self._norm(norm)]
        return self._node("SkipLayerNormalization", inputs, norm, domain=FUSED, epsilon=EPSILON)

    def _norm(self, name: str) -> list[str]:
        return [self._constant(f"{name}.{kind}", self._weights[f"{name}.{kind}"]) for kind in KINDS]

    def _split(self, source: str, sizes: str, prefix: str) -> list[str]:
        from onnx import helper

        outputs = [f"{prefix}{part}" for part in ("query", "key", "value")]
        self._nodes.append(helper.make_node("Split", [source, sizes], outputs, axis=-1))
        return outputs

    def _node(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def _constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        if all(constant.name != name for constant in self._constants):
            self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


KINDS = ("weight", "bias")


def _axis(number: int) -> Array:
    return np.array([number], np.int64)


def _rounded(values: Array) -> Array:
    return np.clip(np.rint(values), -LARGEST, LARGEST).astype(np.int8)
