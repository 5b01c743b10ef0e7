"""The directory of a text encoder: manifest, graph, vocabulary and prototypes.

A directory of encoders holds one such directory per language, named by the language code.
"""

from pathlib import Path

import msgspec
import numpy as np

from models.arrays import Floats
from models.encoder.prototypes import Prototypes
from models.files.manifest_folder import MANIFEST as MANIFEST
from models.files.manifest_folder import ManifestFolder
from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language
from schemas.errors import StopWorker

SHIPPED_ENCODERS = PRETRAINED / "encoders"
FORMAT = 2
GRAPH, VOCABULARY, PROTOTYPES = "encoder.onnx", "vocabulary.txt", "prototypes.npz"
HALF_GRAPH, TORCH = "encoder-fp16.onnx", "torch"
"""Optional files for GPUs: the graph in half precision, and a Hugging Face folder."""


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How an encoder's cosines become probabilities; fitted on titles of shops.

    Attributes:
        student_weight: The exponent of the student's probabilities in the logarithmic opinion pool.
        sharpness: The factor that turns cosines into log probabilities in that pool.
        word: The temperature for single words, which say less than titles.
        alone: The temperature for titles that only the encoder classifies.
        none: The cosine of the answer "none of these" for such titles.
    """

    student_weight: float
    sharpness: float
    word: float
    alone: float
    none: float


class EncoderManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a text encoder.

    Attributes:
        format: The version of the directory's format.
        name: The name of the pretrained model.
        language: The language of the texts that it reads.
        taxonomy_version: The category tree of the prototypes.
        dimensions: The width of its vectors.
        scale: How its cosines become probabilities.
        files: SHA-256 by file name.
    """

    format: int
    name: str
    language: Language
    taxonomy_version: str
    dimensions: int
    scale: Scale
    files: dict[str, str]


_FOLDER = ManifestFolder(
    EncoderManifest, "encoder", FORMAT, "Export it again.", required=(GRAPH, PROTOTYPES, VOCABULARY)
)


def write_encoder_manifest(folder: Path, manifest: EncoderManifest) -> EncoderManifest:
    """Write the manifest with the digests of the folder's other files; returns it as written."""
    names = [GRAPH, PROTOTYPES, VOCABULARY, *(name for name in (HALF_GRAPH,) if (folder / name).exists())]
    names += sorted(f"{TORCH}/{path.name}" for path in (folder / TORCH).glob("*"))
    return _FOLDER.write(folder, manifest, names)


def read_encoder_manifest(folder: Path, taxonomy: Taxonomy) -> tuple[EncoderManifest, str]:
    """Verify a folder.

    Returns:
        The manifest, and the encoder's version: eight hexadecimal digits.

    Raises:
        StopWorker: The folder is missing, damaged, of another format, or for another category tree.
    """
    manifest = _FOLDER.read(folder)
    if manifest.taxonomy_version != taxonomy.version:
        raise StopWorker(
            f"The encoder {folder} is for the category tree {manifest.taxonomy_version}, "
            f"but {taxonomy.version} is in use: export it for this tree."
        )
    return manifest, _FOLDER.digest(folder)


def write_prototypes(folder: Path, prototypes: Prototypes) -> None:
    """Write prototypes as int8, each with its own scale: its greatest magnitude over 127."""
    scales = np.abs(prototypes.vectors).max(axis=1) / 127.0
    codes = np.rint(prototypes.vectors / scales[:, None]).astype(np.int8)
    np.savez(
        folder / PROTOTYPES,
        codes=codes,
        scales=scales.astype(np.float32),
        categories=prototypes.categories.astype(np.int32),
    )


def read_prototypes(folder: Path, categories: int | None = None) -> Prototypes:
    """Read the prototypes of a verified folder.

    Args:
        folder: The folder.
        categories: The number of the tree's categories; None if the last category has a prototype.
    """
    with np.load(folder / PROTOTYPES, allow_pickle=False) as arrays:
        vectors: Floats = arrays["codes"].astype(np.float32) * arrays["scales"][:, None]
        return Prototypes(vectors, arrays["categories"].astype(np.int64), categories)
