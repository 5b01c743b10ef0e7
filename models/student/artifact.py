"""A trained model as a folder that proves what it is: manifest, graph, weights, brand names and model card.

`manifest.json` carries the SHA-256 of each other file, and the model's version carries that of the manifest,
so a truncated, mixed-up or edited folder is refused when it is loaded, with the reason.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.files.digests import sha256
from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

SHIPPED = PRETRAINED / "student"
MANIFEST = "manifest.json"
FORMAT = 2
_FILES = {"student.bin", "student.onnx", "brands.tsv"}
_TENSORS = {"table", "scales", "weights", "bias", "hashes", "familiar"}
_DTYPES = {"int8": "<i1", "float16": "<f2", "float32": "<f4", "uint32": "<u4"}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """Where an array lies in the weights file: raw, little-endian, row-major."""

    name: str
    dtype: str
    shape: list[int]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape)) * np.dtype(_DTYPES[self.dtype]).itemsize


class TrainingData(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that the model learnt from, and how many texts of it were used for what."""

    name: str
    train: int
    calibration: int
    test: int


class Measurement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How well the model did on texts that it did not learn from.

    Attributes:
        name: What was measured, such as `flipkart title`.
        texts: How many.
        accuracy: The share right at level 1, 2 and 3, of the texts whose label goes that deep.
        calibration_error: Expected calibration error of the level-1 confidence, 15 bins.
        published: The share for which the model decided.
        precision: The share right of those.
        cascade: Whether the second stage judged too.
    """

    name: str
    texts: int
    accuracy: list[float]
    calibration_error: float
    published: float
    precision: float
    cascade: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is.

    Attributes:
        format: The form of this folder.
        model_version: `student-1-` and eight digits of the hash of the rest of the manifest.
        taxonomy_version: The category tree that `labels` are of.
        labels: Category ids, in the order of the logits.
        inputs: The graph's inputs: name to type and shape.
        outputs: The graph's outputs: name to type and shape.
        shrinkage: Added to the number of features that the sum is divided by.
        temperature: What logits are divided by before the softmax.
        thresholds: The least probability at which a category of level 1, 2, … is published.
        brand_precision: The measured precision of brands found in titles.
        files: SHA-256 by file name.
        tensors: The arrays in the weights file.
        training_data: What the model learnt from.
        measurements: How well it did.
        command: What made it.
        teacher: Whose knowledge of words the student got besides; empty where nobody's.
        alone: True where a second stage would do harm; there is none then.
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


class Artifact:
    """A verified model folder.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def load(cls, path: Path | None, taxonomy: Taxonomy) -> "Artifact":
        """Read and verify a model folder; None is the shipped one.

        Raises:
            StopWorker: It is missing, damaged, edited, of another format, or for another category tree.
        """
        path = SHIPPED if path is None else path
        manifest = _read_manifest(path)
        for name, expected in manifest.files.items():
            if sha256(_read(path / name)) != expected:
                raise StopWorker(f"{path / name} is not the file that its manifest names: restore the model.")
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
        """An array of the weights file."""
        spec = next(tensor for tensor in self.manifest.tensors if tensor.name == name)
        raw = (self.path / "student.bin").read_bytes()[spec.offset : spec.offset + spec.size]
        return np.frombuffer(raw, dtype=_DTYPES[spec.dtype]).reshape(spec.shape)


def version_of(manifest: Manifest) -> str:
    """The model version that belongs to a manifest's other fields."""
    unnamed = msgspec.structs.replace(manifest, model_version="")
    return f"student-1-{sha256(msgspec.json.encode(unnamed))[:8]}"


def write_manifest(path: Path, manifest: Manifest, files: list[str]) -> Manifest:
    """Hash `files` of the folder `path`, name the model by its content, and write `manifest.json`."""
    hashes = {name: sha256((path / name).read_bytes()) for name in sorted(files)}
    manifest = msgspec.structs.replace(manifest, files=hashes)
    manifest = msgspec.structs.replace(manifest, model_version=version_of(manifest))
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (path / MANIFEST).write_bytes(text + b"\n")
    return manifest


def _read_manifest(path: Path) -> Manifest:
    raw = _read(path / MANIFEST)
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise StopWorker(f"{path / MANIFEST} is not a manifest: {error}. Restore the model.") from error
    if manifest.format != FORMAT:
        raise StopWorker(
            f"The model {path} has format {manifest.format}; this program reads {FORMAT}. Train it again."
        )
    if manifest.model_version != version_of(manifest):
        raise StopWorker(
            f"{path / MANIFEST} was edited: its content is not {manifest.model_version}. Restore it."
        )
    return manifest


def _check_content(path: Path, manifest: Manifest) -> None:
    """Refuse what a consistent manifest says that no model can be."""
    shapes = {tensor.name: tensor.shape for tensor in manifest.tensors}
    lacking = [*sorted(_FILES - manifest.files.keys()), *sorted(_TENSORS - shapes.keys())]
    if lacking:
        raise StopWorker(f"The model {path} lacks {', '.join(lacking)}: train it again.")
    rows, dimensions = [*shapes["table"], 0, 0][:2]
    wanted = {
        "scales": [rows],
        "weights": [dimensions, len(manifest.labels)],
        "bias": [len(manifest.labels)],
        "hashes": [rows - 1],
    }
    for name, shape in wanted.items():
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StopWorker(
            f"Cannot read the model's {path}: {error.strerror}. Give a trained folder."
        ) from error
