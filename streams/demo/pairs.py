"""Pairs of related products: the strongest, and the latest at a readable pace."""

from typing import NamedTuple

from schemas.events import AffinityUpdated, Related, Relation

FRESH = 24
"""Number of latest pairs that are kept."""

EVERY_S = 0.7
"""Least seconds between two new pairs: a reader cannot follow hundreds per second."""


class Pair(NamedTuple):
    """Two related products. Relation, score and support are those of `schemas.events.Related`."""

    one: str
    other: str
    relation: Relation
    score: float
    support: int

    @property
    def members(self) -> frozenset[str]:
        """The ids of both products."""
        return frozenset((self.one, self.other))


class Pairs:
    """The latest published affinity of every product.

    Attributes:
        fresh: Recently published pairs, the latest first.
    """

    def __init__(self) -> None:
        self.fresh: list[Pair] = []
        self._best: dict[str, Related] = {}
        self._candidate: Pair | None = None
        self._displayed_at = float("-inf")

    def add(self, event: AffinityUpdated) -> None:
        """Add an affinity-updated event."""
        product = event.product_id
        if not event.related:
            self._best.pop(product, None)
            return
        best = self._best[product] = event.related[0]
        if best.relation is Relation.SIMILAR:
            return
        pair = Pair(product, best.product_id, best.relation, best.score, best.support)
        if self._candidate is None or self._display_rank(pair) > self._display_rank(self._candidate):
            self._candidate = pair

    def _display_rank(self, pair: Pair) -> tuple[bool, int]:
        """Rank a pair for display: pairs that are not displayed come first, then those with more support."""
        return all(pair.members != each.members for each in self.fresh), pair.support

    def remove(self, product_id: str) -> None:
        """Remove a product and the pairs with it. Its partners are published again without it."""
        self._best.pop(product_id, None)
        self.fresh = [each for each in self.fresh if product_id not in each.members]
        if self._candidate is not None and product_id in self._candidate.members:
            self._candidate = None

    def tick(self, now: float) -> None:
        """Every `EVERY_S` seconds move the best new pair to `fresh`.

        Args:
            now: Present time in seconds.
        """
        if self._candidate is None or now - self._displayed_at < EVERY_S:
            return
        others = [each for each in self.fresh if each.members != self._candidate.members]
        self.fresh = [self._candidate, *others][:FRESH]
        self._candidate = None
        self._displayed_at = now

    def strongest(self, count: int) -> list[Pair]:
        """Return the pairs with the highest behavior scores, best first, at most one per product.

        Args:
            count: Most pairs to return.
        """
        candidates = (
            Pair(product, best.product_id, best.relation, best.score, best.support)
            for product, best in self._best.items()
            if best.relation is not Relation.SIMILAR
        )
        chosen: list[Pair] = []
        taken: set[str] = set()
        for pair in sorted(candidates, key=lambda pair: (-pair.score, -pair.support, pair.one)):
            if taken.isdisjoint(pair.members):
                chosen.append(pair)
                taken |= pair.members
            if len(chosen) == count:
                break
        return chosen

    def counts(self) -> tuple[int, int]:
        """Return the number of products with neighbors by behavior, and by text only."""
        similar = sum(best.relation is Relation.SIMILAR for best in self._best.values())
        return len(self._best) - similar, similar
