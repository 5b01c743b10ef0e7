"""Drift: how far the listings of late, and the decisions about them, are from those of the training.

For each feature the population stability index compares two histograms, the snapshot that training left
beside the model and a window over the stream. The window is decayed forward (Cormode et al., 2009): a listing
weighs half after each half-life, nothing is ever swept, and the order of the listings does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from models.drift.bins import Counts, ListingBins
from models.drift.report import DriftReport, FeatureDrift
from models.drift.vocabulary_coverage import VocabularyCoverage
from models.enrichment.enricher import Enrichment
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from schemas.events import ProductCreated

SNAPSHOT = "drift.json"
SNAPSHOT_VERSION = 1

SMOOTHING = 0.01
"""The share of each histogram that is spread evenly over its bins, so that an empty bin has a logarithm.

It depends on shares alone: two histograms of the same shape have an index of 0, however many they count.
"""
MINIMUM = 500.0
"""Decayed listings below which nothing is said. Without any drift, B bins and n listings give an index of
about (B - 1) / n, and n times it is distributed as chi-square with B - 1 degrees of freedom (Yurdakul,
"Statistical Properties of Population Stability Index", 2018): with 22 departments it thus stays below
`MOVING` in 999 of 1,000 cases."""
EVERY = 4
"""One product in so many is looked at, by the hash of its id: which ones does not depend on the order."""

_LARGEST_EXPONENT = 60.0


def stability_index(reference: npt.NDArray[np.float64], current: npt.NDArray[np.float64]) -> float:
    """The population stability index: the sum over bins of (q - p) ln(q / p), smoothed by `SMOOTHING`.

    That is Jeffreys' divergence of the shares p and q: at least 0, the same both ways, and 0 if and only if
    they are the same.

    Args:
        reference: Shape [bins]: counts or weights, not all of them 0.
        current: Shape [bins]: as `reference`.
    """
    p, q = _shares(reference), _shares(current)
    return float(((q - p) * np.log(q / p)).sum())


def _shares(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((1.0 - SMOOTHING) * counts / counts.sum() + SMOOTHING / len(counts))


class DriftSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Histograms to compare with, by the names of features and bins.

    Attributes:
        version: Of this format.
        description: Whose listings were counted.
        listings: How many.
        counts: Of each bin of each feature that these listings can tell.
    """

    version: int
    description: str
    listings: int
    counts: dict[str, dict[str, int]]

    @classmethod
    def read(cls, path: Path) -> "DriftSnapshot":
        """Read a snapshot.

        Raises:
            StopWorker: It cannot be read; says why.
        """
        try:
            snapshot = msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise StopWorker(f"{path} is not a snapshot for drift: {error}. Make it anew.") from error
        if snapshot.version != SNAPSHOT_VERSION:
            raise StopWorker(
                f"{path} has version {snapshot.version}; this program reads {SNAPSHOT_VERSION}: make it anew."
            )
        return snapshot

    @classmethod
    def of(
        cls, bins: ListingBins, counts: Counts, listings: int, features: Sequence[str], description: str
    ) -> "DriftSnapshot":
        """The snapshot of `features` of a vector of counts."""
        return cls(
            version=SNAPSHOT_VERSION,
            description=description,
            listings=listings,
            counts={
                name: dict(zip(bins.bins[name], map(int, bins.of(counts, name)), strict=True))
                for name in features
            },
        )

    def write(self, path: Path) -> None:
        """Write the snapshot as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


@dataclass(frozen=True)
class DriftReference:
    """What a model's stream is compared with.

    Attributes:
        bins: Count what the model makes of listings.
        snapshot: None where there is none.
    """

    bins: ListingBins
    snapshot: DriftSnapshot | None

    @classmethod
    def of(cls, artifact: Artifact, taxonomy: Taxonomy, snapshot: Path | None = None) -> "DriftReference":
        """The reference of a model.

        Args:
            artifact: The model's verified folder; older ones have no snapshot.
            taxonomy: The tree that is decided among; another than the model's leaves only its words.
            snapshot: What to compare with instead of the model's own snapshot.

        Raises:
            StopWorker: A snapshot cannot be read.
        """
        own = artifact.manifest.taxonomy_version == taxonomy.version
        if snapshot is None and own and SNAPSHOT in artifact.manifest.files:
            snapshot = artifact.path / SNAPSHOT
        bins = ListingBins(taxonomy, VocabularyCoverage(artifact.tensor("hashes")))
        return cls(bins, DriftSnapshot.read(snapshot) if snapshot is not None else None)


class DecayedCounts:
    """A vector of counts in which what was added weighs half after each half-life.

    Args:
        size: The length of the vector.
        half_life_s: In seconds.
    """

    def __init__(self, size: int, half_life_s: float) -> None:
        self._weights = np.zeros(size)
        self._half_life_s = half_life_s
        self._since: float | None = None

    def add(self, counts: Counts, now: float) -> None:
        """Add counts. `now` is in seconds, of any clock; it may go back."""
        if self._since is None:
            self._since = now
        exponent = (now - self._since) / self._half_life_s
        if exponent > _LARGEST_EXPONENT:
            self._weights = self.at(now)
            self._since, exponent = now, 0.0
        self._weights += counts * 2.0**exponent

    def at(self, now: float) -> Counts:
        """The decayed counts at `now`."""
        since = now if self._since is None else self._since
        return np.asarray(self._weights * np.exp2((since - now) / self._half_life_s))


class Drift:
    """Watches the drift of one worker's listings. Thread-safe.

    Args:
        reference: Of the model that decides.
        half_life_s: After which a listing weighs half, in seconds.
    """

    def __init__(self, reference: DriftReference, half_life_s: float) -> None:
        self._lock = Lock()
        self._half_life_s = half_life_s
        self._begin(reference)

    def reset(self, reference: DriftReference) -> None:
        """Begin anew: another model decides."""
        with self._lock:
            self._begin(reference)

    def observe(
        self, products: Sequence[ProductCreated], enrichments: Sequence[Enrichment], now: float
    ) -> None:
        """Count one listing in `EVERY`, and what the model made of it. `now` is in seconds."""
        reference = self._reference
        chosen = [
            number
            for number, product in enumerate(products)
            if crc32(product.product_id.encode("utf-8", "replace")) % EVERY == 0
        ]
        counts = reference.bins.count(
            [products[number] for number in chosen], [enrichments[number] for number in chosen]
        )
        with self._lock:
            # Counted by another model's bins, if one was swapped in meanwhile: they are of the past.
            if reference is self._reference:
                self._window.add(counts, now)

    def report(self, now: float) -> DriftReport:
        """The drift of each feature at `now`, the worst first."""
        with self._lock:
            reference, counts = self._reference, self._window.at(now)
        bins, snapshot = reference.bins, reference.snapshot
        listings = float(bins.of(counts, "outcome").sum())
        if snapshot is None:
            return DriftReport(listings, "no snapshot")
        if listings < MINIMUM:
            return DriftReport(listings, f"{listings:.0f} of {MINIMUM:.0f} listings so far")
        features = [
            FeatureDrift(name, stability_index(_vector(snapshot.counts[name]), bins.of(counts, name)))
            for name, names in bins.bins.items()
            if tuple(snapshot.counts.get(name, ())) == names and any(snapshot.counts[name].values())
        ]
        if not features:
            return DriftReport(listings, "the snapshot counts in other bins: make it anew")
        features.sort(key=lambda each: (-each.index, each.feature))
        return DriftReport(listings, None, tuple(features))

    def _begin(self, reference: DriftReference) -> None:
        self._reference = reference
        self._window = DecayedCounts(reference.bins.size, self._half_life_s)


def _vector(counts: dict[str, int]) -> npt.NDArray[np.float64]:
    return np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
