"""Drift: the distance of recent listings and decisions from those of the training.

For each feature, the population stability index compares two histograms: the snapshot of the training, and a
decayed window over the stream.
"""

from collections.abc import Sequence
from threading import Lock

import numpy as np

from models.arrays import Doubles
from models.drift.decayed_counts import DecayedCounts
from models.drift.report import DriftReport, FeatureDrift
from models.drift.sampling import is_sampled
from models.drift.snapshot import DriftReference
from models.enrichment.enricher import Enrichment
from schemas.events import ProductCreated

SMOOTHING = 0.01
"""The share of each histogram that is spread evenly over its bins, so that an empty bin has a logarithm.

Only proportions matter: two histograms of the same shape have an index of 0, whatever their totals are.
"""
MIN_LISTINGS = 500.0
"""Decayed listings below which there is no report. Without drift, B bins and n listings give an index of
about (B - 1) / n, and n times the index has a chi-square distribution with B - 1 degrees of freedom
(Yurdakul, "Statistical Properties of Population Stability Index", 2018). With 22 departments and this
minimum, the index stays below `MOVING` in 999 of 1,000 cases."""


def stability_index(reference: Doubles, current: Doubles) -> float:
    """The population stability index: the sum over bins of (q - p) ln(q / p), smoothed by `SMOOTHING`.

    It is Jeffreys' divergence of the proportions p and q: symmetric, and 0 only if they are equal.

    Args:
        reference: Counts or weights, shape [bins], not all 0.
        current: As `reference`.
    """
    p, q = _proportions(reference), _proportions(current)
    return float(((q - p) * np.log(q / p)).sum())


def _proportions(counts: Doubles) -> Doubles:
    return np.asarray((1.0 - SMOOTHING) * counts / counts.sum() + SMOOTHING / len(counts))


class DriftDetector:
    """Measures the drift of one worker's listings. Thread-safe.

    Args:
        reference: The reference of the model in use.
        half_life_s: The half-life of a listing's weight, in seconds.
    """

    def __init__(self, reference: DriftReference, half_life_s: float) -> None:
        self._lock = Lock()
        self._half_life_s = half_life_s
        self._start(reference)

    def reset(self, reference: DriftReference) -> None:
        """Forget the window and compare with another model's reference."""
        with self._lock:
            self._start(reference)

    def observe(
        self, products: Sequence[ProductCreated], enrichments: Sequence[Enrichment], now: float
    ) -> None:
        """Count a sample of the listings and their enrichments.

        Args:
            products: The listings; those that `is_sampled` selects are counted.
            enrichments: Their enrichments, in the same order.
            now: The time in seconds, of any clock.
        """
        reference = self._reference
        sampled = [
            number
            for number, product in enumerate(products)
            if is_sampled(product.product_id.encode("utf-8", "replace"))
        ]
        counts = reference.bins.count(
            [products[number] for number in sampled], [enrichments[number] for number in sampled]
        )
        with self._lock:
            # If the model was replaced meanwhile, the counts are in the bins of the old one.
            if reference is self._reference:
                self._window.add(counts, now)

    def report(self, now: float) -> DriftReport:
        """The drift of each feature at a time in seconds."""
        with self._lock:
            reference, counts = self._reference, self._window.at(now)
        bins, snapshot = reference.bins, reference.snapshot
        listings = float(bins.feature_counts(counts, "outcome").sum())
        if snapshot is None:
            return DriftReport(listings, "no snapshot")
        if listings < MIN_LISTINGS:
            return DriftReport(listings, f"{listings:.0f} of {MIN_LISTINGS:.0f} listings so far")
        features = [
            FeatureDrift(
                name, stability_index(_vector(snapshot.counts[name]), bins.feature_counts(counts, name))
            )
            for name, names in bins.bins.items()
            if tuple(snapshot.counts.get(name, ())) == names and any(snapshot.counts[name].values())
        ]
        if not features:
            return DriftReport(listings, "the snapshot counts in other bins: create it again")
        features.sort(key=lambda each: (-each.index, each.feature))
        return DriftReport(listings, None, tuple(features))

    def _start(self, reference: DriftReference) -> None:
        self._reference = reference
        self._window = DecayedCounts(reference.bins.size, self._half_life_s)


def _vector(counts: dict[str, int]) -> Doubles:
    return np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
