"""The reference of drift: histograms of the listings of the training, kept beside the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.drift.bins import Counts, ListingBins
from models.drift.vocabulary_coverage import VocabularyCoverage
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

SNAPSHOT = "drift.json"
SNAPSHOT_VERSION = 1


class DriftSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Histograms by the names of features and bins.

    Attributes:
        version: The version of this format.
        description: The origin of the listings.
        listings: The number of listings.
        counts: Counts by feature and bin, for the features that the listings have.
    """

    version: int
    description: str
    listings: int
    counts: dict[str, dict[str, int]]

    @classmethod
    def read(cls, path: Path) -> "DriftSnapshot":
        """Read a snapshot.

        Raises:
            StopWorker: The file cannot be read or has another version.
        """
        try:
            snapshot = msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise StopWorker(f"{path} is not a snapshot for drift: {error}. Create it again.") from error
        if snapshot.version != SNAPSHOT_VERSION:
            raise StopWorker(
                f"{path} has version {snapshot.version}; this program reads {SNAPSHOT_VERSION}. "
                "Create it again."
            )
        return snapshot

    @classmethod
    def from_counts(
        cls, bins: ListingBins, counts: Counts, listings: int, features: Sequence[str], description: str
    ) -> "DriftSnapshot":
        """Make a snapshot of some features.

        Args:
            bins: The bins of the counts.
            counts: Counts of all features, shape [bins.size].
            listings: The number of listings counted.
            features: The names of the features to keep.
            description: The origin of the listings.
        """
        return cls(
            version=SNAPSHOT_VERSION,
            description=description,
            listings=listings,
            counts={
                name: dict(zip(bins.bins[name], map(int, bins.feature_counts(counts, name)), strict=True))
                for name in features
            },
        )

    def write(self, path: Path) -> None:
        """Write the snapshot as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


@dataclass(frozen=True)
class DriftReference:
    """The reference that a model's stream is compared with.

    Attributes:
        bins: The bins of listings and of the model's enrichments.
        snapshot: The histograms; None if there are none.
    """

    bins: ListingBins
    snapshot: DriftSnapshot | None

    @classmethod
    def for_model(
        cls, artifact: Artifact, taxonomy: Taxonomy, snapshot: Path | None = None
    ) -> "DriftReference":
        """The reference of a model.

        Args:
            artifact: The model's verified directory. Older models have no snapshot.
            taxonomy: The category tree in use. The model's snapshot is used only if it is the model's tree.
            snapshot: A file to use instead of the model's own snapshot.

        Raises:
            StopWorker: The snapshot cannot be read.
        """
        own = artifact.manifest.taxonomy_version == taxonomy.version
        if snapshot is None and own and SNAPSHOT in artifact.manifest.files:
            snapshot = artifact.path / SNAPSHOT
        bins = ListingBins(taxonomy, VocabularyCoverage(artifact.tensor("hashes")))
        return cls(bins, DriftSnapshot.read(snapshot) if snapshot is not None else None)
