"""What of a row may be published: related products that enough sessions support.

Support counts sessions, not shoppers: a row does not know whose session it was. One shopper with k sessions
of both products passes a minimum of k alone.
"""

from collections.abc import Sequence

from models.behavior.neighbors import RankedNeighbor
from models.behavior.parameters import BehaviorParameters


def ranked_count(parameters: BehaviorParameters) -> int:
    """Return how many neighbors of a row to rank, so that `top_k` of them may be published if there are."""
    return parameters.top_k if parameters.min_support <= 1 else parameters.neighbors


def publishable(ranked: Sequence[RankedNeighbor], parameters: BehaviorParameters) -> list[RankedNeighbor]:
    """Return the neighbors that may be published.

    Args:
        ranked: The first `ranked_count` neighbors of a relation, best first.
        parameters: The minimum support, and the number of neighbors to publish.

    Returns:
        The first `top_k` with the minimum support, best first.
    """
    if parameters.min_support <= 1:
        return list(ranked[: parameters.top_k])
    return [entry for entry in ranked if entry.support >= parameters.min_support][: parameters.top_k]
