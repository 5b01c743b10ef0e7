"""A text's probabilities by department: the sum of each, and the likeliest path below the likely ones.

They are all that a decision needs when departments are weighed anew, because the probabilities within a
department keep their proportions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import Doubles, Floats
from models.taxonomy.decision import likeliest_leaves, subtree_sums
from models.taxonomy.tree import Taxonomy

LEAST = 0.01
"""A department below this probability has no path, unless it is the likeliest: weights rarely choose it."""
CERTAIN = 0.999
"""From this probability of a department on, weights change nothing that is published."""
Path = tuple[tuple[int, float], ...]
"""Categories from a department down, each with the probability of its subtree."""


class WeighedDecision(NamedTuple):
    """A decision with departments weighed anew.

    Attributes:
        category: The deepest category that reaches its threshold; the department if none does.
        confidence: The category's probability.
        sure: Whether the department reaches its threshold.
        factors: What each department's probability was multiplied with, shape [departments].
    """

    category: int
    confidence: float
    sure: bool
    factors: Doubles


class DepartmentPaths(NamedTuple):
    """A text's departments.

    Attributes:
        masses: The probability of each department, shape [departments].
        paths: The path from each likely department to its likeliest leaf, by the department's position; none
            if one is certain.
    """

    masses: Floats
    paths: tuple[tuple[int, Path], ...]

    @property
    def certain(self) -> bool:
        """Whether one department is so likely that weights change nothing."""
        return bool(self.masses.max() >= CERTAIN)

    def decide(self, weights: Doubles, thresholds: Sequence[float]) -> WeighedDecision:
        """Decide with the departments weighed, unless one is certain.

        Probability that no department has keeps the weight 1.

        Args:
            weights: What each department's probability is multiplied with, shape [departments].
            thresholds: As in `models.taxonomy.decision.descend`.
        """
        masses = self.masses * weights
        none = max(0.0, 1.0 - float(self.masses.sum()))
        factors: Doubles = weights / (float(masses.sum()) + none)
        position, path = max(self.paths, key=lambda each: each[1][0][1] * float(weights[each[0]]))
        factor = float(factors[position])
        category, confidence = path[0][0], min(1.0, path[0][1] * factor)
        sure = confidence >= thresholds[0]
        for level, (node, mass) in enumerate(path[1:] if sure else (), 1):
            if mass * factor < thresholds[min(level, len(thresholds) - 1)]:
                break
            category, confidence = node, min(1.0, mass * factor)
        return WeighedDecision(category, confidence, sure, factors)


def department_paths(probabilities: Floats, taxonomy: Taxonomy) -> list[DepartmentPaths]:
    """The departments of each text.

    Args:
        probabilities: Shape [texts, categories].
        taxonomy: The category tree.
    """
    masses: Floats = np.add.reduceat(probabilities, taxonomy.roots, axis=1)
    likely = masses >= LEAST
    likely[np.arange(len(masses)), masses.argmax(axis=1)] = True
    # Nothing weighs these anew, and they are most titles of known shops.
    likely[masses.max(axis=1) >= CERTAIN] = False
    paths: list[list[tuple[int, Path]]] = [[] for _ in masses]
    for position, root in enumerate(taxonomy.roots.tolist()):
        texts = np.flatnonzero(likely[:, position])
        if not len(texts):
            continue
        sums = subtree_sums(probabilities[texts, root : taxonomy.ends[root]])
        leaves = likeliest_leaves(root, sums, taxonomy)
        for row, (text, leaf) in enumerate(zip(texts.tolist(), leaves.tolist(), strict=True)):
            nodes = [node for node in taxonomy.lineage[leaf].tolist() if node >= 0]
            ends = taxonomy.ends[nodes]
            inside = sums[row, ends - root] - sums[row, np.array(nodes) - root]
            paths[text].append((position, tuple(zip(nodes, inside.tolist(), strict=True))))
    return [DepartmentPaths(row, tuple(found)) for row, found in zip(masses, paths, strict=True)]
