"""Loads the text encoders, with prototypes of Google's tree or of another tree."""

from pathlib import Path

from models.encoder.artifact import MANIFEST, SHIPPED_ENCODERS
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.encoder.prototype_cache import cached_prototypes, prototypes_digest
from models.encoder.prototypes import Prototypes, prototype_texts
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.languages import LANGUAGES
from schemas.errors import StopWorker


def load_encoders(config: ServingConfig = DEFAULT_CONFIG) -> Encoders:
    """Load and verify the text encoders, with the prototypes of Google's tree.

    Args:
        config: `encoders`, `threads` and `hardware` are used.

    Raises:
        StopWorker: There is no encoder, or one is damaged.
    """
    folder = SHIPPED_ENCODERS if config.encoders is None else config.encoders
    found = [folder / language for language in LANGUAGES if (folder / language / MANIFEST).exists()]
    if not found:
        raise StopWorker(
            f"{folder} holds no text encoder: it needs a folder `en` or `zh`, as `shelfstream encoder "
            "export` writes them. Give another one in SHELFSTREAM_ENCODER_PATH, or unset that."
        )
    google = Taxonomy.google()
    return Encoders([EncoderStage.load(each, google, config) for each in found])


def load_second_stage(taxonomy: Taxonomy, config: ServingConfig = DEFAULT_CONFIG) -> Encoders | None:
    """Load the text encoders that classify what a student of this tree is unsure of.

    Args:
        taxonomy: The student's category tree.
        config: `encoders`, `prototype_cache`, `threads` and `hardware` are used.

    Returns:
        The encoders with the tree's prototypes; None if they read none of the tree's names.

    Raises:
        StopWorker: There is no encoder, or one is damaged.
    """
    return for_taxonomy(taxonomy, load_encoders(config), config.prototype_cache)


def for_taxonomy(taxonomy: Taxonomy, encoders: Encoders, cache: Path | None) -> Encoders | None:
    """The encoders with the prototypes of another tree.

    Args:
        taxonomy: The category tree.
        encoders: The encoders with the prototypes of Google's tree.
        cache: Directory that keeps prototypes; None encodes them each time.

    Returns:
        The encoders that read at least one name of the tree; None if there is no such encoder.
    """
    if taxonomy.version == GOOGLE_VERSION:
        return encoders
    stages = []
    for stage in encoders.stages.values():
        prototypes = taxonomy_prototypes(taxonomy, stage, cache)
        if prototypes is not None:
            version = prototypes_digest(taxonomy, stage.language, stage.version)
            stages.append(stage.with_prototypes(prototypes, version))
    return Encoders(stages) if stages else None


def taxonomy_prototypes(taxonomy: Taxonomy, encoder: EncoderStage, cache: Path | None) -> Prototypes | None:
    """A tree's prototypes in the encoder's space.

    Args:
        taxonomy: The category tree.
        encoder: The encoder.
        cache: Directory that keeps prototypes; None encodes them each time.

    Returns:
        The prototypes; None if no category has a name that the encoder reads.
    """
    if not prototype_texts(taxonomy, encoder.language):
        return None
    return cached_prototypes(taxonomy, encoder.language, encoder.encode, encoder.version, cache)
