"""A shopper's preferences: tags and categories of the products that the shopper dealt with recently.

A row stores products, not tags. Tags are looked up when preferences are published, so a corrected category or
a better model takes effect for every shopper at once.

What is published is an estimate of the names of the shopper's next products, with Dirichlet smoothing:

    score(name) = (weight(name) + strength * mean(name)) / (weight(all names) + strength)

where the mean is that of the shop. A product weighs the square root of its decayed actions, because the tenth
purchase of one product tells less of a shopper's taste than the first of another one.
"""

from collections.abc import Callable, Mapping
from math import sqrt

from models.behavior.parameters import BehaviorParameters
from models.behavior.taste_mean import NO_MEAN, ProductLabels, TasteMean, add_labels
from schemas.events import Action, Preference

ProductWeights = dict[str, tuple[float, float]]
"""By product id: a weight above zero, and the time that it is as of, in seconds since 1970."""

ACTION_WEIGHT: dict[Action, float] = {
    Action.VIEW: 1.0,
    Action.CLICK: 1.0,
    Action.CART: 3.0,
    Action.FAVORITE: 3.0,
    Action.PURCHASE: 5.0,
    Action.RETURN: -5.0,
    Action.REMOVE_FROM_CART: -3.0,
}
"""The weight of each action; other actions have none.

A return takes back a purchase, and a removal from the cart takes back a cart action, but a product's weight
never falls below zero.
"""


def add_action(
    weights: ProductWeights, product_id: str, action: Action, time: float, parameters: BehaviorParameters
) -> None:
    """Add an action to a shopper's product weights, in place. An action without a weight changes nothing.

    A weight decays exponentially: at time t it is w * 2^((s - t) / half-life), where w is the weight at time
    s. If there are too many products, those with the smallest decayed weights are dropped.

    Args:
        weights: The shopper's product weights.
        product_id: The product.
        action: The action.
        time: The event time in seconds since 1970.
        parameters: Half-life and the maximum number of products.
    """
    added = ACTION_WEIGHT.get(action)
    if added is None:
        return
    half_life = parameters.preference_half_life_s
    weight, since = weights.get(product_id, (0.0, time))
    latest = max(since, time)
    value = weight * 2.0 ** ((since - latest) / half_life)
    value += added * 2.0 ** ((time - latest) / half_life)
    if value <= 0.0:
        weights.pop(product_id, None)
        return
    weights[product_id] = (value, latest)
    if len(weights) > parameters.preference_products:
        _drop_lightest(weights, int(parameters.preference_products), half_life)


def merge_weights(weights: ProductWeights, other: ProductWeights, parameters: BehaviorParameters) -> None:
    """Add the product weights of another row of the same shopper, in place."""
    half_life = parameters.preference_half_life_s
    for product_id, stored in other.items():
        known = weights.get(product_id, stored)
        latest = max(known[1], stored[1])
        value = _decayed(stored, latest, half_life)
        if product_id in weights:
            value += _decayed(known, latest, half_life)
        weights[product_id] = (value, latest)
    if len(weights) > parameters.preference_products:
        _drop_lightest(weights, int(parameters.preference_products), half_life)


def _drop_lightest(weights: ProductWeights, bound: int, half_life_s: float) -> None:
    """Drop the products of the smallest weights, in place, down to 90% of `bound`; one by one is slow."""
    newest = max(time for _, time in weights.values())
    lightest = sorted(weights, key=lambda name: (_decayed(weights[name], newest, half_life_s), name))
    for name in lightest[: len(weights) - max(1, bound * 9 // 10)]:
        del weights[name]


def preferences(
    weights: ProductWeights,
    labels_of: Callable[[str], ProductLabels | None],
    parameters: BehaviorParameters,
    mean: TasteMean = NO_MEAN,
) -> tuple[list[Preference], list[Preference]]:
    """Compute a shopper's preferred tags and categories.

    A product's weight is divided equally among its tags, and counts in full for its category. Products
    without tags, or without a category, are left out of that list. The scores of a list sum to at most 1.

    Args:
        weights: The shopper's product weights.
        labels_of: Returns the current labels of a product, or None if the product is unknown.
        parameters: Half-life, the strength of the mean, and the number of preferences to return.
        mean: The names of the shop's average shopper. Without it, scores are proportions of the weights.

    Returns:
        Tags and categories by descending score; ties by name. Each list is empty if no product has such
        names, and otherwise has names of the mean too.
    """
    newest = max((time for _, time in weights.values()), default=0.0)
    tags: dict[str, float] = {}
    categories: dict[str, float] = {}
    for product_id, stored in weights.items():
        labels = labels_of(product_id)
        if labels is not None:
            weight = sqrt(_decayed(stored, newest, parameters.preference_half_life_s))
            add_labels(labels, weight, tags, categories)
    return _smoothed(tags, mean.tags, parameters), _smoothed(categories, mean.categories, parameters)


def _decayed(stored: tuple[float, float], now: float, half_life_s: float) -> float:
    weight, since = stored
    return weight * float(2.0 ** ((since - now) / half_life_s))


def _smoothed(
    weights: Mapping[str, float], mean: Mapping[str, float], parameters: BehaviorParameters
) -> list[Preference]:
    """Return the names with the highest scores."""
    total = sum(weights.values())
    if not total:
        return []
    strength, count = parameters.preference_prior if mean else 0.0, parameters.preference_top
    # The mean is ordered: only its first names can be among the highest, besides those of the weights.
    names = dict.fromkeys([*weights, *list(mean)[: count + len(weights)]])
    scores = {
        name: (weights.get(name, 0.0) + strength * mean.get(name, 0.0)) / (total + strength) for name in names
    }
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:count]
    # Scores are rounded down to nine digits, because rounded up they could sum to more than 1.
    return [
        Preference(
            name=name,
            score=int(min(score, 1.0) * 1e9) / 1e9,
            lift=round(score / mean[name], 3) if mean.get(name) else None,
        )
        for name, score in ordered
    ]
