"""The products that a shopper is likely to look at next in a session, as a pure function.

Each product of the session votes for the best related products that affinity-updated has for it, and for
itself, because shoppers come back to what they saw. Votes of a product sum to 1 for the others, and weigh
less by a constant for each product that came after it.
"""

from collections.abc import Callable, Sequence

from models.behavior.related_lists import RelatedList
from schemas.events import NextProduct, Relation

AGING = 0.6
"""The weight of a product of the session, in comparison with the one after it."""

RECENT_PRODUCTS = 20
"""The number of distinct products of a session that vote."""

NEXT_PRODUCTS = 20
"""The number of products that are published."""

_BY_PREFERENCE = (Relation.VIEWED, Relation.CARTED, Relation.BOUGHT)


def next_products(
    recent: Sequence[str], related_to: Callable[[str], RelatedList | None]
) -> list[NextProduct]:
    """Rank the products that may come next.

    Args:
        recent: The distinct products of the session, latest first.
        related_to: Returns the related products of a product, or None if none are known.

    Returns:
        At most 20 products by descending score; ties by id. The session's own products are among them.
        Nothing if no related products are known: they alone tell nothing new.
    """
    scores: dict[str, float] = {}
    weight, known = 1.0, False
    for product_id in recent[:RECENT_PRODUCTS]:
        best = _best(related_to(product_id))
        total = sum(score for _, score in best)
        for other, score in best:
            scores[other] = scores.get(other, 0.0) + weight * score / total
        known = known or bool(best)
        scores[product_id] = scores.get(product_id, 0.0) + weight
        weight *= AGING
    if not known:
        return []
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:NEXT_PRODUCTS]
    return [NextProduct(product_id=name, score=round(score, 6)) for name, score in ordered]


def touch(recent: dict[str, float], product_id: str, time: float) -> None:
    """Note in place that a product was acted on at `time`. The products touched last are kept.

    Args:
        recent: By product, the time of its latest action, in seconds since 1970.
        product_id: The product.
        time: The time of an action.
    """
    recent[product_id] = max(time, recent.get(product_id, time))
    if len(recent) > RECENT_PRODUCTS:
        del recent[min(recent, key=lambda name: (recent[name], name))]


def joined(recent: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return the products of two parts of a session that were touched last."""
    both = dict(recent)
    for product_id, time in other.items():
        touch(both, product_id, time)
    return both


def latest_first(recent: dict[str, float]) -> list[str]:
    """Return the products by descending time of their latest action; ties by id."""
    return sorted(recent, key=lambda name: (-recent[name], name))


def _best(listed: RelatedList | None) -> Sequence[tuple[str, float]]:
    """Return the related products that foretell best: shops may send purchases only."""
    if listed is None:
        return ()
    for relation in _BY_PREFERENCE:
        best = [entry for entry in listed.related.get(relation, ()) if entry[1] > 0]
        if best:
            return best
    return ()
