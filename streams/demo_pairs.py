"""Pairs of related products as the demo shows them: the strongest, and the freshest at a pace for eyes."""

from collections import deque
from typing import NamedTuple

from schemas.events import AffinityUpdated, Related, Relation

FRESH = 12
"""How many of the freshest pairs are kept."""

EVERY_S = 0.7
"""A new pair is shown this often at most, in seconds: nobody can read hundreds a second."""


class Pair(NamedTuple):
    """Two products, and how strongly they belong together; see `schemas.events.Related`."""

    one: str
    other: str
    relation: Relation
    score: float
    support: int

    @property
    def members(self) -> frozenset[str]:
        """Both products, in no order."""
        return frozenset((self.one, self.other))


class Pairs:
    """The related products that were published last, of every product.

    Attributes:
        fresh: pairs that were published lately, the latest first.
    """

    def __init__(self) -> None:
        self.fresh: deque[Pair] = deque(maxlen=FRESH)
        self._best: dict[str, Related] = {}
        self._candidate: Pair | None = None
        self._shown_at = float("-inf")

    def updated(self, event: AffinityUpdated) -> None:
        """Take in what was published of a product."""
        product = event.product_id
        if not event.related:
            self._best.pop(product, None)
            return
        best = self._best[product] = event.related[0]
        if best.relation is Relation.SIMILAR:
            return
        pair = Pair(product, best.product_id, best.relation, best.score, best.support)
        if self._candidate is None or pair.support > self._candidate.support:
            shown = {each.members: each.support for each in self.fresh}
            if shown.get(pair.members) != pair.support:
                self._candidate = pair

    def withdrawn(self, product_id: str) -> None:
        """Forget a product, also as the best of others: each of them is published again without it."""
        self._best.pop(product_id, None)
        self.fresh = deque((each for each in self.fresh if product_id not in each.members), maxlen=FRESH)
        if self._candidate is not None and product_id in self._candidate.members:
            self._candidate = None

    def tick(self, now: float) -> None:
        """Once in `EVERY_S`, show the strongest of what came since; `now` in seconds."""
        if self._candidate is None or now - self._shown_at < EVERY_S:
            return
        again = [each for each in self.fresh if each.members != self._candidate.members]
        self.fresh = deque([self._candidate, *again], maxlen=FRESH)
        self._candidate = None
        self._shown_at = now

    def strongest(self, count: int) -> list[Pair]:
        """The pairs with the highest scores of behaviour, best first, each product in one of them at most."""
        behaving = (
            Pair(product, best.product_id, best.relation, best.score, best.support)
            for product, best in self._best.items()
            if best.relation is not Relation.SIMILAR
        )
        chosen: list[Pair] = []
        taken: set[str] = set()
        for pair in sorted(behaving, key=lambda pair: (-pair.score, -pair.support, pair.one)):
            if taken.isdisjoint(pair.members):
                chosen.append(pair)
                taken |= pair.members
            if len(chosen) == count:
                break
        return chosen

    def counts(self) -> tuple[int, int]:
        """How many products have related ones by behaviour, and how many by their text alone."""
        similar = sum(best.relation is Relation.SIMILAR for best in self._best.values())
        return len(self._best) - similar, similar
