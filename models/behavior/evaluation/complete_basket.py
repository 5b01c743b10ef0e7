"""Completes a basket from published events alone. The page on reading affinities shows this code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def complete_basket(
    basket: Sequence[str], affinities: Mapping[str, Any], shopper: Mapping[str, Any]
) -> list[str]:
    """Rank products to add to a basket: `affinities` by product, and the shopper's `shopper-updated`."""
    scores: Counter[str] = Counter()
    for update in (affinities[product] for product in basket if product in affinities):
        for related in update["related"]:
            if related["relation"] == "bought":  # in how many of the product's sessions, shrunk by one
                sessions = update["sessions"].get("bought", 0.0) + 1.0
                scores[related["product_id"]] += related["score"] / sessions
    for past in shopper.get("products", []):
        if past["action"] == "purchase":
            scores[past["product_id"]] += past["score"] * len(basket) ** 0.5 / 2
    return [product for product, _ in scores.most_common() if product not in basket][:20]
