"""The artifact of a span tagger: a directory with manifest, weights and model card."""

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
    """Exact-match metrics of a kind of span, on titles that were not used for training.

    Attributes:
        kind: The kind, or `all`.
        marked: The number of spans that people marked.
        precision: Correct spans divided by found spans.
        recall: Correct spans divided by marked spans.
        f1: The harmonic mean of precision and recall.
        baseline_f1: The F1 of a plain CRF that was trained on the same titles.
    """

    kind: str
    marked: int
    precision: float
    recall: float
    f1: float
    baseline_f1: float


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One label set, which follows the annotation rules of one data set.

    Attributes:
        name: The data set that it was trained on.
        kinds: Names of the kinds. The labels are outside, then a beginning and a continuation for each kind.
        confidences: The calibration of each kind: ascending pairs of a minimum probability and the precision
            of spans from this probability on.
        measurements: The metrics of each kind.
    """

    name: str
    kinds: list[str]
    confidences: dict[str, list[tuple[float, float]]]
    measurements: list[KindMeasurement]


class SpanManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a span tagger.

    Attributes:
        format: The version of the artifact format.
        version: `spans-1-` and eight hexadecimal digits of the hash of the rest of the manifest.
        heads: The label sets, in the order of the table's columns.
        gazetteers: The number of gazetteers.
        titles: The number of titles by data set and split.
        command: The command that created the artifact.
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
    """The weights of a span tagger.

    Attributes:
        slots: The hash slot of each feature, uint32, shape [rows].
        table: Quantized label scores of each feature, int8, shape [rows, labels of all heads].
        scale: The score of one unit of the table.
        transitions: Scores from one label to the next, by head, float32, shape [labels, labels].
        entries: The hash slot of each gazetteer entry, uint32, shape [entries].
        masks: The gazetteers that contain each entry, one bit each, uint16, shape [entries].
    """

    slots: npt.NDArray[np.uint32]
    table: npt.NDArray[np.int8]
    scale: float
    transitions: dict[str, npt.NDArray[np.float32]]
    entries: npt.NDArray[np.uint32]
    masks: npt.NDArray[np.uint16]

    def rows(self) -> npt.NDArray[np.int32]:
        """Return the row of each slot, shape [2 ** SLOT_BITS]. Unknown slots get one row more, of zeros."""
        rows = np.full(1 << SLOT_BITS, len(self.slots), dtype=np.int32)
        rows[self.slots] = np.arange(len(self.slots), dtype=np.int32)
        return rows

    def gazetteer_masks(self) -> npt.NDArray[np.uint16]:
        """Return the gazetteer bits of each slot, shape [2 ** SLOT_BITS]."""
        masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
        masks[self.entries] = self.masks
        return masks


def write_spans(folder: Path, weights: SpanWeights, manifest: SpanManifest) -> SpanManifest:
    """Write the weights and the manifest.

    Args:
        folder: An existing directory.
        weights: The weights.
        manifest: The manifest; its `version` and `files` are replaced.

    Returns:
        The written manifest.
    """
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
    """Verify and load a span tagger.

    Args:
        folder: The directory of the artifact.

    Returns:
        The manifest and the weights.

    Raises:
        StopWorker: The artifact is missing, damaged, edited or of another format; the message says which.
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
    """Split concatenated transitions into the matrix of each head."""
    widths = [1 + 2 * len(head.kinds) for head in heads]
    parts = np.split(values, np.cumsum([width**2 for width in widths])[:-1])
    return {
        head.name: part.reshape(width, width) for head, width, part in zip(heads, widths, parts, strict=True)
    }
