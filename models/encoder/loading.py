"""The text encoders, among Google's categories as they come or among those of another tree."""

from pathlib import Path

from models.encoder.artifact import MANIFEST, SHIPPED_ENCODERS
from models.encoder.by_language import Encoders
from models.encoder.device import Hardware
from models.encoder.encoder import EncoderStage
from models.encoder.prototype_cache import cached_prototypes, points_digest
from models.encoder.prototypes import Prototypes, points_of
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.languages import LANGUAGES
from schemas.errors import StopWorker


def load_encoders(
    threads: int = 1,
    folder: Path | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008 - immutable
) -> Encoders:
    """The encoders as they come, among Google's categories.

    Args:
        threads: Threads within one batch.
        folder: The folder that holds one for each language that is wanted; None: the shipped ones.
        hardware: What runs them.

    Raises:
        StopWorker: There is none, or one is damaged; says why.
    """
    folder = SHIPPED_ENCODERS if folder is None else folder
    found = [folder / language for language in LANGUAGES if (folder / language / MANIFEST).exists()]
    if not found:
        raise StopWorker(
            f"{folder} holds no text encoder: it needs a folder `en` or `zh`, as `shelfstream encoder "
            "export` writes them. Give another one in SHELFSTREAM_ENCODER_PATH, or unset that."
        )
    google = Taxonomy.google()
    return Encoders([EncoderStage.load(each, google, threads, hardware) for each in found])


def tree_prototypes(taxonomy: Taxonomy, encoder: EncoderStage, cache: Path | None) -> Prototypes | None:
    """A tree's points in the encoder's space; None where no category has a name that it reads.

    Args:
        taxonomy: The tree.
        encoder: The encoder.
        cache: Where points are kept; None: nowhere, and each start encodes them.
    """
    if not points_of(taxonomy, encoder.language):
        return None
    return cached_prototypes(taxonomy, encoder.language, encoder.encode, encoder.version, cache)


def among_tree(taxonomy: Taxonomy, encoders: Encoders, cache: Path | None) -> Encoders | None:
    """The encoders among a tree's categories; None where they read none of its names.

    Args:
        taxonomy: The tree.
        encoders: As they come.
        cache: As for `tree_prototypes`.
    """
    if taxonomy.version == GOOGLE_VERSION:
        return encoders
    stages = []
    for stage in encoders.stages.values():
        prototypes = tree_prototypes(taxonomy, stage, cache)
        if prototypes is not None:
            version = points_digest(taxonomy, stage.language, stage.version)
            stages.append(stage.among(prototypes, version))
    return Encoders(stages) if stages else None


def second_stage(
    taxonomy: Taxonomy,
    cache: Path | None,
    threads: int = 1,
    folder: Path | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008 - immutable
) -> Encoders | None:
    """What judges the texts that a student of `taxonomy` doubts; None where the tree has no name to judge by.

    Args:
        taxonomy: The tree.
        cache: As for `tree_prototypes`.
        threads: As for `load_encoders`, like the rest.
        folder: The folder of encoders.
        hardware: What runs them.

    Raises:
        StopWorker: As `load_encoders`.
    """
    return among_tree(taxonomy, load_encoders(threads, folder, hardware), cache)
