"""Makes the histograms that drift is measured against.

Run: `python -m models.training.student.drift_snapshot --data FOLDER --model MODEL` for a
model that has none yet.
They are of the titles that calibrated it, as the model serves them, and lie beside it. Its version changes
with that, as with any change of its files.

Or `--listings FILE --output drift.json`: of a shop's own listings, JSON lines of product-created. The setting
`drift_snapshot` then names that file, and drift is measured from what that shop was, by any model.
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
    """Count listings, and what a model that serves makes of them.

    Args:
        artifact: The model.
        products: The listings.
        taxonomy: The model's category tree.
        second: What judges the texts that the student doubts; None: nothing.
        features: Those that the listings can tell.
        description: Whose listings they are.
    """
    classifier = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy, None, second)
    enricher = Enricher(classifier, artifact, taxonomy)
    bins = DriftReference.for_model(artifact, taxonomy).bins
    counts = np.zeros(bins.size)
    for start in range(0, len(products), _ROWS):
        batch = products[start : start + _ROWS]
        counts += bins.count(batch, enricher.enrich(batch))
    return DriftSnapshot.from_counts(bins, counts, len(products), features, description)


def calibration_listings(examples: Sequence[Example]) -> list[ProductCreated]:
    """The titles that calibrate a model, as listings that say nothing else."""
    return [
        ProductCreated(product_id=str(number), title=example.text)
        for number, example in enumerate(examples)
        if example.split == "calibration" and example.kind == "title"
    ]


def add_snapshot(
    folder: Path, products: Sequence[ProductCreated], taxonomy: Taxonomy, second: SecondStage | None
) -> Manifest:
    """Put the snapshot of titles beside a model, and name the model anew, as its content is another.

    Raises:
        StopWorker: There is no such model.
    """
    artifact = Artifact.load(folder, taxonomy)
    manifest, features = artifact.manifest, TITLE_FEATURES + DECISION_FEATURES
    described = "the titles that calibrated the model"
    snapshot = take_snapshot(artifact, products, taxonomy, second, features, described)
    snapshot.write(folder / SNAPSHOT)
    named = write_manifest(folder, manifest, sorted({*manifest.files, SNAPSHOT}))
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(card.replace(manifest.model_version, named.model_version), encoding="utf-8")
    return named


def read_listings(path: Path) -> list[ProductCreated]:
    """The listings of a file of JSON lines, but for withdrawals.

    Raises:
        InvalidEvent: A line is none; see `schemas.errors`.
    """
    events = [decode_product_created(line) for line in path.read_bytes().splitlines() if line.strip()]
    return [event for event in events if event.change is not Change.WITHDRAWN]


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--listings", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path))
def main(data: Path | None, listings: Path | None, model: Path | None, output: Path | None) -> None:
    """Put a snapshot beside a model (--data and --model), or make a shop's own (--listings and --output)."""
    taxonomy = Taxonomy.google()
    try:
        if listings is not None and output is not None and data is None:
            products = read_listings(listings)
            features = TITLE_FEATURES + FIELD_FEATURES + DECISION_FEATURES
            artifact, described = Artifact.load(model, taxonomy), f"the listings of {listings.name}"
            second = load_encoders()
            take_snapshot(artifact, products, taxonomy, second, features, described).write(output)
            click.echo(f"{len(products):,} listings counted into {output}")
        elif data is not None and model is not None and listings is None and output is None:
            products = calibration_listings(read_shops(data, taxonomy))
            named = add_snapshot(model, products, taxonomy, load_encoders())
            click.echo(f"{len(products):,} titles counted into {model / SNAPSHOT}: {named.model_version}")
        else:
            raise click.UsageError("give --data and --model, or --listings and --output")
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
