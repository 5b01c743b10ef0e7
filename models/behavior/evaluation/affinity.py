"""Evaluates related products: do a product's published neighbors foretell the rest of later baskets?

For every item of a basket of two or more products, the top 20 of the item's list are compared with the
basket's other items. Recall is the number of hits divided by the number of other items. It is averaged over
all items, so that large baskets count most, and over the items of products with few baskets.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from models.behavior.evaluation.baskets import Basket, baskets
from models.behavior.evaluation.learning import Progress, Split, learn_affinities, related_products
from models.behavior.evaluation.pair_counts import at_most, decayed, popular, top_together
from models.behavior.evaluation.recommending import recommended_lists
from models.behavior.evaluation.score_table import ScoreRow, ScoreTable, mean_by_group
from models.behavior.parameters import BehaviorParameters
from schemas.events import AffinityUpdated, Embedding, Relation

TOP = 20
"""The length of a list."""
POPULARITY_HALF_LIFE_DAYS = 30.0
EARLIER_HALF_LIFE_DAYS = 60.0
"""The half-life of earlier releases, whose pairs all had the weight 1."""
LARGE_BASKET = 60
"""Teams that count by hand leave out larger baskets."""

_GROUPS = ("10 or more", "1 to 9", "new")
_FEW = 10

Ranking = Callable[[str], Sequence[str]]
"""Returns a product's related products, best first."""


def evaluate_affinity(
    split: Split,
    relation: Relation,
    parameters: BehaviorParameters,
    progress: Progress,
    embeddings: Mapping[str, Embedding] | None = None,
) -> ScoreTable:
    """Score the related products that are published, beside baselines that learn from the same baskets.

    Args:
        split: Behavior to learn from and to score.
        relation: `viewed`, `carted` or `bought`.
        parameters: The parameters of the agents.
        progress: Receives the progress.
        embeddings: The embeddings of listed products, by product.
    """
    learned = baskets(split.learned, relation, parameters.session_gap_s)
    scored = [
        each for each in baskets(split.scored, relation, parameters.session_gap_s) if len(each.products) > 1
    ]
    affinities = learn_affinities(split.learned, parameters, progress)
    published = {update.product_id: update for update in affinities.updates()}
    recommended = recommended_lists(published, affinities.products, embeddings or {}, split.start, parameters)
    rankings = [
        *baseline_rankings(learned, split.start),
        ("published, " + relation.value, _published(published, relation), True),
        ("published, recommended", _of_lists(recommended), True),
    ]
    known = Counter(product for basket in learned for product in basket.products)
    rows = []
    for number, (name, ranking, ours) in enumerate(rankings, start=1):
        rows.append(ScoreRow(name, item_recall(scored, ranking, known), ours))
        progress("Scoring", number, len(rankings))
    items = sum(len(basket.products) for basket in scored)
    learned_from = f"Learned from {len(learned):,} baskets of the relation `{relation.value}`"
    return ScoreTable(
        title=f"Recall@{TOP} of a basket's other products, per item",
        columns=("all items", *(f"{group} baskets" if group != "new" else group for group in _GROUPS)),
        rows=rows,
        notes=(
            f"{learned_from}; scored on {items:,} items of {len(scored):,} later baskets of two or more.",
            "The columns are by the number of baskets with the item's product that were learned from.",
        ),
    )


def baseline_rankings(learned: Sequence[Basket], as_of: float) -> list[tuple[str, Ranking, bool]]:
    """Return the baselines by name, which are not ours."""
    best = popular(learned, decayed(as_of, POPULARITY_HALF_LIFE_DAYS), TOP + 1)
    counts = top_together(
        learned,
        [lambda _: 1.0, at_most(LARGE_BASKET), decayed(as_of, EARLIER_HALF_LIFE_DAYS)],
        TOP,
    )
    names = (
        "counts, all baskets",
        f"counts, baskets of at most {LARGE_BASKET} products",
        f"counts, half-life {EARLIER_HALF_LIFE_DAYS:g} days, as earlier releases",
    )
    rankings: list[tuple[str, Ranking, bool]] = [
        (f"popularity, half-life {POPULARITY_HALF_LIFE_DAYS:g} days", lambda _: best, False)
    ]
    rankings += [(name, _of_lists(lists), False) for name, lists in zip(names, counts, strict=True)]
    return rankings


def item_recall(
    scored: Sequence[Basket], ranking: Ranking, known: Mapping[str, int]
) -> tuple[float | None, ...]:
    """Compute the recall of the items of baskets.

    Args:
        scored: Baskets of two or more products.
        ranking: Returns a product's related products.
        known: The number of baskets with a product that were learned from.

    Returns:
        The mean over all items, then over those of products with ten or more such baskets, with fewer, and
        with none. None where there are no items.
    """
    sums, counts = dict.fromkeys(_GROUPS, 0.0), dict.fromkeys(_GROUPS, 0)
    lists: dict[str, list[str]] = {}
    for basket in scored:
        products = set(basket.products)
        for item in basket.products:
            if item not in lists:
                lists[item] = [product for product in ranking(item) if product != item][:TOP]
            group = _GROUPS[2 - (known.get(item, 0) >= 1) - (known.get(item, 0) >= _FEW)]
            sums[group] += len(products.intersection(lists[item])) / (len(products) - 1)
            counts[group] += 1
    return mean_by_group(sums, counts, _GROUPS)


def _of_lists(lists: Mapping[str, Sequence[str]]) -> Ranking:
    return lambda product: lists.get(product, ())


def _published(updates: Mapping[str, AffinityUpdated], relation: Relation) -> Ranking:
    return lambda product: related_products(updates.get(product), relation)
