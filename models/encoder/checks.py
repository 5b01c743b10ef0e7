"""Checks at load time that the files of a text encoder fit each other.

Digests prove that the files are those of the manifest. They do not prove that these belong together.
"""

from pathlib import Path

import numpy as np

from models.encoder.artifact import EncoderManifest
from models.encoder.backend import TextEncoder
from models.encoder.prototypes import Prototypes, prototype_texts
from models.encoder.wordpiece import WordPiece
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

_TEXT = "a ceramic mug"


def check_encoder(
    folder: Path,
    manifest: EncoderManifest,
    prototypes: Prototypes,
    backend: TextEncoder,
    tokenizer: WordPiece,
    taxonomy: Taxonomy,
) -> None:
    """Compare an encoder's prototypes with its tree and its graph, and encode one text.

    Raises:
        StopWorker: The files do not belong together; the message names the mismatch.
    """
    shape = prototypes.vectors.shape
    found = set(prototypes.categories.tolist())
    expected = {each.category for each in prototype_texts(taxonomy, manifest.language)}
    if shape != (len(prototypes.categories), manifest.dimensions) or found != expected:
        raise StopWorker(
            f"The encoder {folder} has prototypes of shape {shape} for {len(found)} categories, where "
            f"{manifest.dimensions} dimensions and {len(expected)} categories would fit: export it again."
        )
    try:
        vectors = backend.run(*tokenizer.batch([_TEXT]))
    except Exception as error:
        raise StopWorker(
            f"The encoder {folder} does not run: {error}. Its files do not belong together: export it again."
        ) from error
    if vectors.shape != (1, manifest.dimensions) or not np.isfinite(vectors).all():
        raise StopWorker(
            f"The graph of the encoder {folder} gives {vectors.shape}, its manifest says "
            f"{manifest.dimensions} dimensions: export it again."
        )
