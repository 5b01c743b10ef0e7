"""A text encoder as a folder that proves what it is: manifest, graph, vocabulary and prototypes.

A folder of encoders holds one such folder for each language, named by its code.
"""

from pathlib import Path

import msgspec
import numpy as np

from models.arrays import Floats
from models.encoder.prototypes import Prototypes
from models.files.digests import sha256
from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language
from schemas.errors import StopWorker

SHIPPED_ENCODERS = PRETRAINED / "encoders"
FORMAT = 2
GRAPH, VOCABULARY, PROTOTYPES, MANIFEST = "encoder.onnx", "vocabulary.txt", "prototypes.npz", "manifest.json"
HALF_GRAPH, TORCH = "encoder-fp16.onnx", "torch"
"""What a folder may hold besides, for GPUs: the graph in half precision, and a Hugging Face folder."""


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """What cosines mean in an encoder's space, as found on titles of shops.

    Attributes:
        student_weight: The exponent of the student's probabilities in the joint opinion.
        sharpness: What cosines are multiplied by there, where they stand for log probabilities.
        word: The temperature at which single words are told apart; they say less than titles.
        alone: The temperature of titles where nobody else has an opinion.
        none: The cosine of "none of these" there.
    """

    student_weight: float
    sharpness: float
    word: float
    alone: float
    none: float


class EncoderManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder is.

    Attributes:
        format: The form of this folder.
        name: The pretrained model that it is.
        language: What it reads.
        taxonomy_version: The category tree whose prototypes these are.
        dimensions: The width of its vectors.
        scale: What cosines mean in its space.
        files: SHA-256 by file name.
    """

    format: int
    name: str
    language: Language
    taxonomy_version: str
    dimensions: int
    scale: Scale
    files: dict[str, str]


def write_encoder_manifest(folder: Path, manifest: EncoderManifest) -> EncoderManifest:
    """Hash the other files of the folder and write `manifest.json`."""
    names = [GRAPH, PROTOTYPES, VOCABULARY, *(name for name in (HALF_GRAPH,) if (folder / name).exists())]
    names += sorted(f"{TORCH}/{path.name}" for path in (folder / TORCH).glob("*"))
    files = {name: sha256((folder / name).read_bytes()) for name in names}
    manifest = msgspec.structs.replace(manifest, files=files)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return manifest


def read_encoder_manifest(folder: Path, taxonomy: Taxonomy) -> tuple[EncoderManifest, str]:
    """Verify a folder; returns its manifest and the eight digits that name it.

    Raises:
        StopWorker: It is missing, damaged, of another format, or for another category tree.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = msgspec.json.decode(raw, type=EncoderManifest)
        names = dict.fromkeys((GRAPH, PROTOTYPES, VOCABULARY, *manifest.files))
        found = {name: sha256((folder / name).read_bytes()) for name in names}
    except OSError as error:
        raise StopWorker(f"Cannot read the encoder's {error.filename}: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise StopWorker(f"{folder / MANIFEST} is not an encoder's manifest: {error}.") from error
    if manifest.format != FORMAT:
        raise StopWorker(
            f"The encoder {folder} has format {manifest.format}; this program reads {FORMAT}: export it "
            "again."
        )
    for name, digest in found.items():
        if manifest.files.get(name) != digest:
            raise StopWorker(f"{folder / name} is not the file that its manifest names: restore the encoder.")
    if manifest.taxonomy_version != taxonomy.version:
        raise StopWorker(
            f"The encoder {folder} is for the category tree {manifest.taxonomy_version}, "
            f"but {taxonomy.version} is in use: export it for this tree."
        )
    return manifest, sha256(raw)[:8]


def write_prototypes(folder: Path, prototypes: Prototypes) -> None:
    """Write the points, each rounded to int8 by its own scale, its greatest magnitude over 127."""
    scales = np.abs(prototypes.vectors).max(axis=1) / 127.0
    codes = np.rint(prototypes.vectors / scales[:, None]).astype(np.int8)
    np.savez(
        folder / PROTOTYPES,
        codes=codes,
        scales=scales.astype(np.float32),
        categories=prototypes.categories.astype(np.int32),
    )


def read_prototypes(folder: Path, categories: int | None = None) -> Prototypes:
    """The points of a verified folder.

    Args:
        folder: The folder.
        categories: How many the tree has; None where the last one has a point.
    """
    with np.load(folder / PROTOTYPES, allow_pickle=False) as arrays:
        vectors: Floats = arrays["codes"].astype(np.float32) * arrays["scales"][:, None]
        return Prototypes(vectors, arrays["categories"].astype(np.int64), categories)
