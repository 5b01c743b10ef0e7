"""The mapping from Google's category tree to a tree whose file gives Google's id of its categories.

Several categories of the tree may have one Google id, because the tree is finer there. The head of a Google
category is the one among them that means the same; its finer categories are those of them below the head.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from models.arrays import Indices
from models.taxonomy.tree import Node, Taxonomy


class GoogleMapping:
    """Maps indices of Google's tree to indices of another tree.

    Args:
        google: Google's tree.
        taxonomy: A tree with Google ids.

    Attributes:
        google: As given.
        taxonomy: As given.
        heads: The index in `taxonomy` of each Google category's head, shape [Google categories]. A category
            without a counterpart has its parent's head; -1 if no category above it has one.
        finer: The indices of the finer categories, ascending, by Google index.
    """

    def __init__(self, google: Taxonomy, taxonomy: Taxonomy) -> None:
        self.google, self.taxonomy = google, taxonomy
        members: dict[int, list[Node]] = defaultdict(list)
        for node in taxonomy.nodes:
            if node.google_id is not None and node.google_id in google:
                members[google.node(node.google_id).index].append(node)
        heads = np.full(len(google), -1, dtype=np.int64)
        self.finer: dict[int, list[int]] = {}
        for category in google.nodes:
            if same := members[category.index]:
                head = _head(category, same, taxonomy)
                inside = range(head + 1, int(taxonomy.ends[head])) if head >= 0 else range(0)
                if finer := [node.index for node in same if node.index in inside]:
                    self.finer[category.index] = finer
                heads[category.index] = head
            if heads[category.index] < 0 and category.parent >= 0:
                heads[category.index] = heads[category.parent]
        self.heads: Indices = heads

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> "GoogleMapping | None":
        """The mapping to a tree; None if the tree has no Google ids."""
        return cls(Taxonomy.google(), taxonomy) if taxonomy.has_google_ids else None


def _head(category: Node, same: Sequence[Node], taxonomy: Taxonomy) -> int:
    """The head's index: the same path, else the same name, else the only highest one, else their ancestor."""
    paths = [node for node in same if node.names == category.names]
    names = [node for node in same if node.name.casefold() == category.name.casefold()]
    if paths or names:
        return min(paths or names, key=lambda node: node.level).index
    highest = min(node.level for node in same)
    if len(top := [node for node in same if node.level == highest]) == 1:
        return top[0].index
    lineages = [taxonomy.lineage[node.index] for node in top]
    common = [int(level[0]) for level in zip(*lineages, strict=True) if len(set(map(int, level))) == 1]
    return max((index for index in common if index >= 0), default=-1)
