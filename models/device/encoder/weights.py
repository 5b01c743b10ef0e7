"""Rebuilds a text encoder's weights in floating point from the shipped int8 graph.

Each matrix is the product of its int8 codes and their scales, so that no second copy of the weights ships. A
GPU computes with the processor's weights, but does not round activations to int8.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import Floats
from schemas.errors import StopWorker

_TOKENS = "embeddings.word_embeddings.weight"
_LAYER_OF = re.compile(r"/encoder/layer\.(\d+)/(.+)/MatMul_output_0_integers$")
_PRODUCT = "MatMulInteger"
# The products of a layer in the order of their computation, as published graphs name them.
_PRODUCTS = (
    "attention/self/query",
    "attention/self/key",
    "attention/self/value",
    "attention/output/dense",
    "intermediate/dense",
    "output/dense",
)


@dataclass(frozen=True)
class LayerWeights:
    """One layer of a BERT. A matrix is applied as `rows @ matrix + bias`.

    Attributes:
        matrices: Query, key and value side by side; attention output; intermediate; output. Each has shape
            [in, out].
        biases: The biases of the matrices, each of shape [out].
        norms: Scale and shift of the normalization after attention, and of the one after the output.
    """

    matrices: tuple[Floats, Floats, Floats, Floats]
    biases: tuple[Floats, Floats, Floats, Floats]
    norms: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class EncoderWeights:
    """The weights of a BERT whose vector of a text is the state of its first token.

    Attributes:
        token_embeddings: Shape [vocabulary, dimensions].
        positions: Shape [longest, dimensions], with the token type of single texts added.
        norm: Scale and shift of the normalization of the embeddings.
        layers: The layers in order.
        heads: The number of attention heads of each layer.
        epsilon: The number that each normalization adds to the variance.
    """

    token_embeddings: Floats
    positions: Floats
    norm: tuple[Floats, Floats]
    layers: tuple[LayerWeights, ...]
    heads: int
    epsilon: float

    @property
    def dimensions(self) -> int:
        """The width of the vectors."""
        return int(self.token_embeddings.shape[1])

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of the matrix products per token. Attention adds 1% to 2% to them."""
        return 2 * sum(int(matrix.size) for layer in self.layers for matrix in layer.matrices)


def read_weights(path: Path) -> EncoderWeights:
    """Rebuild the weights of an int8 graph that `models.training.encoder.row_quantization` wrote.

    Args:
        path: The graph.

    Raises:
        StopWorker: The file cannot be read, is not such a graph, or onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise StopWorker(
            "Reading the shipped weights for a GPU needs onnx: pip install 'shelfstream[gpu]'."
        ) from error

    try:
        return _Reader(onnx.load(path).graph).weights()
    except (OSError, KeyError, ValueError, StopIteration) as error:
        raise StopWorker(
            f"{path} is not an int8 graph of a BERT that pools its first token ({error!r}): export the "
            "encoder again, or set SHELFSTREAM_DEVICE=cpu."
        ) from error


class _Reader:
    """Reads one int8 graph."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._graph = graph
        self._arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._constants = {
            node.output[0]: numpy_helper.to_array(node.attribute[0].t)
            for node in graph.node
            if node.op_type == "Constant"
        }
        self._node_of = {name: node for node in graph.node for name in node.output}

    def weights(self) -> EncoderWeights:
        if "first_token" not in self._arrays:
            raise ValueError("it pools in another way")
        matrices = dict(self._matrices())
        count = 1 + max(layer for layer, _ in matrices)
        tokens = self._arrays[f"{_TOKENS}_codes"] * self._arrays[f"{_TOKENS}_scales"]
        types = self._arrays["embeddings.token_type_embeddings.weight"]
        positions = self._arrays["embeddings.position_embeddings.weight"] + types[0]
        return EncoderWeights(
            token_embeddings=tokens.astype(np.float32),
            positions=positions.astype(np.float32),
            norm=self._norm("embeddings"),
            layers=tuple(self._layer(number, matrices) for number in range(count)),
            heads=tokens.shape[1] // self._head_width(),
            epsilon=self._epsilon(),
        )

    def _matrices(self) -> Iterator[tuple[tuple[int, str], Floats]]:
        for node in self._graph.node:
            found = _LAYER_OF.match(node.output[0]) if node.op_type == _PRODUCT else None
            if found is not None:
                codes = node.input[1]
                scales = self._arrays[codes.removesuffix("_codes") + "_scales"]
                yield (int(found[1]), found[2]), (self._arrays[codes] * scales).astype(np.float32)

    def _layer(self, number: int, matrices: dict[tuple[int, str], Floats]) -> LayerWeights:
        prefix = f"encoder.layer.{number}"
        found = [matrices[number, name] for name in _PRODUCTS]
        biases = [self._arrays[f"{prefix}.{name.replace('/', '.')}.bias"] for name in _PRODUCTS]
        return LayerWeights(
            matrices=(np.concatenate(found[:3], axis=1), found[3], found[4], found[5]),
            biases=(np.concatenate(biases[:3]), biases[3], biases[4], biases[5]),
            norms=(self._norm(f"{prefix}.attention.output"), self._norm(f"{prefix}.output")),
        )

    def _norm(self, prefix: str) -> tuple[Floats, Floats]:
        name = f"{prefix}.LayerNorm"
        return self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]

    def _head_width(self) -> int:
        """The width of one head: the square of the divisor of the attention scores."""
        divided = next(
            node
            for node in self._graph.node
            if node.op_type == "Div" and "/attention/self/" in node.output[0]
        )
        return round(float(self._constants[divided.input[1]]) ** 2)

    def _epsilon(self) -> float:
        root = next(node for node in self._graph.node if node.op_type == "Sqrt")
        return float(self._constants[self._node_of[root.input[0]].input[1]])
