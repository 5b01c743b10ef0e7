"""Whether the files of a text encoder fit each other, checked when it is loaded.

Digests prove that the files are those of the manifest. They do not prove that these belong together.
"""

from pathlib import Path

import numpy as np

from models.encoder.artifact import EncoderManifest
from models.encoder.backend import TextEncoder
from models.encoder.prototypes import Prototypes, points_of
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
    """Compare an encoder's points with its tree and its graph, and encode one text.

    Raises:
        StopWorker: They do not belong together; says what does not fit.
    """
    points = prototypes.vectors.shape
    found = set(prototypes.categories.tolist())
    wanted = {point.category for point in points_of(taxonomy, manifest.language)}
    if points != (len(prototypes.categories), manifest.dimensions) or found != wanted:
        raise StopWorker(
            f"The encoder {folder} has points of shape {points} for {len(found)} categories, where "
            f"{manifest.dimensions} dimensions and {len(wanted)} categories would fit: export it again."
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
