"""Export of a pretrained text encoder to the served form: int8 graph, vocabulary and prototypes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

from models.arrays import Floats
from models.encoder.artifact import (
    FORMAT,
    GRAPH,
    HALF_GRAPH,
    TORCH,
    VOCABULARY,
    EncoderManifest,
    Scale,
    write_encoder_manifest,
    write_prototypes,
)
from models.encoder.encoder import LONGEST, encode_texts
from models.encoder.onnx_backend import EncoderBackend
from models.encoder.prototypes import Prototypes
from models.encoder.wordpiece import WordPiece
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language
from models.training.encoder.published import PUBLISHED, download
from models.training.progress import ProgressCallback

HUB_SCALE = Scale(student_weight=0.4, sharpness=20.0, word=0.05, alone=0.036, none=0.45)
"""Scale of encoders with mean pooling, tuned for all-MiniLM-L6-v2."""
_TEXTS = 512


@dataclass(frozen=True)
class Request:
    """The encoder to export.

    Attributes:
        language: Language that it reads.
        source: Hugging Face name or folder of a BERT-like encoder with mean pooling; None for the shipped
            encoder of the language.
        for_gpu: Whether to write the files for GPUs too: a graph in half precision and, for a source, its
            Hugging Face folder for torch.
    """

    language: Language
    source: str | None = None
    for_gpu: bool = False


def export_encoder(
    request: Request, folder: Path, taxonomy: Taxonomy, cache: Path, progress: ProgressCallback
) -> EncoderManifest:
    """Write the folder that `EncoderStage.load` reads.

    Args:
        request: Encoder to export.
        folder: Folder to write to. It is created if it is missing.
        taxonomy: Category tree that the prototypes are for. They are computed in full precision.
        cache: Folder that keeps the downloaded archive of a published encoder.
        progress: Called during the download and the computation of prototypes.

    Returns:
        The manifest of the encoder.

    Raises:
        StopWorker: The encoder cannot be loaded or downloaded, or no category has a name in its language.
    """
    import onnx

    from models.training.encoder.row_quantization import quantize_rows

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        full = Path(scratch) / GRAPH
        if request.source is None:
            name, scale = _published(request.language, folder, full, cache, progress)
        else:
            name, scale = _from_hub(request, folder, full)
        onnx.save(quantize_rows(onnx.load(full)), folder / GRAPH)
        if request.for_gpu:
            _write_half_graph(full, folder / HALF_GRAPH)
        prototypes = _prototypes(folder / VOCABULARY, full, taxonomy, request.language, progress)
    write_prototypes(folder, prototypes)
    return write_encoder_manifest(
        folder,
        EncoderManifest(
            format=FORMAT,
            name=name,
            language=request.language,
            taxonomy_version=taxonomy.version,
            dimensions=prototypes.vectors.shape[1],
            scale=scale,
            files={},
        ),
    )


def _published(
    language: Language, folder: Path, full: Path, cache: Path, progress: ProgressCallback
) -> tuple[str, Scale]:
    import onnx

    from models.training.encoder.pooled_graph import with_pooling

    published = PUBLISHED[language]
    graph, tokenizer = download(published, cache, partial(progress, "Downloading"))
    onnx.save(with_pooling(onnx.load(graph), published.pooling), full)
    _write_vocabulary(orjson.loads(tokenizer.read_bytes())["model"]["vocab"], folder)
    return published.name, published.scale


def _from_hub(request: Request, folder: Path, full: Path) -> tuple[str, Scale]:
    from models.training.encoder.graph import write_full_graph
    from models.training.encoder.hub import load_model

    tokenizer, model = load_model(request.source)
    write_full_graph(tokenizer, model, full)
    _write_vocabulary(tokenizer.get_vocab(), folder)
    if request.for_gpu:
        model.save_pretrained(folder / TORCH)
    return Path(str(request.source)).name, HUB_SCALE


def _write_vocabulary(numbers: dict[str, int], folder: Path) -> None:
    tokens = sorted(numbers.items(), key=lambda entry: entry[1])
    (folder / VOCABULARY).write_text("".join(f"{token}\n" for token, _ in tokens), encoding="utf-8")


def _write_half_graph(full: Path, path: Path) -> None:
    """Write the graph in half precision, for GPUs. The types of inputs and outputs do not change."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half: Any = convert_float_to_float16(onnx.load(full), keep_io_types=True)
    onnx.save(half, path)


def _prototypes(
    vocabulary: Path, full: Path, taxonomy: Taxonomy, language: Language, progress: ProgressCallback
) -> Prototypes:
    """Compute the prototypes of a taxonomy with the graph in full precision."""
    tokenizer, backend = WordPiece(vocabulary, LONGEST), EncoderBackend(full, threads=2)
    dimensions = backend.run(*tokenizer.batch([""])).shape[1]

    def encode(texts: Sequence[str]) -> Floats:
        parts = []
        for start in range(0, len(texts), _TEXTS):
            parts.append(encode_texts(texts[start : start + _TEXTS], tokenizer, backend, dimensions))
            progress("Encoding names", min(start + _TEXTS, len(texts)), len(texts))
        return np.concatenate(parts)

    return Prototypes.from_taxonomy(taxonomy, encode, language)
