"""Whether labels contradict each other: a coarse one and a finer one below it do not."""

from collections.abc import Iterable
from itertools import pairwise

from models.taxonomy import Taxonomy


def akin(one: int, other: int, taxonomy: Taxonomy) -> bool:
    """Whether two categories, by index, are the same or one lies below the other."""
    ends = taxonomy.ends
    return bool(one <= other < ends[one] or other <= one < ends[other])


def contradict(categories: Iterable[int], taxonomy: Taxonomy) -> bool:
    """Whether any two of the categories, by index, are not akin."""
    # In depth-first order, if each lies below the one before it, they are one chain.
    return any(not akin(one, other, taxonomy) for one, other in pairwise(sorted(set(categories))))
