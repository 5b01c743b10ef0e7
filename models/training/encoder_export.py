"""Writes a pretrained encoder as an int8 ONNX graph, with its vocabulary and the categories' prototypes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.encoder_artifact import (
    FORMAT,
    GRAPH,
    HALF_GRAPH,
    TORCH,
    VOCABULARY,
    EncoderManifest,
    write_encoder_manifest,
    write_prototypes,
)
from models.prototypes import Prototypes
from models.taxonomy import Taxonomy
from models.training.encoder_graph import write_full_graph, write_half_graph
from models.training.teacher import Teacher, load_model

TEMPERATURE = 0.03
"""What cosines of titles are divided by: the best of 0.02, 0.03 and 0.04 on titles of shops."""


def export_encoder(
    teacher: Teacher, source: str | None, folder: Path, taxonomy: Taxonomy, *, for_gpu: bool = False
) -> EncoderManifest:
    """Write the folder that `EncoderStage.load` reads.

    Args:
        teacher: The encoder, whose full-precision vectors become the prototypes.
        source: Its Hugging Face name or folder; None is the packaged one.
        folder: Where it goes; made if missing.
        taxonomy: Whose categories get prototypes.
        for_gpu: Whether it also gets what GPUs run: a graph in half precision, and a Hugging Face folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, model = load_model(source)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    (folder / VOCABULARY).write_text("".join(f"{token}\n" for token, _ in vocabulary), encoding="utf-8")
    _write_graph(tokenizer, model, folder / GRAPH)
    if for_gpu:
        write_half_graph(tokenizer, model, folder / HALF_GRAPH)
        model.save_pretrained(folder / TORCH)
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


def _write_graph(tokenizer: Any, model: Any, path: Path) -> None:
    import onnx

    from models.training.row_quantization import quantize_rows

    with TemporaryDirectory() as scratch:
        full = Path(scratch) / GRAPH
        write_full_graph(tokenizer, model, full)
        onnx.save(quantize_rows(onnx.load(full)), path)
