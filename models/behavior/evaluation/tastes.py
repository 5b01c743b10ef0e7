"""Evaluates tastes: do a shopper's published categories foretell the categories of later purchases?

Each basket of a known shopper who bought before is foretold from what came before it. Popularity is the
average shopper of the shop. The reciprocal rank is 0 beyond the 20 categories of a list; a probability in the
log loss is at least 1e-6. New products are those that the shopper did not buy before.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

from models.behavior.evaluation.baskets import Basket, baskets
from models.behavior.evaluation.learning import Progress, Split
from models.behavior.evaluation.score_table import ScoreRow, ScoreTable
from models.behavior.parameters import BehaviorParameters
from models.behavior.preference import ProductWeights, add_action, preferences
from models.behavior.taste_mean import NO_MEAN, ProductLabels, TasteMean, taste_mean
from schemas.events import Action, Relation

TOP = 20
"""The length of a list."""

_FLOOR = 1e-6
_ALL_CATEGORIES = 10_000
_STEPS = 100
_POPULARITY, _PROPORTIONS, _PUBLISHED = "popularity", "proportions of the shopper's own", "published"


@dataclass(slots=True)
class _Scores:
    """Sums over foretold products."""

    products: int = 0
    reciprocal_ranks: float = 0.0
    losses: float = 0.0

    def add(self, scores: Mapping[str, float], category: str) -> None:
        """Add a product of a category, foretold by scores in descending order."""
        best = list(scores)[:TOP]
        self.products += 1
        self.reciprocal_ranks += 1 / (best.index(category) + 1) if category in best else 0.0
        self.losses -= log(max(scores.get(category, 0.0), _FLOOR))

    def means(self) -> tuple[float | None, float | None]:
        """Return the mean reciprocal rank and the log loss; None without products."""
        if not self.products:
            return None, None
        return self.reciprocal_ranks / self.products, self.losses / self.products


def evaluate_tastes(
    split: Split, labels: Mapping[str, ProductLabels], parameters: BehaviorParameters, progress: Progress
) -> ScoreTable:
    """Score the categories that are published of shoppers, beside baselines.

    Args:
        split: Behavior to learn from and to score. Each basket is learned after it was scored.
        labels: The labels of products, by product.
        parameters: The parameters of the agents.
        progress: Receives the progress.
    """
    parameters = replace(parameters, preference_top=_ALL_CATEGORIES)
    found = baskets([*split.learned, *split.scored], Relation.BOUGHT, parameters.session_gap_s)
    foretelling = _Foretelling(split.start, labels, parameters)
    for number, basket in enumerate(found, start=1):
        if basket.known:
            foretelling.add(basket)
        if number % _STEPS == 0 or number == len(found):
            progress("Scoring", number, len(found))
    every, new = foretelling.every, foretelling.new
    products, new_products = every[_PUBLISHED].products, new[_PUBLISHED].products
    scored = f"{products:,} products with a category, {new_products:,} of them new"
    return ScoreTable(
        title="Categories of a known shopper's next products: mean reciprocal rank (MRR), and log loss",
        columns=("MRR", "log loss", "MRR, new products", "log loss, new products"),
        rows=[
            ScoreRow(name, (*every[name].means(), *new[name].means()), name == _PUBLISHED)
            for name in (_POPULARITY, _PROPORTIONS, _PUBLISHED)
        ],
        notes=(
            f"Scored on {scored}, of {foretelling.scored:,} baskets of known shoppers who bought before.",
            "Each basket is learned after it was scored. A lower log loss is better.",
        ),
    )


class _Foretelling:
    """Foretells one basket after the other, and learns from it.

    Attributes:
        every: The scores of all products, by way.
        new: Those of products that the shopper did not buy before.
        scored: The number of scored baskets.
    """

    def __init__(
        self, start: float, labels: Mapping[str, ProductLabels], parameters: BehaviorParameters
    ) -> None:
        self._start, self._labels, self._parameters = start, labels, parameters
        self._weights: dict[str, ProductWeights] = defaultdict(dict)
        self._popular: dict[str, float] = defaultdict(float)
        self._bought: dict[str, set[str]] = defaultdict(set)
        self.every: dict[str, _Scores] = defaultdict(_Scores)
        self.new: dict[str, _Scores] = defaultdict(_Scores)
        self.scored = 0

    def add(self, basket: Basket) -> None:
        """Score a basket, if it is late enough, and learn from it."""
        past, own = self._bought[basket.shopper], self._weights[basket.shopper]
        if basket.time >= self._start and past:
            self._score(basket, self._ways(own), past)
        for product in basket.products:
            add_action(own, product, Action.PURCHASE, basket.time, self._parameters)
            age = (basket.time - self._start) / self._parameters.preference_half_life_s
            self._popular[product] += 2.0**age
        past.update(basket.products)

    def _score(self, basket: Basket, ways: Mapping[str, Mapping[str, float]], past: set[str]) -> None:
        self.scored += 1
        for product in basket.products:
            labels = self._labels.get(product)
            if labels is None or labels.category is None:
                continue
            for name, scores in ways.items():
                self.every[name].add(scores, labels.category)
                if product not in past:
                    self.new[name].add(scores, labels.category)

    def _ways(self, own: ProductWeights) -> dict[str, Mapping[str, float]]:
        """Return the score of each category by each way, in descending order."""

        def shrunk(mean: TasteMean) -> dict[str, float]:
            _, categories = preferences(own, self._labels.get, self._parameters, mean)
            return {each.name: each.score for each in categories}

        mean = taste_mean(self._popular.items(), self._labels.get)
        return {_POPULARITY: mean.categories, _PROPORTIONS: shrunk(NO_MEAN), _PUBLISHED: shrunk(mean)}
