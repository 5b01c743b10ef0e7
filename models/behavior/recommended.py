"""One list of products to show beside another one, from all that is known of both.

The score of a product is a sum:

- its own scores in the product's row, weighted by relation;
- what is borrowed: its scores in the rows of the products with the nearest texts, each weighted by its cosine
  and by `BORROWED_WEIGHT`. Rows of few sessions gain most, and a new product has nothing else;
- how popular it is in the shop: its decayed number of sessions, weighted by `POPULAR_WEIGHT`.

`shelfstream evaluate affinity --products FILE` measures the list.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest

from models.behavior.affinity_row import AffinityRow
from models.behavior.parameters import BehaviorParameters
from schemas.events import Recommended, Relation

TEXT_NEIGHBORS = 10
"""The number of products with the nearest texts whose rows are borrowed."""
BORROWED_WEIGHT = 0.1
POPULAR_WEIGHT = 0.004
OWN_NEIGHBORS = 60
"""The number of a product's own neighbors for each relation that are blended."""
RELATION_WEIGHT = {Relation.VIEWED: 0.1, Relation.CARTED: 0.5, Relation.BOUGHT: 1.0}
"""The weight of a score by its relation: an assumption, since no data at hand has enough of all three.

Within one relation the weights change nothing.
"""
_SIGNIFICANT_DIGITS = 6

Scored = Iterable[tuple[str, float]]
"""Products with scores as of one time. A product may occur several times: its scores are added."""


def own_scores(row: AffinityRow, parameters: BehaviorParameters) -> Iterator[tuple[str, float]]:
    """Yield a product's own neighbors that enough sessions support, with scores weighted by relation."""
    for relation, weight in RELATION_WEIGHT.items():
        for entry in row.top_k(relation, OWN_NEIGHBORS):
            if entry.support >= parameters.min_support:
                yield entry.product_id, weight * entry.score


def recommend(
    product_id: str,
    own: Scored,
    borrowed: Scored,
    popular: Scored,
    count: int,
    may_relate: Callable[[str], bool] = lambda _: True,
) -> list[Recommended]:
    """Blend a product's row, the rows of products with similar texts, and popularity.

    Args:
        product_id: The product.
        own: Its neighbors; see `own_scores`.
        borrowed: Products in rows of products with similar texts, with the sums of their scores, weighted by
            relation and by cosine; see `RelatedLists.mixed`.
        popular: The shop's popular products with their decayed numbers of sessions.
        count: The length of the list at most.
        may_relate: Whether a product may be published as related, such as one of the same shop.

    Returns:
        Products by descending score; ties by id. The product itself is not among them.
    """
    scores: dict[str, float] = {}
    for weight, products in ((1.0, own), (BORROWED_WEIGHT, borrowed), (POPULAR_WEIGHT, popular)):
        for product, score in products:
            scores[product] = scores.get(product, 0.0) + weight * score
    scores.pop(product_id, None)
    return _best(scores.items(), count, may_relate)


def _best(
    scores: Iterable[tuple[str, float]], count: int, may_relate: Callable[[str], bool]
) -> list[Recommended]:
    # Rounding makes ties of rounding errors, and takes longer than all the rest: only for those in question.
    some = nlargest(4 * count, ((score, product) for product, score in scores if score > 0.0))
    rounded = sorted((-float(f"{score:.{_SIGNIFICANT_DIGITS}g}"), product) for score, product in some)
    found: list[Recommended] = []
    for negative, product in rounded:
        if len(found) == count:
            break
        if may_relate(product):
            found.append(Recommended(product_id=product, score=-negative))
    return found
