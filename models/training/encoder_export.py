"""Writes a pretrained encoder as an int8 ONNX graph, with its vocabulary and the categories' prototypes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from models.encoder_artifact import (
    FORMAT,
    GRAPH,
    VOCABULARY,
    EncoderManifest,
    write_encoder_manifest,
    write_prototypes,
)
from models.prototypes import Prototypes
from models.taxonomy import Taxonomy
from models.training.teacher import Teacher, load_model

TEMPERATURE = 0.03
"""What cosines of titles are divided by: the best of 0.02, 0.03 and 0.04 on titles of shops."""


def export_encoder(teacher: Teacher, source: str | None, folder: Path, taxonomy: Taxonomy) -> EncoderManifest:
    """Write the folder that `EncoderStage.load` reads.

    Args:
        teacher: The encoder, whose full-precision vectors become the prototypes.
        source: Its Hugging Face name or folder; None is the packaged one.
        folder: Where it goes; made if missing.
        taxonomy: Whose categories get prototypes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, model = load_model(source)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    (folder / VOCABULARY).write_text("".join(f"{token}\n" for token, _ in vocabulary), encoding="utf-8")
    _write_graph(tokenizer, model, folder / GRAPH)
    write_prototypes(folder, Prototypes.of(taxonomy, teacher.encode))
    return write_encoder_manifest(
        folder,
        EncoderManifest(
            format=FORMAT,
            name=teacher.name,
            taxonomy_version=taxonomy.version,
            dimensions=int(model.config.hidden_size),
            temperature=TEMPERATURE,
            files={},
        ),
    )


def _write_graph(tokenizer: object, model: object, path: Path) -> None:
    import onnx
    import torch

    from models.training.row_quantization import quantize_rows
    from models.training.teacher import pooled

    class Graph(torch.nn.Module):  # type: ignore[misc]
        """The encoder with its pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return pooled(self.model, {"input_ids": ids, "attention_mask": mask})

    batch = tokenizer(["a red shoe", "a mug"], padding=True, return_tensors="pt")  # type: ignore[operator]
    texts, longest = {0: "texts"}, {0: "texts", 1: "longest"}
    with TemporaryDirectory() as scratch:
        full = Path(scratch) / GRAPH
        torch.onnx.export(
            Graph(),
            (batch["input_ids"], batch["attention_mask"]),
            str(full),
            input_names=["ids", "mask"],
            output_names=["vectors"],
            dynamic_axes={"ids": longest, "mask": longest, "vectors": texts},
            opset_version=17,
            dynamo=False,
        )
        onnx.save(quantize_rows(onnx.load(full)), path)
