"""Quantization of an ONNX graph's matrices to int8, with activations quantized row by row.

onnxruntime's dynamic quantization uses one activation scale for the whole batch, so a text's result depends
on the other texts in the batch. Here each token's vector has its own scale. A text gets the same result in
any batch, and the error is smaller, as an outlier in one token does not affect the others.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

_MIN_ROWS = 1_000
"""Minimum number of rows of an embedding table that is quantized."""


def quantize_rows(model: ModelProto) -> ModelProto:
    """Quantize a copy of a graph.

    Each `MatMul` of an activation with a constant matrix, shape [in, out], becomes `MatMulInteger` on uint8
    rows and an int8 matrix with one scale for each output; each large constant table that is gathered from
    becomes int8 with one scale for each row.

    Args:
        model: Graph in full precision, opset 13 to 17.
    """
    quantized = ModelProto()
    quantized.CopyFrom(model)
    _Rewriter(quantized.graph).rewrite()
    return quantized


class _Rewriter:
    """Replaces the nodes and constants of one graph."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.added: dict[str, npt.NDArray[np.generic]] = {
            "row_steps": np.array(127.0, np.float32),
            "row_least": np.array(1e-9, np.float32),
            "row_middle": np.array(128.0, np.float32),
            "row_zero": np.array(128, np.uint8),
        }
        self.replaced: set[str] = set()
        self.rounded: set[str] = set()

    def rewrite(self) -> None:
        """Replace the nodes and the constants in place."""
        nodes = [new for node in self.graph.node for new in self._replacement(node)]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        kept = [tensor for tensor in self.graph.initializer if tensor.name not in self.replaced]
        kept += [numpy_helper.from_array(value, name) for name, value in self.added.items()]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)

    def _replacement(self, node: NodeProto) -> Iterator[NodeProto]:
        table = self.constants.get(node.input[0]) if node.op_type == "Gather" else None
        matrix = self.constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if table is not None and len(table.dims) == 2 and table.dims[0] >= _MIN_ROWS:
            yield from self._gather(node, numpy_helper.to_array(table))
        elif matrix is not None and len(matrix.dims) == 2:
            if node.input[0] not in self.rounded:
                self.rounded.add(node.input[0])
                yield from self._round(node.input[0])
            yield from self._multiply(node, numpy_helper.to_array(matrix))
        else:
            yield node

    def _gather(self, node: NodeProto, table: npt.NDArray[np.float32]) -> Iterator[NodeProto]:
        name, rows, (out,) = node.input[0], node.input[1], node.output
        codes, scales = _round_by(table, axis=1)
        self._replace(name, codes, scales)
        yield helper.make_node("Gather", [f"{name}_codes", rows], [f"{out}_gathered"], axis=0)
        yield helper.make_node("Gather", [f"{name}_scales", rows], [f"{out}_scales"], axis=0)
        yield helper.make_node("Cast", [f"{out}_gathered"], [f"{out}_steps"], to=TensorProto.FLOAT)
        yield helper.make_node("Mul", [f"{out}_steps", f"{out}_scales"], [out])

    def _round(self, name: str) -> Iterator[NodeProto]:
        """Quantize an activation to uint8 with zero point 128 and one scale per row."""
        yield helper.make_node("Abs", [name], [f"{name}_sizes"])
        yield helper.make_node("ReduceMax", [f"{name}_sizes"], [f"{name}_most"], axes=[-1], keepdims=1)
        yield helper.make_node("Max", [f"{name}_most", "row_least"], [f"{name}_positive"])
        yield helper.make_node("Div", [f"{name}_positive", "row_steps"], [f"{name}_scale"])
        yield helper.make_node("Div", [name, f"{name}_scale"], [f"{name}_scaled"])
        yield helper.make_node("Round", [f"{name}_scaled"], [f"{name}_whole"])
        yield helper.make_node("Add", [f"{name}_whole", "row_middle"], [f"{name}_shifted"])
        yield helper.make_node("Cast", [f"{name}_shifted"], [f"{name}_codes"], to=TensorProto.UINT8)

    def _multiply(self, node: NodeProto, matrix: npt.NDArray[np.float32]) -> Iterator[NodeProto]:
        (left, right), (out,) = node.input, node.output
        codes, scales = _round_by(matrix, axis=0)
        self._replace(right, codes, scales[0])
        factors = [f"{left}_codes", f"{right}_codes", "row_zero"]
        yield helper.make_node("MatMulInteger", factors, [f"{out}_integers"])
        yield helper.make_node("Cast", [f"{out}_integers"], [f"{out}_floats"], to=TensorProto.FLOAT)
        yield helper.make_node("Mul", [f"{out}_floats", f"{left}_scale"], [f"{out}_rows"])
        yield helper.make_node("Mul", [f"{out}_rows", f"{right}_scales"], [out])

    def _replace(self, name: str, codes: npt.NDArray[np.int8], scales: npt.NDArray[np.float32]) -> None:
        self.added[f"{name}_codes"], self.added[f"{name}_scales"] = codes, scales
        self.replaced.add(name)


def _round_by(
    matrix: npt.NDArray[np.float32], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Quantize to codes from -127 to 127. Returns the codes and the scales, which keep `axis` as length 1."""
    scales = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), 1e-9).astype(np.float32) / 127.0
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)
