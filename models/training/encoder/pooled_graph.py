"""Converts an encoder's published ONNX graph to the served one, from `ids` and `mask` to `vectors`.

Published graphs output a vector per token and have an input for token types, which are 0 for single texts.
"""

from collections.abc import Iterator
from typing import Literal

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, version_converter

Pooling = Literal["first", "mean"]
"""How the token vectors are pooled: `first` takes the first token's vector, `mean` the mean of all."""
OPSET = 17
_RENAMED = {"input_ids": "ids", "attention_mask": "mask"}
_TYPES, _STATES = "token_type_ids", "last_hidden_state"


def with_pooling(model: ModelProto, pooling: Pooling) -> ModelProto:
    """Add pooling and normalization to a copy of a BERT graph.

    Args:
        model: Graph with inputs `input_ids`, `attention_mask` and `token_type_ids`, each of shape
            [texts, longest], and output `last_hidden_state`, shape [texts, longest, dimensions].
        pooling: How the token vectors are pooled.

    Returns:
        Graph with inputs `ids` and `mask` and output `vectors`, unit vectors of shape [texts, dimensions].
    """
    pooled = version_converter.convert_version(model, OPSET)
    graph = pooled.graph
    for node in graph.node:
        node.input[:] = [_RENAMED.get(name, name) for name in node.input]
    shape = ["texts", "longest"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "mask")]
    dimensions = graph.output[0].type.tensor_type.shape.dim[2].dim_value or None
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.append(helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", dimensions]))
    nodes = [helper.make_node("Sub", ["ids", "ids"], [_TYPES]), *graph.node, *_pool(graph, pooling)]
    del graph.node[:]
    graph.node.extend(nodes)
    return pooled


def _pool(graph: GraphProto, pooling: Pooling) -> Iterator[NodeProto]:
    if pooling == "first":
        graph.initializer.append(helper.make_tensor("first_token", TensorProto.INT64, [], [0]))
        yield helper.make_node("Gather", [_STATES, "first_token"], ["pooled"], axis=1)
    else:
        # The sum needs no division: the vector is normalized anyway.
        graph.initializer.append(helper.make_tensor("last_axis", TensorProto.INT64, [1], [-1]))
        graph.initializer.append(helper.make_tensor("token_axis", TensorProto.INT64, [1], [1]))
        yield helper.make_node("Cast", ["mask"], ["mask_floats"], to=TensorProto.FLOAT)
        yield helper.make_node("Unsqueeze", ["mask_floats", "last_axis"], ["mask_column"])
        yield helper.make_node("Mul", [_STATES, "mask_column"], ["masked_states"])
        yield helper.make_node("ReduceSum", ["masked_states", "token_axis"], ["pooled"], keepdims=0)
    yield helper.make_node("LpNormalization", ["pooled"], ["vectors"], axis=-1, p=2)
