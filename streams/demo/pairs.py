"""Pairs of related products as the demo shows them: the strongest, and the freshest at a pace for eyes."""

from typing import NamedTuple

from schemas.events import AffinityUpdated, Related, Relation

FRESH = 24
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
        self.fresh: list[Pair] = []
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
        if self._candidate is None or self._interest(pair) > self._interest(self._candidate):
            self._candidate = pair

    def _interest(self, pair: Pair) -> tuple[bool, int]:
        """A pair that is not on show comes first, then the one with the most support."""
        return all(pair.members != each.members for each in self.fresh), pair.support

    def withdrawn(self, product_id: str) -> None:
        """Forget a product, also as the best of others: each of them is published again without it."""
        self._best.pop(product_id, None)
        self.fresh = [each for each in self.fresh if product_id not in each.members]
        if self._candidate is not None and product_id in self._candidate.members:
            self._candidate = None

    def tick(self, now: float) -> None:
        """Once in `EVERY_S`, show the strongest of what came since; `now` in seconds."""
        if self._candidate is None or now - self._shown_at < EVERY_S:
            return
        again = [each for each in self.fresh if each.members != self._candidate.members]
        self.fresh = [self._candidate, *again][:FRESH]
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
