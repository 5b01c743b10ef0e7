"""The shipped encoder among the categories of another tree than the one that it comes with."""

from pathlib import Path

from models.encoder import EncoderStage
from models.prototype_cache import cached_prototypes, points_digest
from models.prototypes import Prototypes, points_of
from models.taxonomy import GOOGLE_VERSION, Taxonomy


def shipped_encoder(threads: int = 1) -> EncoderStage:
    """The encoder as it comes, among Google's categories.

    Raises:
        StopWorker: It is missing or damaged; says why.
    """
    return EncoderStage.load(None, Taxonomy.google(), threads)


def tree_prototypes(taxonomy: Taxonomy, encoder: EncoderStage, cache: Path | None) -> Prototypes | None:
    """A tree's points in the encoder's space; None where no category has a name in Latin letters.

    Args:
        taxonomy: The tree.
        encoder: The encoder.
        cache: Where points are kept; None: nowhere, and each start encodes them.
    """
    if not points_of(taxonomy):
        return None
    return cached_prototypes(taxonomy, encoder.encode, encoder.version, cache)


def second_stage(taxonomy: Taxonomy, cache: Path | None, threads: int = 1) -> EncoderStage | None:
    """What judges the texts that a student of `taxonomy` doubts; None where the tree has no name to judge by.

    Raises:
        StopWorker: As `shipped_encoder`.
    """
    encoder = shipped_encoder(threads)
    if taxonomy.version == GOOGLE_VERSION:
        return encoder
    prototypes = tree_prototypes(taxonomy, encoder, cache)
    return None if prototypes is None else encoder.among(prototypes, points_digest(taxonomy, encoder.version))
