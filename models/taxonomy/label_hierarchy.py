"""Whether labels contradict each other: a coarse one and a finer one below it do not."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.arrays import Indices
from models.taxonomy.tree import Taxonomy


def akin(one: int, other: int, taxonomy: Taxonomy) -> bool:
    """Whether two categories, by index, are the same or one lies below the other."""
    return bool(each_akin(np.array([one]), np.array([other]), taxonomy)[0])


def each_akin(ones: Indices, others: Indices, taxonomy: Taxonomy) -> npt.NDArray[np.bool_]:
    """As `akin`, for pairs of categories: shape [pairs], like both arguments."""
    ends = taxonomy.ends
    below: npt.NDArray[np.bool_] = (ones <= others) & (others < ends[ones])
    return below | ((others <= ones) & (ones < ends[others]))


def contradict(categories: Iterable[int], taxonomy: Taxonomy) -> bool:
    """Whether any two of the categories, by index, are not akin."""
    # In depth-first order, if each lies below the one before it, they are one chain.
    return any(not akin(one, other, taxonomy) for one, other in pairwise(sorted(set(categories))))
