"""Export of a trained student: an ONNX graph with its weights in a separate file, the table as int8."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from models.student.artifact import Tensor
from models.training.student.student import Student

_ONNX_TYPES = {"int8": TensorProto.INT8, "float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}
_ALIGNMENT = 4096


def quantize(table: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Quantize a table to int8 with one scale per row: the row's largest magnitude divided by 127.

    Args:
        table: Table, shape [rows, dimensions].

    Returns:
        The int8 table, shape [rows, dimensions], and the scales, shape [rows]. The scale of a zero row is 0.
    """
    scales = np.abs(table).max(axis=1) / 127.0
    rounded = np.rint(table / np.maximum(scales, 1e-12)[:, None]).astype(np.int8)
    return rounded, scales.astype(np.float32)


def export(student: Student, folder: Path) -> list[Tensor]:
    """Write `student.bin` and `student.onnx` into `folder`.

    Returns:
        Name, type, shape and offset of each array in `student.bin`.
    """
    table, scales = quantize(student.table)
    arrays: dict[str, npt.NDArray[Any]] = {
        "table": table,
        "scales": scales,
        "weights": student.weights.astype(np.float16),
        "bias": student.bias,
        "hashes": student.hashes,
        "familiar": student.seen_ngrams,
    }
    tensors = _write_weights(arrays, folder / "student.bin")
    onnx.save_model(_model(student, tensors), str(folder / "student.onnx"))
    return tensors


def _write_weights(arrays: dict[str, npt.NDArray[Any]], path: Path) -> list[Tensor]:
    tensors, content = [], bytearray()
    for name, array in arrays.items():
        content.extend(b"\0" * (-len(content) % _ALIGNMENT))
        tensors.append(
            Tensor(name=name, dtype=str(array.dtype), shape=list(array.shape), offset=len(content))
        )
        content.extend(np.ascontiguousarray(array).tobytes())
    path.write_bytes(bytes(content))
    return tensors


def _external(tensor: Tensor) -> TensorProto:
    proto = TensorProto(
        name=tensor.name,
        data_type=_ONNX_TYPES[tensor.dtype],
        dims=tensor.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in (("location", "student.bin"), ("offset", tensor.offset), ("length", tensor.size)):
        proto.external_data.add(key=key, value=str(value))
    return proto


def _model(student: Student, tensors: list[Tensor]) -> onnx.ModelProto:
    dimensions, categories = student.weights.shape
    constants = {
        "zero": np.array(0, dtype=np.int32),
        "last": np.array([1], dtype=np.int64),
        "least": np.array(1e-6, dtype=np.float32),
        "shrinkage": np.array(student.shrinkage, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "rows"], ["codes"]),
        helper.make_node("Cast", ["codes"], ["vectors"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "rows"], ["row_scales"]),
        helper.make_node("Unsqueeze", ["row_scales", "last"], ["row_weights"]),
        # [texts, 1, longest] @ [texts, longest, dimensions] scales and sums in one product.
        helper.make_node("MatMul", ["row_weights", "vectors"], ["summed"]),
        helper.make_node("Squeeze", ["summed", "last"], ["sums"]),
        helper.make_node("Greater", ["rows", "zero"], ["is_known"]),
        helper.make_node("Cast", ["is_known"], ["known"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["known", "last"], ["count"], keepdims=1),
        helper.make_node("Add", ["count", "shrinkage"], ["divisor"]),
        helper.make_node("Div", ["sums", "divisor"], ["hidden"]),
        helper.make_node("Cast", ["weights"], ["matrix"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["hidden", "matrix", "bias"], ["logits"]),
        helper.make_node("ReduceL2", ["hidden", "last"], ["norm"], keepdims=1),
        helper.make_node("Max", ["norm", "least"], ["positive_norm"]),
        helper.make_node("Div", ["hidden", "positive_norm"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("rows", TensorProto.INT32, ["texts", "longest"])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", categories]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", dimensions]),
        ],
        [_external(tensor) for tensor in tensors if tensor.name not in ("hashes", "familiar")]
        + [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
