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
        bought = [related for related in update["related"] if related["relation"] == "bought"]
        # Of the product; what an earlier release published does not tell.
        sessions = update["sessions"].get("bought", sum(related["score"] for related in bought))
        for related in bought:
            scores[related["product_id"]] += related["score"] / (sessions + 1.0)
    for past in shopper.get("products", []):
        if past["action"] == "purchase":
            scores[past["product_id"]] += past["score"] * len(basket) ** 0.5 / 2
    return [product for product, _ in scores.most_common() if product not in basket][:20]
