"""The directory of a trained student: manifest, graph, weights, brand names and model card.

`manifest.json` has the SHA-256 of each other file, and the model's version is derived from the manifest. A
truncated, mixed-up or edited directory is therefore refused when it is loaded.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.files.manifest_folder import MANIFEST as MANIFEST
from models.files.manifest_folder import ManifestFolder
from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

SHIPPED = PRETRAINED / "student"
FORMAT = 2
_FILES = ("brands.tsv", "student.bin", "student.onnx")
_TENSORS = {"table", "scales", "weights", "bias", "hashes", "familiar"}
_DTYPES = {"int8": "<i1", "float16": "<f2", "float32": "<f4", "uint32": "<u4"}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """The place of an array in the weights file, where it is raw, little-endian and row-major.

    Attributes:
        name: The array's name.
        dtype: One of `int8`, `float16`, `float32` and `uint32`.
        shape: The array's shape.
        offset: The first byte in the file.
    """

    name: str
    dtype: str
    shape: list[int]
    offset: int

    @property
    def size(self) -> int:
        """The array's length in bytes."""
        return int(np.prod(self.shape)) * np.dtype(_DTYPES[self.dtype]).itemsize


class TrainingData(msgspec.Struct, frozen=True, kw_only=True):
    """A data set of the training.

    Attributes:
        name: The data set's name.
        train: Texts that the model was trained on.
        calibration: Texts that temperature and thresholds were fitted on.
        test: Texts that the model was evaluated on.
    """

    name: str
    train: int
    calibration: int
    test: int


class Measurement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The quality of the model on texts that it was not trained on.

    Attributes:
        name: The evaluation set, such as `flipkart title`.
        texts: The number of texts.
        accuracy: Accuracy at level 1, 2 and 3, on the texts whose label goes that deep.
        calibration_error: Expected calibration error of the level-1 confidence, with 15 bins.
        published: The share of the texts for which the model decided.
        precision: The share of those decisions that are right.
        cascade: Whether the second stage took part.
    """

    name: str
    texts: int
    accuracy: list[float]
    calibration_error: float
    published: float
    precision: float
    cascade: bool = False


class ThresholdChoice(msgspec.Struct, frozen=True, kw_only=True):
    """How the threshold of a level was chosen on calibration titles.

    Attributes:
        level: The level, from 1.
        threshold: The threshold; 1.0 if none reaches the target.
        titles: The number of calibration titles whose most probable path is that deep.
        reached: Whether the lower bound of the precision reaches the target.
        published: The share of the titles from the threshold on; without one, from the one with the greatest
            bound on.
        precision: The share of those that are right.
        bound: The lower bound of the precision.
    """

    level: int
    threshold: float
    titles: int
    reached: bool
    published: float = 0.0
    precision: float = 0.0
    bound: float = 0.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a student.

    Attributes:
        format: The version of the directory's format.
        model_version: `student-1-` and eight digits of the SHA-256 of the rest of the manifest.
        taxonomy_version: The category tree of `labels`.
        labels: Category ids, in the order of the logits.
        inputs: The graph's inputs: name to type and shape.
        outputs: The graph's outputs: name to type and shape.
        shrinkage: Added to the number of features by which their sum is divided.
        temperature: The divisor of the logits before the softmax.
        thresholds: The least probability at which a category of level 1, 2, … is published.
        brand_precision: The measured precision of brands found in titles.
        files: SHA-256 by file name.
        tensors: The arrays in the weights file.
        training_data: The data sets of the training.
        measurements: The quality on held-out texts.
        command: The command that trained the model.
        teacher: The version of the encoders that the student was distilled from; empty if there are none.
        alone: True if a second stage would make the model worse; none is used then.
        target_precision: The precision that the thresholds should reach, if it was chosen with a bound.
        threshold_choices: How the thresholds were chosen, level by level, if it was with a bound.
    """

    format: int
    model_version: str
    taxonomy_version: str
    labels: list[int]
    inputs: dict[str, str]
    outputs: dict[str, str]
    shrinkage: float
    temperature: float
    thresholds: list[float]
    brand_precision: float
    files: dict[str, str]
    tensors: list[Tensor]
    training_data: list[TrainingData]
    measurements: list[Measurement]
    command: str
    teacher: str = ""
    alone: bool | msgspec.UnsetType = msgspec.UNSET
    target_precision: float | msgspec.UnsetType = msgspec.UNSET
    threshold_choices: list[ThresholdChoice] | msgspec.UnsetType = msgspec.UNSET


_FOLDER = ManifestFolder(
    Manifest,
    "model",
    FORMAT,
    "Train it again.",
    required=_FILES,
    version_field="model_version",
    version_prefix="student-1-",
)


class Artifact:
    """The verified directory of a student.

    Attributes:
        path: The directory.
        manifest: Its manifest.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def load(cls, path: Path | None, taxonomy: Taxonomy) -> "Artifact":
        """Read and verify a model's directory.

        Args:
            path: The directory; None is the shipped model.
            taxonomy: The category tree that the model must be for.

        Raises:
            StopWorker: The directory is missing, damaged, edited, of another format, or for another tree.
        """
        path = SHIPPED if path is None else path
        manifest = _FOLDER.read(path)
        if manifest.taxonomy_version != taxonomy.version:
            raise StopWorker(
                f"The model {path} is for the category tree {manifest.taxonomy_version}, "
                f"but {taxonomy.version} is in use: use the model's tree, or train for this one."
            )
        if manifest.labels != [node.id for node in taxonomy.nodes]:
            raise StopWorker(
                f"The model {path} has other labels than {taxonomy.version}: train it for this tree."
            )
        _check_tensors(path, manifest)
        _check_content(path, manifest)
        return cls(path, manifest)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """Read an array of the weights file, in its shape."""
        spec = next(tensor for tensor in self.manifest.tensors if tensor.name == name)
        raw = (self.path / "student.bin").read_bytes()[spec.offset : spec.offset + spec.size]
        return np.frombuffer(raw, dtype=_DTYPES[spec.dtype]).reshape(spec.shape)


def version_of(manifest: Manifest) -> str:
    """The model version that follows from a manifest's other fields."""
    return _FOLDER.version_of(manifest)


def write_manifest(path: Path, manifest: Manifest, files: list[str]) -> Manifest:
    """Write `manifest.json` into the directory `path`.

    Args:
        path: The directory.
        manifest: The manifest; its digests and its version are replaced.
        files: The names of the files to list.

    Returns:
        The manifest as written.
    """
    return _FOLDER.write(path, manifest, sorted(files))


def _check_content(path: Path, manifest: Manifest) -> None:
    """Refuse a manifest that is consistent with the files but describes no possible model."""
    shapes = {tensor.name: tensor.shape for tensor in manifest.tensors}
    missing = sorted(_TENSORS - shapes.keys())
    if missing:
        raise StopWorker(f"The model {path} lacks {', '.join(missing)}. Train it again.")
    rows, dimensions = [*shapes["table"], 0, 0][:2]
    expected = {
        "scales": [rows],
        "weights": [dimensions, len(manifest.labels)],
        "bias": [len(manifest.labels)],
        "hashes": [rows - 1],
    }
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise StopWorker(
                f"The model {path} has {name} of shape {shapes[name]} where {shape} would fit: train again."
            )
    levels = manifest.thresholds
    if not levels or not all(0.0 <= level <= 1.0 for level in levels) or not manifest.temperature > 0.0:
        raise StopWorker(
            f"The model {path} has temperature {manifest.temperature} and thresholds {levels}: train again."
        )


def _check_tensors(path: Path, manifest: Manifest) -> None:
    available = (path / "student.bin").stat().st_size
    for tensor in manifest.tensors:
        if tensor.dtype not in _DTYPES or tensor.offset + tensor.size > available:
            raise StopWorker(
                f"The model {path} names {tensor.name}, which student.bin does not hold: restore it."
            )
