"""Builds the shipped encoder as an ONNX graph in half precision, for onnxruntime on a GPU.

The graph is built at startup from the rebuilt weights, so that nothing is downloaded or exported. It has the
inputs and outputs of the int8 graph. Normalizations and the sums of the softmax are computed in float32.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.device.encoder.weights import EncoderWeights, LayerWeights

_OPSET = 17
_LEAST_SCORE = -10_000.0
"""The number that is added to the scores of padding. Its exponential is 0 in half precision."""


def half_graph(weights: EncoderWeights) -> bytes:
    """Build an ONNX model with the inputs `ids` and `mask` and the output `vectors` of `TextEncoder.run`.

    Args:
        weights: The encoder's weights.

    Returns:
        The serialized model.
    """
    return _Builder(weights).model()


class _Builder:
    """Builds one graph node by node."""

    def __init__(self, weights: EncoderWeights) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> bytes:
        weights, width = self._weights, self._weights.dimensions
        states = self._embeddings()
        mask = self._mask()
        for number, layer in enumerate(weights.layers):
            states = self._layer(f"layer.{number}", layer, states, mask)
        first = self._node("Gather", [states, self._constant("first", np.array(0))], axis=1)
        wide = self._node("Cast", [first], to=TensorProto.FLOAT)
        self._node("LpNormalization", [wide], "vectors", axis=-1, p=2)
        shape = ["texts", "longest"]
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "mask")],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", width])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        return bytes(model.SerializeToString())

    def _node(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        out = name or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def _constant(self, name: str, value: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _half(self, name: str, value: Any) -> str:
        return self._constant(name, np.asarray(value, dtype=np.float16))

    def _embeddings(self) -> str:
        words = self._node("Gather", [self._half("words", self._weights.token_embeddings), "ids"], axis=0)
        length = self._node("Shape", ["ids"], start=1, end=2)
        ends = [self._constant("start", np.array([0])), length, self._constant("token_axis", np.array([0]))]
        places = self._node("Slice", [self._half("positions", self._weights.positions), *ends])
        return self._norm("embeddings", self._weights.norm, self._node("Add", [words, places]))

    def _mask(self) -> str:
        """The addends of scores, shape [texts, 1, 1, longest]: 0 for a token, `_LEAST_SCORE` for padding."""
        kept = self._node("Cast", ["mask"], to=TensorProto.FLOAT16)
        lacking = self._node("Sub", [self._half("one", 1.0), kept])
        scores = self._node("Mul", [lacking, self._half("least_score", _LEAST_SCORE)])
        return self._node("Unsqueeze", [scores, self._constant("score_axes", np.array([1, 2]))])

    def _layer(self, name: str, layer: LayerWeights, states: str, mask: str) -> str:
        projected = self._product(f"{name}.projected", layer, 0, states)
        mixed = self._product(f"{name}.mixed", layer, 1, self._attention(name, projected, mask))
        states = self._norm(f"{name}.attention", layer.norms[0], self._node("Add", [mixed, states]))
        inner = self._gelu(name, self._product(f"{name}.inner", layer, 2, states))
        outer = self._product(f"{name}.outer", layer, 3, inner)
        return self._norm(f"{name}.output", layer.norms[1], self._node("Add", [outer, states]))

    def _product(self, name: str, layer: LayerWeights, place: int, states: str) -> str:
        product = self._node("MatMul", [states, self._half(f"{name}.matrix", layer.matrices[place])])
        return self._node("Add", [product, self._half(f"{name}.bias", layer.biases[place])])

    def _attention(self, name: str, projected: str, mask: str) -> str:
        weights = self._weights
        width = weights.dimensions // weights.heads
        split = self._constant(f"{name}.split", np.array([0, 0, 3 * weights.heads, width]))
        heads = self._node("Transpose", [self._node("Reshape", [projected, split])], perm=[0, 2, 1, 3])
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        sizes = self._constant(f"{name}.sizes", np.array([weights.heads] * 3))
        self._nodes.append(helper.make_node("Split", [heads, sizes], parts, axis=1))
        # The query is scaled before the product, so that scores stay small in half precision.
        query = self._node("Mul", [parts[0], self._half(f"{name}.scale", width**-0.5)])
        key = self._node("Transpose", [parts[1]], perm=[0, 1, 3, 2])
        scores = self._node("Add", [self._node("MatMul", [query, key]), mask])
        mixed = self._node("MatMul", [self._node("Softmax", [scores], axis=-1), parts[2]])
        joined = self._constant(f"{name}.joined", np.array([0, 0, weights.dimensions]))
        return self._node("Reshape", [self._node("Transpose", [mixed], perm=[0, 2, 1, 3]), joined])

    def _norm(self, name: str, norm: Any, states: str) -> str:
        scale, shift = self._half(f"{name}.norm", norm[0]), self._half(f"{name}.shift", norm[1])
        # The operator computes in float32. In half precision the epsilon would be 0.
        return self._node(
            "LayerNormalization", [states, scale, shift], axis=-1, epsilon=self._weights.epsilon
        )

    def _gelu(self, name: str, states: str) -> str:
        root = self._half(f"{name}.root", 2.0**0.5)
        spread = self._node("Erf", [self._node("Div", [states, root])])
        raised = self._node("Add", [spread, self._half(f"{name}.one", 1.0)])
        return self._node("Mul", [self._node("Mul", [states, raised]), self._half(f"{name}.half", 0.5)])
