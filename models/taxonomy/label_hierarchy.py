"""Label hierarchy: whether two labels are the same, one above the other, or contradict each other."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.arrays import Indices
from models.taxonomy.tree import Taxonomy


def same_or_ancestor(one: int, other: int, taxonomy: Taxonomy) -> bool:
    """Whether two categories are the same, or one is an ancestor of the other.

    Args:
        one: Index of a category in the taxonomy.
        other: Index of the other category.
        taxonomy: Category tree.
    """
    return bool(each_same_or_ancestor(np.array([one]), np.array([other]), taxonomy)[0])


def each_same_or_ancestor(ones: Indices, others: Indices, taxonomy: Taxonomy) -> npt.NDArray[np.bool_]:
    """`same_or_ancestor` for pairs of categories.

    Args:
        ones: Indices of categories, shape [pairs].
        others: Indices of the other categories, shape [pairs].
        taxonomy: Category tree.

    Returns:
        One boolean per pair, shape [pairs].
    """
    ends = taxonomy.ends
    below: npt.NDArray[np.bool_] = (ones <= others) & (others < ends[ones])
    return below | ((others <= ones) & (ones < ends[others]))


def contradict(categories: Iterable[int], taxonomy: Taxonomy) -> bool:
    """Whether any two of the categories, given by index, are neither the same nor ancestor and descendant."""
    # Indices are in depth-first order: if each category is below the one before, all are on one path.
    return any(not same_or_ancestor(one, other, taxonomy) for one, other in pairwise(sorted(set(categories))))
