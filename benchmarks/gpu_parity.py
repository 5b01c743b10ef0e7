"""Compares the classifier on a card with the int8 classifier of the processor, on real titles."""

from collections.abc import Sequence

import numpy as np

from benchmarks.gpu_titles import raw_titles
from models.arrays import Floats
from models.device.cascade.classifier import DeviceClassifier
from models.device.encoder.packing import TILE, pack, write_tiles
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.student.artifact import Artifact
from models.student.classifier import Classification, StudentClassifier
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean

_VECTORS = 512
"""The number of titles whose vectors are compared."""
_FLOAT32_TITLES = 1_000
"""The number of titles that are also classified in float32 on the processor, which is slow."""


def compare(
    artifact: Artifact, taxonomy: Taxonomy, encoders: Encoders | None, device: DeviceClassifier, count: int
) -> dict[str, float]:
    """Compare decisions and vectors; returns numbers by name.

    Args:
        artifact: The student.
        taxonomy: The student's category tree.
        encoders: The second stage on the processor.
        device: The classifier on the card.
        count: The number of the sample shop's titles, before duplicates are removed.
    """
    texts = list(dict.fromkeys(clean(title.rsplit(" ", 1)[0]) for title in raw_titles(0, count)))
    expected = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy, second=encoders).classify(texts)
    found = device.classify(texts)
    numbers = {"titles": float(len(texts))} | agreement("int8 on the processor", expected, found)
    exact = DeviceClassifier(artifact, taxonomy, encoders, device="cpu")
    numbers |= agreement(
        "float32 on the processor", exact.classify(texts[:_FLOAT32_TITLES]), found[:_FLOAT32_TITLES]
    )
    if encoders is not None and (stage := encoders.stages.get("en")) is not None:
        read = [text for text in texts if stage.reads(text)][:_VECTORS]
        vectors = _vectors(device, stage, read)
        numbers |= _similarity("int8 on the processor", stage.encode(read), vectors)
        numbers |= _similarity("float32 on the processor", _vectors(exact, stage, read), vectors)
    return {f"parity, {name}": value for name, value in numbers.items()}


def agreement(
    name: str, expected: Sequence[Classification], found: Sequence[Classification]
) -> dict[str, float]:
    """The agreement of two classifiers on the same texts, as fractions and differences by name."""
    pairs = [*zip(expected, found, strict=True)]
    sure = [(one, other) for one, other in pairs if one.sure and other.sure]
    gaps = [abs(one.confidence - other.confidence) for one, other in pairs]
    return {
        f"{name}: same category": float(np.mean([one.category == other.category for one, other in pairs])),
        f"{name}: same outcome": float(np.mean([one.sure == other.sure for one, other in pairs])),
        f"{name}: same category where both decide": float(
            np.mean([one.category == other.category for one, other in sure])
        ),
        f"{name}: confidence, mean difference": float(np.mean(gaps)),
        f"{name}: confidence, greatest difference": float(np.max(gaps)),
    }


def _similarity(name: str, expected: Floats, found: Floats) -> dict[str, float]:
    cosines = (expected * found).sum(axis=1)
    return {
        f"{name}: vectors, least cosine": float(cosines.min()),
        f"{name}: vectors, mean cosine": float(cosines.mean()),
        f"{name}: vectors, greatest difference": float(np.abs(expected - found).max()),
    }


def _vectors(device: DeviceClassifier, stage: EncoderStage, texts: Sequence[str]) -> Floats:
    """Unit vectors of texts, computed on the device."""
    import torch

    raw = [np.frombuffer(stage.tokenizer.packed(text), dtype="<i4") for text in texts]
    lengths = np.array([len(ids) for ids in raw], dtype=np.int32)
    packing = pack(lengths.tolist())
    tiles = np.zeros(packing.tiles * TILE, dtype=np.int32)
    write_tiles(packing, np.concatenate(raw), lengths, tiles)
    encoder = device.program.encoder(stage.language)
    with torch.inference_mode():
        on_device = torch.from_numpy(tiles).to(device.program.device)
        starts = torch.from_numpy(packing.starts).to(device.program.device)
        return np.asarray(encoder.vectors(on_device, starts).cpu().numpy(), dtype=np.float32)
