"""What a shopper likes: tags and categories of the products that the shopper dealt with lately.

A row keeps products, not tags: tags are looked up when a preference is published, so a product's correction
or a better model reaches every shopper at once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from models.behavior.parameters import BehaviorParameters
from schemas.events import Action, Preference

Tastes = dict[str, tuple[float, float]]
"""Product id to (weight, time of the latest action in seconds); the weight is as of that time, above zero."""

ACTION_WEIGHT: dict[Action, float] = {
    Action.VIEW: 1.0,
    Action.CLICK: 1.0,
    Action.CART: 3.0,
    Action.FAVORITE: 3.0,
    Action.PURCHASE: 5.0,
    Action.RETURN: -5.0,
}
"""How much an action says about taste. A return takes back what a purchase said, but never more than all."""


class Description(NamedTuple):
    """What is known of a product: its tags' names, and its category's path if it has one."""

    tags: Sequence[str]
    category: str | None


def remember(
    tastes: Tastes, product_id: str, action: Action, time: float, parameters: BehaviorParameters
) -> None:
    """Add an action to `tastes`, in place; when there are too many, the least decayed weights go.

    Args:
        tastes: The shopper's products.
        product_id: The product.
        action: What the shopper did with it.
        time: When, in seconds.
        parameters: Half-life and bound.
    """
    half_life = parameters.preference_half_life_s
    weight, since = tastes.get(product_id, (0.0, time))
    latest = max(since, time)
    value = weight * 2.0 ** ((since - latest) / half_life)
    value += ACTION_WEIGHT[action] * 2.0 ** ((time - latest) / half_life)
    if value <= 0.0:
        tastes.pop(product_id, None)
        return
    tastes[product_id] = (value, latest)
    if len(tastes) > parameters.preference_products:
        _thin(tastes, int(parameters.preference_products), half_life)


def _thin(tastes: Tastes, bound: int, half_life_s: float) -> None:
    """Forget the lightest products, in place, to nine tenths of `bound`: one by one is slow."""
    newest = max(moment for _, moment in tastes.values())
    lightest = sorted(tastes, key=lambda name: (_aged(tastes[name], newest, half_life_s), name))
    for name in lightest[: len(tastes) - max(1, bound * 9 // 10)]:
        del tastes[name]


def preferences(
    tastes: Tastes,
    describe: Callable[[str], Description | None],
    parameters: BehaviorParameters,
) -> tuple[list[Preference], list[Preference]]:
    """The shopper's preferred tags and categories.

    Each product shares its decayed weight equally among its tags, and gives it wholly to its category. A
    score is the share of all weight, so that scores sum to at most 1.

    Args:
        tastes: The shopper's products.
        describe: What is known of a product now; None if nothing is.
        parameters: Half-life and how many to publish.

    Returns:
        Tags and categories, best first, ties by name.
    """
    newest = max((moment for _, moment in tastes.values()), default=0.0)
    tags: dict[str, float] = {}
    categories: dict[str, float] = {}
    total = 0.0
    for product_id, taste in tastes.items():
        weight = _aged(taste, newest, parameters.preference_half_life_s)
        total += weight
        known = describe(product_id)
        if known is None:
            continue
        names = dict.fromkeys(known.tags)
        for name in names:
            tags[name] = tags.get(name, 0.0) + weight / len(names)
        if known.category is not None:
            categories[known.category] = categories.get(known.category, 0.0) + weight
    return (
        _best(tags.items(), total, parameters.preference_top),
        _best(categories.items(), total, parameters.preference_top),
    )


def _aged(taste: tuple[float, float], now: float, half_life_s: float) -> float:
    weight, since = taste
    return weight * float(2.0 ** ((since - now) / half_life_s))


def _best(weights: Iterable[tuple[str, float]], total: float, count: int) -> list[Preference]:
    ordered = sorted(weights, key=lambda item: (-item[1], item[0]))[:count]
    # Floor to nine digits: rounded up, twenty shares could sum to just above 1.
    return [Preference(name=name, score=int(weight / total * 1e9) / 1e9) for name, weight in ordered]
