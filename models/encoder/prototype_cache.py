"""Keeps the prototypes of a category tree on disk, so that a large tree is not encoded at each start."""

import hashlib
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np

from models.encoder.prototypes import Encode, Prototypes, prototype_texts
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language


def prototypes_digest(taxonomy: Taxonomy, language: Language, encoder: str) -> str:
    """Sixteen hexadecimal digits that identify an encoder and the texts of a tree that it encodes.

    Args:
        taxonomy: The category tree.
        language: The language of the encoder.
        encoder: The encoder's version.
    """
    encoded = [(each.category, each.texts) for each in prototype_texts(taxonomy, language)]
    return hashlib.sha256(f"{encoder} {len(taxonomy)} {encoded}".encode()).hexdigest()[:16]


def cached_prototypes(
    taxonomy: Taxonomy, language: Language, encode: Encode, encoder: str, folder: Path | None
) -> Prototypes:
    """The tree's prototypes, read from `folder` or else encoded and written there.

    A damaged or unsuitable file is replaced. If the folder is not writable, each start encodes the tree.

    Args:
        taxonomy: The tree; at least one category has a name that the encoder reads.
        language: The language of the encoder.
        encode: The encoder.
        encoder: The encoder's version.
        folder: The cache directory, created if missing. None disables the cache.
    """
    if folder is None:
        return Prototypes.from_taxonomy(taxonomy, encode, language)
    path = folder / f"{taxonomy.version}-{prototypes_digest(taxonomy, language, encoder)}.npz"
    categories = np.array([each.category for each in prototype_texts(taxonomy, language)])
    with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(path) as arrays:
        # Reading verifies the checksums of the zip file.
        vectors = arrays["vectors"]
        if len(vectors) == len(categories) and vectors.dtype == np.float32 and np.isfinite(vectors).all():
            return Prototypes(vectors, categories, len(taxonomy))
    prototypes = Prototypes.from_taxonomy(taxonomy, encode, language)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        # Another worker may read the file meanwhile, so it gets its name only when it is complete.
        with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
            np.savez(part, vectors=prototypes.vectors)
        Path(part.name).replace(path)
    return prototypes
