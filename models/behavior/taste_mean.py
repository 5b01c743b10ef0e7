"""The average shopper's taste: how the weight of a shop's behavior is spread over tags and categories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

_MOST_NAMES = 10_000


class ProductLabels(NamedTuple):
    """The labels of a product: the names of its tags, and the path of its category or None."""

    tags: Sequence[str]
    category: str | None


class TasteMean(NamedTuple):
    """The proportions of tags, and of categories, in descending order. Each sums to at most 1."""

    tags: Mapping[str, float]
    categories: Mapping[str, float]


NO_MEAN = TasteMean({}, {})
"""The mean of a shop without behavior."""


def add_labels(
    labels: ProductLabels, weight: float, tags: dict[str, float], categories: dict[str, float]
) -> None:
    """Add a product's weight to its tags, divided equally among them, and to its category, in place."""
    names = dict.fromkeys(labels.tags)
    for name in names:
        tags[name] = tags.get(name, 0.0) + weight / len(names)
    if labels.category is not None:
        categories[labels.category] = categories.get(labels.category, 0.0) + weight


def taste_mean(
    weights: Iterable[tuple[str, float]], labels_of: Callable[[str], ProductLabels | None]
) -> TasteMean:
    """Compute the mean.

    Args:
        weights: Products with the weight of all behavior with them, at least 0.
        labels_of: Returns the labels of a product, or None if it is unknown.
    """
    tags: dict[str, float] = {}
    categories: dict[str, float] = {}
    for product_id, weight in weights:
        labels = labels_of(product_id) if weight > 0 else None
        if labels is not None:
            add_labels(labels, weight, tags, categories)
    return TasteMean(_proportions(tags), _proportions(categories))


def blended(means: Sequence[tuple[float, TasteMean]]) -> TasteMean:
    """Return the mean of a shopper of several shops: each shop's proportions by its weight, above 0."""
    if len(means) <= 1:
        return means[0][1] if means else NO_MEAN
    tags: dict[str, float] = {}
    categories: dict[str, float] = {}
    for weight, mean in means:
        for sums, proportions in ((tags, mean.tags), (categories, mean.categories)):
            for name, proportion in proportions.items():
                sums[name] = sums.get(name, 0.0) + weight * proportion
    return TasteMean(_proportions(tags), _proportions(categories))


def _proportions(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return {name: weight / total for name, weight in ordered[:_MOST_NAMES]}
