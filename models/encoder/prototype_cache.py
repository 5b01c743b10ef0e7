"""The points of a category tree on disk, so that a large tree is encoded once and not at each start."""

import hashlib
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np

from models.encoder.prototypes import Encode, Prototypes, points_of
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language


def points_digest(taxonomy: Taxonomy, language: Language, encoder: str) -> str:
    """Sixteen digits that name an encoder and all that it is shown of a tree."""
    shown = [(point.category, point.texts) for point in points_of(taxonomy, language)]
    return hashlib.sha256(f"{encoder} {len(taxonomy)} {shown}".encode()).hexdigest()[:16]


def cached_prototypes(
    taxonomy: Taxonomy, language: Language, encode: Encode, encoder: str, folder: Path | None
) -> Prototypes:
    """The tree's prototypes: read from `folder`, or encoded and put there.

    A file that is damaged, or does not fit, is made anew; where none can be written, each start encodes.

    Args:
        taxonomy: The tree; at least one category has a point.
        language: What the encoder reads.
        encode: The encoder.
        encoder: Its version.
        folder: Where the files are; made if missing. None: nowhere.
    """
    if folder is None:
        return Prototypes.of(taxonomy, encode, language)
    path = folder / f"{taxonomy.version}-{points_digest(taxonomy, language, encoder)}.npz"
    categories = np.array([point.category for point in points_of(taxonomy, language)])
    with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(path) as arrays:
        # Their zip file's checksums are verified as they are read.
        vectors = arrays["vectors"]
        if len(vectors) == len(categories) and vectors.dtype == np.float32 and np.isfinite(vectors).all():
            return Prototypes(vectors, categories, len(taxonomy))
    prototypes = Prototypes.of(taxonomy, encode, language)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another worker may read it meanwhile.
        with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
            np.savez(part, vectors=prototypes.vectors)
        Path(part.name).replace(path)
    return prototypes
