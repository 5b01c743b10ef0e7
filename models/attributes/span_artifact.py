"""A span tagger as a folder that proves what it is: manifest, weights and model card."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from models.attributes.span_features import SLOT_BITS
from models.files.manifest_folder import ManifestFolder
from models.shipped import PRETRAINED

SHIPPED_SPANS = PRETRAINED / "spans"
FORMAT = 1
WEIGHTS, CARD = "spans.npz", "MODEL_CARD.md"


class KindMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """How well spans of a kind are found in titles that nobody learnt from; a span must match exactly.

    Attributes:
        kind: The kind, or `all`.
        marked: Spans that people marked.
        precision: The share right of those found.
        recall: The share found of those marked.
        f1: The harmonic mean of both.
        baseline_f1: The same of a plain CRF trained on the same titles.
    """

    kind: str
    marked: int
    precision: float
    recall: float
    f1: float
    baseline_f1: float


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One set of labels, by the rules of those who marked.

    Attributes:
        name: Whose marks it learnt from.
        kinds: Names of the kinds; labels are outside, then a beginning and a continuation for each.
        confidences: By kind, ascending pairs of a least probability and the share right from there on.
        measurements: How well it does.
    """

    name: str
    kinds: list[str]
    confidences: dict[str, list[tuple[float, float]]]
    measurements: list[KindMeasurement]


class SpanManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a span tagger is.

    Attributes:
        format: The form of this folder.
        version: `spans-1-` and eight digits of the hash of the rest of the manifest.
        heads: Its sets of labels, in the order of the table's columns.
        gazetteers: How many gazetteers there are.
        titles: Titles by data set and split that it learnt from and was judged by.
        command: What made it.
        files: SHA-256 by file name.
    """

    format: int
    version: str
    heads: list[Head]
    gazetteers: int
    titles: dict[str, int]
    command: str
    files: dict[str, str]


_FOLDER = ManifestFolder(
    SpanManifest,
    "span tagger",
    FORMAT,
    "Train it again.",
    required=(WEIGHTS,),
    version_field="version",
    version_prefix="spans-1-",
)


@dataclass(frozen=True)
class SpanWeights:
    """The numbers of a span tagger.

    Attributes:
        slots: Shape [rows]: the slot of each feature.
        table: Shape [rows, labels of all heads], int8.
        scale: What one unit of the table is worth.
        transitions: By head, shape [labels, labels], float32.
        entries: Shape [entries]: the slot of each gazetteers' entry.
        masks: Shape [entries]: which gazetteers hold it, a bit each.
    """

    slots: npt.NDArray[np.uint32]
    table: npt.NDArray[np.int8]
    scale: float
    transitions: dict[str, npt.NDArray[np.float32]]
    entries: npt.NDArray[np.uint32]
    masks: npt.NDArray[np.uint16]

    def rows(self) -> npt.NDArray[np.int32]:
        """The row of each slot, shape [2 ** SLOT_BITS]; the last row for what is unknown, to be all zeros."""
        rows = np.full(1 << SLOT_BITS, len(self.slots), dtype=np.int32)
        rows[self.slots] = np.arange(len(self.slots), dtype=np.int32)
        return rows

    def gazetteer_masks(self) -> npt.NDArray[np.uint16]:
        """The gazetteers of each slot, shape [2 ** SLOT_BITS]."""
        masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
        masks[self.entries] = self.masks
        return masks


def write_spans(folder: Path, weights: SpanWeights, manifest: SpanManifest) -> SpanManifest:
    """Write the weights and their manifest, with the hash and named by its content."""
    np.savez_compressed(
        folder / WEIGHTS,
        slots=weights.slots,
        table=weights.table,
        scale=np.array(weights.scale, dtype=np.float64),
        transitions=np.concatenate([weights.transitions[head.name].ravel() for head in manifest.heads]),
        entries=weights.entries,
        masks=weights.masks,
    )
    return _FOLDER.write(folder, manifest, [WEIGHTS])


def read_spans(folder: Path) -> tuple[SpanManifest, SpanWeights]:
    """Verify a folder; returns what it says of itself, and its weights.

    Raises:
        StopWorker: It is missing, damaged, edited or of another format; says which.
    """
    manifest = _FOLDER.read(folder)
    with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
        weights = SpanWeights(
            arrays["slots"],
            arrays["table"],
            float(arrays["scale"]),
            _by_head(arrays["transitions"], manifest.heads),
            arrays["entries"],
            arrays["masks"],
        )
    return manifest, weights


def _by_head(values: npt.NDArray[np.float32], heads: list[Head]) -> dict[str, npt.NDArray[np.float32]]:
    """Transitions that lie one head after the other, each as a square."""
    widths = [1 + 2 * len(head.kinds) for head in heads]
    parts = np.split(values, np.cumsum([width**2 for width in widths])[:-1])
    return {
        head.name: part.reshape(width, width) for head, width, part in zip(heads, widths, parts, strict=True)
    }
