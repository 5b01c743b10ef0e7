"""Decisions over a category tree: subtree sums, the best candidates, and how deep to go."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Booleans, Floats, Indices
from models.taxonomy.tree import Taxonomy


def subtree_sums(share: Floats) -> Floats:
    """Shape [texts, categories + 1]: running sums, so that a subtree's mass is one difference.

    The probability of category `i` and below is `sums[:, ends[i]] - sums[:, i]`, to about 1e-5.
    """
    sums = np.zeros((share.shape[0], share.shape[1] + 1), dtype=np.float32)
    np.cumsum(share, axis=1, out=sums[:, 1:])
    return sums


def top(share: Floats, count: int, blocks: int = 373) -> tuple[Indices, Floats]:
    """The greatest values of each row with their columns, greatest first.

    Exact: the greatest `count` lie in the `count` blocks with the greatest maxima, a block being every
    `blocks`-th column, so that only those few columns are sorted.

    Args:
        share: Shape [texts, categories]; at least `count` categories.
        count: How many.
        blocks: The number of blocks, at least `count`.

    Returns:
        Columns and values, each of shape [texts, count].
    """
    texts, categories = share.shape
    depth = -(-categories // blocks)
    padded = np.empty((texts, depth * blocks), dtype=np.float32)
    padded[:, :categories] = share
    padded[:, categories:] = -np.inf
    maxima = padded.reshape(texts, depth, blocks).max(axis=1)
    best = np.argpartition(maxima, -count, axis=1)[:, -count:]
    columns = (best[:, :, None] + np.arange(depth) * blocks).reshape(texts, -1)
    values = np.take_along_axis(padded, columns, axis=1)
    order = np.argsort(-values, axis=1)[:, :count]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)


def descend(
    share: Floats, taxonomy: Taxonomy, thresholds: Sequence[float]
) -> tuple[Indices, Floats, Booleans]:
    """Walk from the likeliest root to its likeliest child while the threshold of that level is reached.

    Args:
        share: Shape [texts, categories]: probabilities.
        taxonomy: The tree.
        thresholds: For level 1, 2, …; the last one holds for all deeper levels.

    Returns:
        For each text the category reached (the likeliest root where even that is not sure), its probability,
        and whether level 1 was sure.
    """
    roots = taxonomy.roots
    # The roots' subtrees tile the columns.
    mass = np.add.reduceat(share, roots, axis=1)
    best = mass.argmax(axis=1)
    chosen, confidence = roots[best], mass[np.arange(len(share)), best]
    sure = confidence >= thresholds[0]
    for root in np.unique(chosen[sure]):
        texts = np.flatnonzero(sure & (chosen == root))
        sums = subtree_sums(share[texts, root : taxonomy.ends[root]])
        _descend_within(int(root), texts, sums, taxonomy, thresholds, chosen, confidence)
    return chosen, np.clip(confidence, 0.0, 1.0), sure


def _descend_within(
    root: int,
    texts: Indices,
    sums: Floats,
    taxonomy: Taxonomy,
    thresholds: Sequence[float],
    chosen: Indices,
    confidence: Floats,
) -> None:
    """Go on below one root, `sums` being those of the texts over its subtree; updates the last two."""
    rows = np.arange(len(texts))
    for level in range(1, taxonomy.lineage.shape[1]):
        children = taxonomy.children_table[chosen[texts]]
        children = children[:, : int((children >= 0).sum(axis=1).max(initial=0))]
        if not children.size:
            return
        inside = np.maximum(children, root)
        mass = sums[rows[:, None], taxonomy.ends[inside] - root] - sums[rows[:, None], inside - root]
        mass[children < 0] = -1.0
        best = mass.argmax(axis=1)
        reached = mass[np.arange(len(rows)), best]
        goes = reached >= thresholds[min(level, len(thresholds) - 1)]
        chosen[texts[goes]] = children[goes, best[goes]]
        confidence[texts[goes]] = reached[goes]
        texts, rows = texts[goes], rows[goes]
