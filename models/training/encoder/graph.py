"""Export of a Hugging Face encoder with its pooling as an ONNX graph from `ids` and `mask` to `vectors`."""

from pathlib import Path
from typing import Any


def write_full_graph(tokenizer: Any, model: Any, path: Path) -> None:
    """Write the graph in full precision.

    Args:
        tokenizer: Tokenizer of the encoder.
        model: Encoder with eager attention.
        path: File to write the graph to.
    """
    import torch

    from models.training.encoder.hub import pooled

    class Graph(torch.nn.Module):  # type: ignore[misc]
        """The encoder with its pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return pooled(self.model, {"input_ids": ids, "attention_mask": mask})

    batch = tokenizer(["a red shoe", "a mug"], padding=True, return_tensors="pt")
    texts, longest = {0: "texts"}, {0: "texts", 1: "longest"}
    torch.onnx.export(
        Graph(),
        (batch["input_ids"], batch["attention_mask"]),
        str(path),
        input_names=["ids", "mask"],
        output_names=["vectors"],
        dynamic_axes={"ids": longest, "mask": longest, "vectors": texts},
        opset_version=17,
        dynamo=False,
    )
