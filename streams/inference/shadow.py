"""Shadow evaluation: a candidate predicts the published listings again and publishes nothing."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec

from models.taxonomy.tree import SEPARATOR
from streams.inference.messages import Listing, Prediction, Predictions
from streams.inference.model_report import ShadowCounts
from streams.inference.protocol import Inference

ASPECTS = ("level1", "category", "outcome")
"""The aspects in which predictions can differ: department, published category, and who decided."""
BATCHES_WAITING = 2
"""Maximum number of batches that wait for comparison. More are dropped, to bound the memory."""
_CHUNK = 100
"""Listings per call of the candidate, so that a canary's batch does not wait for a whole shadow batch."""


class Shadow:
    """Compares a candidate's predictions with the published ones and counts differences. Not thread-safe."""

    def __init__(self) -> None:
        self._candidate: Inference | None = None
        self._waiting = 0
        self._counts: Counter[str] = Counter()
        self._counts_before: Counter[str] = Counter()

    @property
    def counts(self) -> ShadowCounts:
        """Counts of the current candidate."""
        return _shadow_counts(self._counts, self._counts_before)

    @property
    def totals(self) -> ShadowCounts:
        """Counts of all candidates so far."""
        return _shadow_counts(self._counts, Counter())

    def begin(self, candidate: Inference | None) -> None:
        """Compare `candidate` from now on. None compares nothing."""
        if candidate is not self._candidate:
            self._candidate, self._counts_before = candidate, self._counts.copy()

    def has_capacity(self, listings: int) -> bool:
        """Whether a batch of `listings` can be compared now. If not, they are counted as dropped."""
        if self._waiting < BATCHES_WAITING:
            return True
        self._counts["dropped"] += listings
        return False

    async def compare(
        self, candidate: Inference, listings: Sequence[Listing], published: Predictions
    ) -> None:
        """Compare a batch in chunks. Stops if another candidate begins.

        Args:
            candidate: The model to compare.
            listings: The records.
            published: The published predictions of `listings`, in order.

        Raises:
            ShelfstreamError: The candidate cannot predict. Its other errors are raised unchanged.
        """
        self._waiting += 1
        try:
            for start in range(0, len(listings), _CHUNK):
                predictions = await candidate.predict(listings[start : start + _CHUNK])
                counts = await asyncio.to_thread(
                    _count_differences, published[start : start + _CHUNK], predictions
                )
                if candidate is not self._candidate:
                    return
                self._counts += counts
        finally:
            self._waiting -= 1


class _Category(msgspec.Struct):
    path: str


class _Decision(msgspec.Struct):
    outcome: str


class _Enriched(msgspec.Struct):
    """The compared fields of a product-enriched event."""

    decision: _Decision
    category: _Category | None = None

    @property
    def path(self) -> str:
        return "" if self.category is None else self.category.path


_DECODER = msgspec.json.Decoder(_Enriched)


def differences(one: bytes, other: bytes) -> list[str]:
    """Return the `ASPECTS` in which two encoded product-enriched events differ."""
    first, second = _DECODER.decode(one), _DECODER.decode(other)
    differs = (
        first.path.split(SEPARATOR)[0] != second.path.split(SEPARATOR)[0],
        first.path != second.path,
        first.decision.outcome != second.decision.outcome,
    )
    return [aspect for aspect, holds in zip(ASPECTS, differs, strict=True) if holds]


def _count_differences(published: Predictions, predictions: Predictions) -> Counter[str]:
    """Count compared and differing listings. Skips withdrawals and invalid listings."""
    counts: Counter[str] = Counter()
    for one, other in zip(published, predictions, strict=True):
        if isinstance(one, Prediction) and isinstance(other, Prediction) and one.enriched and other.enriched:
            counts["compared"] += 1
            counts.update(differences(one.enriched, other.enriched))
    return counts


def _shadow_counts(counts: Counter[str], before: Counter[str]) -> ShadowCounts:
    return ShadowCounts(
        compared=counts["compared"] - before["compared"],
        dropped=counts["dropped"] - before["dropped"],
        differing={aspect: counts[aspect] - before[aspect] for aspect in ASPECTS},
    )
