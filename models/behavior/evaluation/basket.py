"""Evaluates the completion of baskets: the first half of a basket is given, the second to be predicted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from models.behavior.evaluation.affinity import POPULARITY_HALF_LIFE_DAYS, TOP, baseline_rankings
from models.behavior.evaluation.baskets import Basket, baskets
from models.behavior.evaluation.complete_basket import complete_basket
from models.behavior.evaluation.learning import Progress, Split, learn_affinities
from models.behavior.evaluation.score_table import ScoreRow, ScoreTable
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow
from models.behavior.shopper import shopper_updated
from schemas.events import Relation

Completion = Callable[[Sequence[str], str], Sequence[str]]
"""Returns the products to add to the given ones of a shopper's basket, best first."""

_COLUMNS = ("all items", "known before", "other shoppers", "mean of baskets")


def evaluate_basket(split: Split, parameters: BehaviorParameters, progress: Progress) -> ScoreTable:
    """Score the completion of baskets from published events, beside baselines.

    Args:
        split: Behavior to learn from and to score.
        parameters: The parameters of the agents.
        progress: Receives the progress.
    """
    learned = baskets(split.learned, Relation.BOUGHT, parameters.session_gap_s)
    scored = [
        each
        for each in baskets(split.scored, Relation.BOUGHT, parameters.session_gap_s)
        if len(each.products) > 1
    ]
    affinities = learn_affinities(split.learned, parameters, progress)
    events = {update.product_id: msgspec.to_builtins(update) for update in affinities.updates()}
    buyers = {each.shopper for each in learned if each.known}
    shoppers = {
        shopper: _published_shopper(shopper, affinities.shoppers[shopper], parameters)
        for shopper in sorted({each.shopper for each in scored} & buyers)
    }
    ways = [(name, _summed(ranking), False) for name, ranking, _ in baseline_rankings(learned, split.start)]
    ways += [
        ("published rows", lambda basket, _: complete_basket(basket, events, {}), True),
        (
            "published rows and the shopper's products",
            lambda basket, shopper: complete_basket(basket, events, shoppers.get(shopper, {})),
            True,
        ),
    ]
    rows = []
    for number, (name, way, ours) in enumerate(ways, start=1):
        rows.append(ScoreRow(name, half_recall(scored, way, buyers), ours))
        progress("Scoring", number, len(ways))
    return ScoreTable(
        title=f"Recall@{TOP} of a basket's second half",
        columns=_COLUMNS,
        rows=rows,
        notes=(
            f"Learned from {len(learned):,} baskets; scored on {len(scored):,} later ones of two or more.",
            "The first half of a basket, in order of entry, is given. Recall is hits by products to predict.",
            f"Popularity has a half-life of {POPULARITY_HALF_LIFE_DAYS:g} days.",
        ),
    )


def half_recall(scored: Sequence[Basket], way: Completion, buyers: "set[str]") -> tuple[float | None, ...]:
    """Compute the recall of the second halves of baskets.

    Args:
        scored: Baskets of two or more products.
        way: Completes a basket.
        buyers: Users with an earlier basket.

    Returns:
        The recall over all items, over those of `buyers`, over those of other shoppers, and the mean over
        baskets. None where there is nothing to predict.
    """
    hits: Counter[bool] = Counter()
    items: Counter[bool] = Counter()
    by_basket = 0.0
    for basket in scored:
        half = len(basket.products) // 2
        given, rest = basket.products[:half], set(basket.products[half:])
        found = len(rest.intersection(way(given, basket.shopper)[:TOP]))
        known = basket.shopper in buyers
        hits[known] += found
        items[known] += len(rest)
        by_basket += found / len(rest)
    return (
        _share(hits.total(), items.total()),
        _share(hits[True], items[True]),
        _share(hits[False], items[False]),
        _share(by_basket, len(scored)),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _summed(ranking: Callable[[str], Sequence[str]]) -> Completion:
    """Return the way that adds up the lists of the given products, by the reciprocal of the rank."""

    def completion(basket: Sequence[str], _: str) -> list[str]:
        scores: dict[str, float] = {}
        for product in basket:
            for rank, other in enumerate(ranking(product), start=1):
                scores[other] = scores.get(other, 0.0) + 1.0 / rank
        best = sorted(scores, key=lambda product: (-scores[product], product))
        return [product for product in best if product not in basket][:TOP]

    return completion


def _published_shopper(shopper: str, row: bytes, parameters: BehaviorParameters) -> Mapping[str, object]:
    update = shopper_updated(
        shopper, ShopperRow.from_bytes(row), shipped_next_behavior(), lambda _: None, parameters
    )
    return {} if update is None else msgspec.to_builtins(update)
