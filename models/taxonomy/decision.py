"""Decisions over a category tree: subtree sums, the best candidates, and how deep to go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Booleans, Floats, Indices
from models.taxonomy.tree import Taxonomy


@dataclass(frozen=True, slots=True)
class DecisionStep:
    """One level of a decision.

    Attributes:
        category: The likeliest category's index.
        probability: The probability of this category with its subtree.
        runner_up: The likeliest sibling's index; -1 if there is none.
    """

    category: int
    probability: float
    runner_up: int


def likeliest_path(probabilities: Floats, taxonomy: Taxonomy) -> Iterator[DecisionStep]:
    """Yield the path from the likeliest root down, without thresholds.

    The path ends at a leaf, or where no child has at least half of its parent's probability.

    Args:
        probabilities: The probabilities of one text, shape [categories].
        taxonomy: The category tree.
    """
    choices = taxonomy.roots.tolist()
    parent_mass = 0.0
    while choices:
        masses = {choice: float(probabilities[choice : taxonomy.ends[choice]].sum()) for choice in choices}
        best, *others = sorted(choices, key=lambda choice: -masses[choice])
        if masses[best] < 0.5 * parent_mass:
            return
        yield DecisionStep(best, masses[best], others[0] if others else -1)
        parent_mass = masses[best]
        choices = list(taxonomy.nodes[best].children)


def subtree_sums(probabilities: Floats) -> Floats:
    """Running sums over the categories, so that a subtree's probability is one difference.

    The probability of category `i` with its subtree is `sums[:, ends[i]] - sums[:, i]`, to about 1e-5.

    Args:
        probabilities: Shape [texts, categories].

    Returns:
        Sums, shape [texts, categories + 1].
    """
    sums = np.zeros((probabilities.shape[0], probabilities.shape[1] + 1), dtype=np.float32)
    np.cumsum(probabilities, axis=1, out=sums[:, 1:])
    return sums


def top(probabilities: Floats, count: int, blocks: int = 373) -> tuple[Indices, Floats]:
    """The greatest values of each row with their columns, greatest first.

    The result is exact. The greatest `count` values lie in the `count` blocks with the greatest maxima, where
    a block is every `blocks`-th column, so that only those columns are sorted.

    Args:
        probabilities: Shape [texts, categories], with at least `count` categories.
        count: The number of values per row.
        blocks: The number of blocks, at least `count`.

    Returns:
        Columns and values, each of shape [texts, count].
    """
    texts, categories = probabilities.shape
    depth = -(-categories // blocks)
    padded = np.empty((texts, depth * blocks), dtype=np.float32)
    padded[:, :categories] = probabilities
    padded[:, categories:] = -np.inf
    maxima = padded.reshape(texts, depth, blocks).max(axis=1)
    best = np.argpartition(maxima, -count, axis=1)[:, -count:]
    columns = (best[:, :, None] + np.arange(depth) * blocks).reshape(texts, -1)
    values = np.take_along_axis(padded, columns, axis=1)
    order = np.argsort(-values, axis=1)[:, :count]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)


def descend(
    probabilities: Floats, taxonomy: Taxonomy, thresholds: Sequence[float]
) -> tuple[Indices, Floats, Booleans]:
    """Walk from the likeliest root to its likeliest child while the threshold of that level is reached.

    Args:
        probabilities: Shape [texts, categories].
        taxonomy: The category tree.
        thresholds: The thresholds of level 1, 2, …; the last one holds for all deeper levels.

    Returns:
        Three arrays of shape [texts]: the index of the category reached, or of the likeliest root if level 1
        missed its threshold; the category's probability; and whether level 1 reached its threshold.
    """
    roots = taxonomy.roots
    # The roots' subtrees tile the columns.
    mass = np.add.reduceat(probabilities, roots, axis=1)
    best = mass.argmax(axis=1)
    chosen, confidence = roots[best], mass[np.arange(len(probabilities)), best]
    sure = confidence >= thresholds[0]
    for root in np.unique(chosen[sure]):
        texts = np.flatnonzero(sure & (chosen == root))
        sums = subtree_sums(probabilities[texts, root : taxonomy.ends[root]])
        _descend_within(int(root), texts, sums, taxonomy, thresholds, chosen, confidence)
    return chosen, np.clip(confidence, 0.0, 1.0), sure


def likeliest_leaves(root: int, sums: Floats, taxonomy: Taxonomy) -> Indices:
    """The leaf that each text reaches below a root if it always walks to the likeliest child.

    Args:
        root: The root's index.
        sums: The subtree sums of the texts over the root's subtree, shape [texts, subtree + 1].
        taxonomy: The category tree.
    """
    chosen = np.full(len(sums), root, dtype=np.int64)
    confidence = np.ones(len(sums), dtype=np.float32)
    _descend_within(root, np.arange(len(sums)), sums, taxonomy, (0.0,), chosen, confidence)
    return chosen


def _descend_within(
    root: int,
    texts: Indices,
    sums: Floats,
    taxonomy: Taxonomy,
    thresholds: Sequence[float],
    chosen: Indices,
    confidence: Floats,
) -> None:
    """Continue the descent below one root and update `chosen` and `confidence` in place.

    Args:
        root: The root's index.
        texts: The rows of `chosen` whose likeliest root this is.
        sums: The subtree sums of these texts over the root's subtree.
        taxonomy: The category tree.
        thresholds: As in `descend`.
        chosen: The index of the category reached by each text.
        confidence: The category's probability.
    """
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
        continues = reached >= thresholds[min(level, len(thresholds) - 1)]
        chosen[texts[continues]] = children[continues, best[continues]]
        confidence[texts[continues]] = reached[continues]
        texts, rows = texts[continues], rows[continues]
