"""The reference histograms that drift is measured against.

`python -m models.training.student.drift_snapshot --data FOLDER --model MODEL` adds a snapshot to a model that
has none. It counts the model's calibration titles and the model's decisions on them. The snapshot is a file
of the model, so the model's version changes.

`--listings FILE --output drift.json` counts a shop's own listings instead, given as JSON lines of
`product-created`. If the setting `drift_snapshot` names that file, drift is measured against those listings,
whatever the model.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from models.drift.bins import DECISION_FEATURES, FIELD_FEATURES, TITLE_FEATURES
from models.drift.snapshot import SNAPSHOT, DriftReference, DriftSnapshot
from models.encoder.loading import load_encoders
from models.enrichment.enricher import Enricher
from models.student.artifact import Artifact, Manifest, write_manifest
from models.student.classifier import StudentClassifier
from models.student.escalation import SecondStage
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example, read_shops
from schemas.codec import decode_product_created
from schemas.errors import ShelfstreamError
from schemas.events import Change, ProductCreated

CARD = "MODEL_CARD.md"
_ROWS = 512


def take_snapshot(
    artifact: Artifact,
    products: Sequence[ProductCreated],
    taxonomy: Taxonomy,
    second: SecondStage | None,
    features: Sequence[str],
    description: str,
) -> DriftSnapshot:
    """Count the features of listings and of a model's decisions on them.

    Args:
        artifact: Model.
        products: Listings.
        taxonomy: Category tree of the model.
        second: Second stage of the cascade; None to count the student's decisions.
        features: Names of the features that the listings have.
        description: Origin of the listings.
    """
    classifier = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy, None, second)
    enricher = Enricher(classifier, artifact, taxonomy)
    bins = DriftReference.for_model(artifact, taxonomy).bins
    counts = np.zeros(bins.size)
    for start in range(0, len(products), _ROWS):
        batch = products[start : start + _ROWS]
        counts += bins.count(batch, enricher.enrich(batch))
    return DriftSnapshot.from_counts(bins, counts, len(products), features, description)


def listings_of(examples: Sequence[Example], split: str = "calibration") -> list[ProductCreated]:
    """The titles of a split, as listings with nothing but a title."""
    return [
        ProductCreated(product_id=str(number), title=example.text)
        for number, example in enumerate(examples)
        if example.split == split and example.kind == "title"
    ]


def add_snapshot(
    folder: Path, products: Sequence[ProductCreated], taxonomy: Taxonomy, second: SecondStage | None
) -> Manifest:
    """Add a snapshot to a model's folder, and update its version, manifest and card.

    Args:
        folder: Folder of the model.
        products: Titles as listings, on none of which the model was trained.
        taxonomy: Category tree of the model.
        second: Second stage of the cascade; None for the student alone.

    Returns:
        The new manifest.

    Raises:
        StopWorker: The folder holds no valid model.
    """
    artifact = Artifact.load(folder, taxonomy)
    manifest, features = artifact.manifest, TITLE_FEATURES + DECISION_FEATURES
    description = "held-out titles of the training data"
    snapshot = take_snapshot(artifact, products, taxonomy, second, features, description)
    snapshot.write(folder / SNAPSHOT)
    updated = write_manifest(folder, manifest, sorted({*manifest.files, SNAPSHOT}))
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(card.replace(manifest.model_version, updated.model_version), encoding="utf-8")
    return updated


def read_listings(path: Path) -> list[ProductCreated]:
    """Read listings from JSON lines of `product-created`, without withdrawals.

    Raises:
        InvalidEvent: A line is not a valid event.
    """
    events = [decode_product_created(line) for line in path.read_bytes().splitlines() if line.strip()]
    return [event for event in events if event.change is not Change.WITHDRAWN]


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--listings", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path))
def main(data: Path | None, listings: Path | None, model: Path | None, output: Path | None) -> None:
    """Add a snapshot to a model (--data, --model), or count a shop's own listings (--listings, --output)."""
    taxonomy = Taxonomy.google()
    try:
        if listings is not None and output is not None and data is None:
            products = read_listings(listings)
            features = TITLE_FEATURES + FIELD_FEATURES + DECISION_FEATURES
            artifact, description = Artifact.load(model, taxonomy), f"the listings of {listings.name}"
            second = load_encoders()
            take_snapshot(artifact, products, taxonomy, second, features, description).write(output)
            click.echo(f"{len(products):,} listings counted into {output}")
        elif data is not None and model is not None and listings is None and output is None:
            products = listings_of(read_shops(data, taxonomy))
            manifest = add_snapshot(model, products, taxonomy, load_encoders())
            click.echo(f"{len(products):,} titles counted into {model / SNAPSHOT}: {manifest.model_version}")
        else:
            raise click.UsageError("give --data and --model, or --listings and --output")
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
