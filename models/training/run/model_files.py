"""The files of a trained model beside its weights: manifest, brand names and model card."""

from pathlib import Path

import msgspec

from models.attributes.brands import read_brands
from models.student.artifact import FORMAT, SHIPPED, Artifact, Manifest, write_manifest
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.training.attributes.brand_names import learn_brands
from models.training.data.corpus import SHOPS, shops_of
from models.training.data.examples import HumanLabels
from models.training.private.training import PrivateTraining, private_section
from models.training.run.fitting import CalibratedStudent
from models.training.student.config import TrainingConfig
from models.training.student.model_card import render_card

_CARD = "MODEL_CARD.md"


def draft_manifest(
    model: CalibratedStudent, taxonomy: Taxonomy, config: TrainingConfig, human_labels: HumanLabels
) -> Manifest:
    """The manifest of a model, still without version, files, data and metrics."""
    own_taxonomy = "" if taxonomy.version == GOOGLE_VERSION else " --taxonomy TREE"
    return Manifest(
        format=FORMAT,
        model_version="",
        taxonomy_version=taxonomy.version,
        labels=[node.id for node in taxonomy.nodes],
        inputs={"rows": "int32 [texts, longest]"},
        outputs={
            "logits": f"float32 [texts, {len(taxonomy)}]",
            "embedding": f"float32 [texts, {model.student.table.shape[1]}]",
        },
        shrinkage=config.shrinkage,
        temperature=model.temperature,
        thresholds=model.thresholds,
        brand_precision=0.0,
        files={},
        tensors=[],
        training_data=[],
        measurements=[],
        command=f"shelfstream train{own_taxonomy} --data DATA -o OUTPUT "
        f"--epochs {config.epochs} --seed {config.seed}{human_labels.options(config.feedback_weight)}"
        + (f" --target-precision {config.target_precision:g}" if config.target_precision is not None else ""),
    )


def brand_names(data: Path, taxonomy: Taxonomy) -> tuple[dict[str, str], float]:
    """Brand names by their folded form, and their measured precision in [0, 1].

    They are learned from the data if it has all of the project's shops. Otherwise the shipped model's are
    returned: brands do not depend on the taxonomy, and other data names too few.

    Args:
        data: Data folder.
        taxonomy: Category tree that the mappings point into.
    """
    if {*SHOPS} <= {*shops_of(data, taxonomy)}:
        return learn_brands(data)
    shipped = Artifact.load(None, Taxonomy.google())
    return read_brands(SHIPPED / "brands.tsv"), shipped.manifest.brand_precision


def write_description(folder: Path, manifest: Manifest, config: TrainingConfig) -> Manifest:
    """Write manifest and model card beside the model's files.

    Returns:
        The manifest with the version and the files' digests.
    """
    manifest = write_manifest(folder, manifest, ["student.bin", "student.onnx", "brands.tsv"])
    (folder / _CARD).write_text(render_card(manifest, config), encoding="utf-8")
    return manifest


def write_private_description(
    folder: Path, manifest: Manifest, config: TrainingConfig, private: PrivateTraining
) -> Manifest:
    """Like `write_description`, with the privacy guarantee in the command and in the model card."""
    command = f"{manifest.command} --private {private.privacy.epsilon:g}"
    manifest = write_description(folder, msgspec.structs.replace(manifest, command=command), config)
    with (folder / _CARD).open("a", encoding="utf-8") as card:
        card.write(private_section(private.privacy))
    return manifest
