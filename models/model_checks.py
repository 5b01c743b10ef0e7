"""Whether the parts of a model fit each other, found out when it is loaded and not by a worker's first title.

Hashes say that files are those of the manifest, not that the manifest was written for files of one model.
"""

from pathlib import Path

import numpy as np

from models.artifact import Artifact
from models.backend import Backend, TextEncoder
from models.encoder_artifact import EncoderManifest
from models.prototypes import Prototypes, points_of
from models.taxonomy import Taxonomy
from models.wordpiece import WordPiece
from schemas.errors import StopWorker

_TEXT = "a ceramic mug"


def check_student(artifact: Artifact, backend: Backend) -> None:
    """Run a student once.

    Raises:
        StopWorker: It does not run, or what comes out is not what its manifest says.
    """
    table, weights = artifact.tensor("table"), artifact.tensor("weights")
    try:
        # The vocabulary's last row too: a table that is too short fails here.
        output = backend.run(np.array([[1, len(table) - 1]], dtype=np.int32))
    except Exception as error:
        raise StopWorker(
            f"The model {artifact.path} does not run: {error}. Its files do not belong together: restore it."
        ) from error
    shapes = (output.logits.shape, output.embedding.shape)
    wanted = ((1, weights.shape[1]), (1, table.shape[1]))
    finite = np.isfinite(output.logits).all() and np.isfinite(output.embedding).all()
    if shapes != wanted or not finite:
        raise StopWorker(
            f"The graph of the model {artifact.path} gives {shapes}, its manifest says {wanted}, all of it "
            "finite: its files do not belong together; restore it."
        )


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
