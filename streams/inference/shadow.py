"""The shadow: a candidate judges what was published once more, off the work's way, and nobody hears of it."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec

from models.taxonomy.tree import SEPARATOR
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.model_report import ShadowCounts
from streams.inference.thread import Inference

ASPECTS = ("level1", "category", "outcome")
"""What may differ: the department, the category at the depth that was chosen, and who decides."""
BATCHES_WAITING = 2
"""More are dropped: a candidate that is slower than the work would fill the memory."""
_PIECE = 100
"""Listings judged at a time: a canary's batch need not wait for more."""


class Shadow:
    """Compares a candidate's predictions with the published ones, and counts. For one event loop's thread."""

    def __init__(self) -> None:
        self._candidate: Inference | None = None
        self._waiting = 0
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    @property
    def counts(self) -> ShadowCounts:
        """Of this candidate."""
        return _shown(self._counts, self._before)

    @property
    def totals(self) -> ShadowCounts:
        """Of all candidates so far."""
        return _shown(self._counts, Counter())

    def begin(self, candidate: Inference | None) -> None:
        """Compare this one from now on; None: nobody."""
        if candidate is not self._candidate:
            self._candidate, self._before = candidate, self._counts.copy()

    def has_room(self, listings: int) -> bool:
        """Whether so many more may be compared; they count as dropped if not."""
        if self._waiting < BATCHES_WAITING:
            return True
        self._counts["dropped"] += listings
        return False

    async def compare(
        self,
        candidate: Inference,
        listings: Sequence[Listing],
        published: Sequence[Prediction | InvalidListing],
    ) -> None:
        """Compare a batch, piece by piece, while this is the candidate; raises what the candidate does."""
        self._waiting += 1
        try:
            for start in range(0, len(listings), _PIECE):
                theirs = await candidate.judge(listings[start : start + _PIECE])
                found = await asyncio.to_thread(_compared, published[start : start + _PIECE], theirs)
                if candidate is not self._candidate:
                    return
                self._counts += found
        finally:
            self._waiting -= 1


class _Category(msgspec.Struct):
    path: str


class _Decision(msgspec.Struct):
    outcome: str


class _Enriched(msgspec.Struct):
    """What is compared of an enriched product."""

    decision: _Decision
    category: _Category | None = None

    @property
    def path(self) -> str:
        return "" if self.category is None else self.category.path


_DECODER = msgspec.json.Decoder(_Enriched)


def differences(one: bytes, other: bytes) -> list[str]:
    """In which of `ASPECTS` two product-enriched events differ."""
    ours, theirs = _DECODER.decode(one), _DECODER.decode(other)
    differs = (
        ours.path.split(SEPARATOR)[0] != theirs.path.split(SEPARATOR)[0],
        ours.path != theirs.path,
        ours.decision.outcome != theirs.decision.outcome,
    )
    return [aspect for aspect, holds in zip(ASPECTS, differs, strict=True) if holds]


def _compared(
    published: Sequence[Prediction | InvalidListing], theirs: Sequence[Prediction | InvalidListing]
) -> Counter[str]:
    """Count; withdrawals, and what cannot be read, are no predictions."""
    found: Counter[str] = Counter()
    for one, other in zip(published, theirs, strict=True):
        if isinstance(one, Prediction) and isinstance(other, Prediction) and one.enriched and other.enriched:
            found["compared"] += 1
            found.update(differences(one.enriched, other.enriched))
    return found


def _shown(counts: Counter[str], before: Counter[str]) -> ShadowCounts:
    return ShadowCounts(
        compared=counts["compared"] - before["compared"],
        dropped=counts["dropped"] - before["dropped"],
        differing={aspect: counts[aspect] - before[aspect] for aspect in ASPECTS},
    )
