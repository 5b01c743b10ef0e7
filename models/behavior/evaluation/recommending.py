"""Recommends products as a worker does, from what all rows hold at one time."""

from collections.abc import Mapping

from models.behavior.affinity_row import AffinityRow
from models.behavior.parameters import BehaviorParameters
from models.behavior.popular_products import PopularProducts
from models.behavior.product_numbers import ProductNumbers
from models.behavior.recommended import RELATION_WEIGHT, TEXT_NEIGHBORS, own_scores, recommend
from models.behavior.related_lists import RELATIONS, RelatedList, RelatedLists
from models.behavior.similarity import SimilarityIndex
from schemas.events import AffinityUpdated, Embedding

_MIXED = 60
_POPULAR = 60


def recommended_lists(
    updates: Mapping[str, AffinityUpdated],
    rows: Mapping[str, AffinityRow],
    embeddings: Mapping[str, Embedding],
    as_of: float,
    parameters: BehaviorParameters,
) -> dict[str, list[str]]:
    """Recommend products beside each product that has a row or a text.

    Args:
        updates: The events of all rows, by product.
        rows: The rows, by product.
        embeddings: The embeddings of listed products, by product.
        as_of: The time to decay to, in seconds since 1970.
        parameters: Half-life and the length of a list.
    """
    lists, popular = RelatedLists(len(updates) + 1), PopularProducts(_POPULAR, parameters.half_life_s)
    for product, update in updates.items():
        lists.put(product, related_list(update))
        sessions = sum(
            weight * update.sessions.get(relation, 0.0) for relation, weight in RELATION_WEIGHT.items()
        )
        popular.put(product, sessions, update.as_of.timestamp())
    nearest = _nearest(embeddings)
    best = list(popular.best(as_of))
    empty = AffinityRow.empty()
    found = {}
    for product in sorted(updates.keys() | embeddings.keys()):
        row = rows.get(product, empty)
        # A worker recommends as of the row's last session.
        now = as_of if product not in updates else updates[product].as_of.timestamp()
        borrowed = lists.mixed(nearest.get(product, ()), RELATION_WEIGHT, now, parameters.half_life_s, _MIXED)
        recommended = recommend(product, own_scores(row, parameters), borrowed, best, parameters.top_k)
        found[product] = [entry.product_id for entry in recommended]
    return found


def related_list(update: AffinityUpdated) -> RelatedList:
    """Return what a worker keeps of an event: its related products by behavior."""
    return RelatedList(
        update.as_of.timestamp(),
        {
            relation: [(each.product_id, each.score) for each in update.related if each.relation is relation]
            for relation in RELATIONS
        },
    )


def _nearest(embeddings: Mapping[str, Embedding]) -> dict[str, list[tuple[str, float]]]:
    numbers = ProductNumbers()
    index = SimilarityIndex(numbers)
    number_of = {product: numbers.add(product) for product in sorted(embeddings)}
    index.put({number_of[product]: embedding for product, embedding in embeddings.items()})
    found = index.nearest(list(number_of.values()), TEXT_NEIGHBORS, 0.0)
    return {product: found[number] for product, number in number_of.items() if number in found}
