"""The damping of pairs: what enters a session after many other products says less about each of them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.behavior.parameters import BehaviorParameters

Doubles = NDArray[np.float64]


def damping(ranks: Doubles, parameters: BehaviorParameters) -> Doubles:
    """Return the weight of pairs whose later products have these ranks: 1 / (1 + (k / scale)²).

    Args:
        ranks: The numbers of products that entered before, any shape.
        parameters: The scale, and the step to a multiple of which k is rounded down.
    """
    step = int(parameters.damping_step)
    return np.asarray(1.0 / (1.0 + (ranks // step * step / parameters.damping_products) ** 2))


def damping_of_times(times: Doubles, parameters: BehaviorParameters) -> Doubles:
    """Return the damping of the products of a session. Products of one time share their mean rank.

    Args:
        times: Entry times, ascending; shape (products,).
        parameters: The damping, and the bound on products.
    """
    # The products of one time take up the ranks from the first to the last one: twice their mean is the sum.
    twice_mean = times.searchsorted(times, "left") + times.searchsorted(times, "right") - 1
    damped: Doubles = _by_half_rank(parameters)[twice_mean]
    return damped


def greatest_squares(products: int, parameters: BehaviorParameters) -> float:
    """Return the greatest sum of the squared weights of a session's pairs, whatever its entry times are.

    Args:
        products: The number of products of the session, at least 1.
        parameters: The damping.
    """
    # Products of one time with the mean rank k have k pairs each with products that are not after them.
    best = [0.0]
    for end in range(1, products + 1):
        starts = np.arange(end)
        ranks = (starts + end - 1) / 2
        last = (end - starts) * ranks * damping(ranks, parameters) ** 2
        best.append(float(np.max(np.array(best) + last)))
    return best[products]


@lru_cache(maxsize=8)
def _by_half_rank(parameters: BehaviorParameters) -> Doubles:
    return damping(np.arange(2 * int(parameters.session_pair_products)) / 2, parameters)
