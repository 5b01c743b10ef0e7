"""How much evidence beside the title weighs: probabilities of title and evidence to one classification.

The constants were chosen on the `calibration` split of the shops' titles and are judged on the `test` split:
`python -m benchmarks.listing_evidence`. See `docs/decisions/evidence-weights.md`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.arrays import Booleans, Doubles, Floats, Indices
from models.student.classifier import CANDIDATES, Classification
from models.taxonomy.decision import descend, top
from models.taxonomy.department_paths import department_paths
from models.taxonomy.tree import Taxonomy

PATH_FLOOR, TYPE_FLOOR = 0.1, 0.3
"""The probability that evidence says nothing; it is spread evenly over the departments."""
TITLE_BESIDE_PATH = 0.5
"""The weight of the title's log probabilities beside a shop's own path, which is the surer of the two."""
CONTRADICTS = 0.99
"""From this probability of a department on, a shop's own path is sure: it makes a sure title of another
department unsure, and decides where the title leaves the department open."""


class EvidenceWeights:
    """Combines a title's probabilities with those of a shop's own category or of a type.

    Args:
        taxonomy: The category tree.
        thresholds: Least confidence of a published category of level 1, 2, …
    """

    def __init__(self, taxonomy: Taxonomy, thresholds: Sequence[float]) -> None:
        self._taxonomy, self._thresholds = taxonomy, thresholds
        roots, ends = taxonomy.roots, taxonomy.ends
        self._even: Doubles = np.zeros(len(taxonomy), dtype=np.float64)
        for root in roots.tolist():
            self._even[root : ends[root]] = 1.0 / (len(roots) * (ends[root] - root))

    def classify(
        self, results: Sequence[Classification], titles: Floats, evidence: Floats, is_path: Booleans
    ) -> list[Classification]:
        """The classifications of titles with their evidence.

        A sure title stays sure, unless a path surely contradicts its department.

        Args:
            results: The classifications of the titles alone.
            titles: The titles' probabilities, shape [texts, categories]; zeros for an unknown title.
            evidence: The evidence's probabilities, shape [texts, categories]; zeros for unknown evidence.
            is_path: Whether the evidence is a path; otherwise it is a type.
        """
        says: Booleans = evidence.max(axis=1) > 0.0
        departments: Floats = np.add.reduceat(evidence, self._taxonomy.roots, axis=1)
        surely = is_path & (departments.max(axis=1) >= CONTRADICTS)
        joint = self._joint(titles, evidence, is_path)
        unsure = ~descend(joint, self._taxonomy, self._thresholds)[2]
        unsure &= surely & ~np.fromiter((each.sure for each in results), np.bool_, len(results))
        joint[unsure] = evidence[unsure]
        chosen, confidence, sure = descend(joint, self._taxonomy, self._thresholds)
        columns, values = top(joint, min(CANDIDATES, len(self._taxonomy)))
        paths = department_paths(joint, self._taxonomy)
        contradicts = surely & (
            self._taxonomy.roots[departments.argmax(axis=1)] != self._departments(results)
        )
        found: list[Classification] = []
        for row, result in enumerate(results):
            keeps = result.sure and not sure[row] and not contradicts[row]
            if not says[row] or keeps:
                found.append(result)
                continue
            masses = np.round(values[row].astype(np.float64), 4).tolist()
            found.append(
                replace(
                    result,
                    category=int(chosen[row]),
                    confidence=round(float(confidence[row]), 4),
                    sure=bool(sure[row]),
                    candidates=tuple(zip(columns[row].tolist(), masses, strict=True)),
                    departments=paths[row],
                )
            )
        return found

    def _joint(self, titles: Floats, evidence: Floats, is_path: Booleans) -> Floats:
        """Products of powers of both probabilities, shape [texts, categories], with sum 1."""
        floor = np.where(is_path, PATH_FLOOR, TYPE_FLOOR)[:, None]
        known: Booleans = (titles.max(axis=1) > 0.0)[:, None]
        weighed: Doubles = np.where(known, titles.astype(np.float64), 1.0)
        # A scalar exponent is a square root here, an array of exponents takes ten times as long.
        weighed[is_path] **= TITLE_BESIDE_PATH
        weighed *= (1.0 - floor) * evidence + floor * self._even
        weighed /= weighed.sum(axis=1, keepdims=True)
        return weighed.astype(np.float32)

    def _departments(self, results: Sequence[Classification]) -> Indices:
        categories = np.array([result.category for result in results], dtype=np.int64)
        return np.where(categories >= 0, self._taxonomy.lineage[categories, 0], -1)
