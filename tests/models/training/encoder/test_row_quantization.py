"""Quantized products are near the exact ones, and a row's result does not depend on other rows."""

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from models.training.encoder.row_quantization import quantize_rows

RANDOM = np.random.default_rng(5)
TABLE = RANDOM.normal(size=(1_000, 16)).astype(np.float32)
MATRIX = RANDOM.normal(size=(16, 8)).astype(np.float32)


def graph() -> onnx.ModelProto:
    """Rows of a table, and two products of them with constant matrices."""
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Gather", ["table", "ids"], ["rows"]),
                helper.make_node("MatMul", ["rows", "matrix"], ["out"]),
                helper.make_node("MatMul", ["rows", "other"], ["more"]),
            ],
            "rows",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "longest"])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", "longest", 8])
                for name in ("out", "more")
            ],
            [
                numpy_helper.from_array(TABLE, "table"),
                numpy_helper.from_array(MATRIX, "matrix"),
                numpy_helper.from_array(2.0 * MATRIX, "other"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )


PLAIN, QUANTIZED = graph(), quantize_rows(graph())
SESSION = ort.InferenceSession(QUANTIZED.SerializeToString(), providers=["CPUExecutionProvider"])


def run(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    out, more = SESSION.run(["out", "more"], {"ids": ids})
    return np.asarray(out), np.asarray(more)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 999), min_size=3, max_size=3), min_size=1, max_size=6))
def test_quantized_products_are_near_the_exact_ones_in_any_batch(rows: list[list[int]]) -> None:
    ids = np.array(rows, dtype=np.int64)
    out, more = run(ids)
    plain = TABLE[ids] @ MATRIX
    # Two roundings to 1/127 of the greatest value of a row or a column, over 16 terms.
    bound = 16 * 2 * np.abs(TABLE).max() * np.abs(MATRIX).max() / 127.0
    assert np.abs(out - plain).max() < bound
    assert np.allclose(more, 2.0 * out, rtol=1e-5, atol=1e-5)
    for number, row in enumerate(rows):
        assert np.array_equal(out[number], run(np.array([row], dtype=np.int64))[0][0])


def test_the_copy_is_rewritten_and_the_source_graph_is_not() -> None:
    kinds = [node.op_type for node in QUANTIZED.graph.node]
    assert kinds.count("MatMulInteger") == 2
    assert kinds.count("ReduceMax") == 1, "an activation is rounded once for all its products"
    assert "MatMul" not in kinds
    assert [node.op_type for node in PLAIN.graph.node] == ["Gather", "MatMul", "MatMul"]
    onnx.checker.check_model(QUANTIZED)
    assert QUANTIZED.ByteSize() < 0.4 * PLAIN.ByteSize()


def test_a_row_of_zeros_gives_zeros() -> None:
    empty = graph()
    table = TABLE.copy()
    table[0] = 0.0
    empty.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, "table"))
    session = ort.InferenceSession(
        quantize_rows(empty).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (out,) = session.run(["out"], {"ids": np.array([[0]], dtype=np.int64)})
    assert np.array_equal(out, np.zeros((1, 1, 8), dtype=np.float32))
