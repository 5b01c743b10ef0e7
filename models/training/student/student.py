"""The trained student: vocabulary, embedding table and output matrix."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.arrays import Floats
from models.text.features import feature_hash


@dataclass
class Student:
    """The parameters of a trained student.

    Attributes:
        hashes: Hashes of the features of rows 1, 2, …, shape [rows - 1].
        table: Embedding table, shape [rows, dimensions]. Row 0 is zero.
        weights: Output matrix, shape [dimensions, categories].
        bias: Output bias, shape [categories].
        shrinkage: Constant added to the number of features; see `TrainingConfig`.
        seen_ngrams: Hashes of words and word pairs that are frequent in the labeled titles; see
            `models.student.seen_ngrams`.
    """

    hashes: npt.NDArray[np.uint32]
    table: Floats
    weights: Floats
    bias: Floats
    shrinkage: float
    seen_ngrams: npt.NDArray[np.uint32]

    def hidden(self, counts: csr_matrix) -> Floats:
        """Compute the hidden vectors: the shrunk mean of each text's rows of the table.

        Args:
            counts: Counts of features, shape [texts, rows]; see `count_matrix`.

        Returns:
            Hidden vectors, shape [texts, dimensions].
        """
        sums = np.asarray(counts @ self.table, dtype=np.float32)
        totals = np.asarray(counts.sum(axis=1), dtype=np.float32)
        return np.asarray(sums / (totals + self.shrinkage), dtype=np.float32)

    def logits(self, counts: csr_matrix) -> Floats:
        """Compute the logits of all categories, shape [texts, categories], from counts [texts, rows]."""
        return np.asarray(self.hidden(counts) @ self.weights + self.bias, dtype=np.float32)


def build_vocabulary(
    features: Sequence[Sequence[str]], rows: int, always: Collection[str] = frozenset()
) -> npt.NDArray[np.uint32]:
    """Choose the features that get a row in the table, most frequent first.

    A word or a Chinese n-gram must occur in two texts, a pair in three, and a piece of a word in five, as
    there are many of them and each says little.

    Args:
        features: Features of each text.
        rows: Maximum number of rows, including row 0.
        always: Features that need to occur in one text only. They come first.

    Returns:
        Hashes of the chosen features, shape [at most rows - 1].
    """
    seen = Counter(feature for text in features for feature in set(text))
    chosen = [feature for feature, count in seen.items() if feature in always or count >= _min_texts(feature)]
    chosen.sort(key=lambda feature: (feature not in always, -seen[feature], feature))
    hashes = dict.fromkeys(feature_hash(feature) for feature in chosen)
    return np.array(list(hashes)[: rows - 1], dtype=np.uint32)


def _min_texts(feature: str) -> int:
    if " " in feature or feature.endswith("$"):
        return 3
    return 2 if feature[0] in "=~" or feature[0] >= "\u3040" else 5


def count_matrix(features: Sequence[Sequence[str]], hashes: npt.NDArray[np.uint32]) -> csr_matrix:
    """Count how often each row's feature occurs in each text.

    Args:
        features: Features of each text.
        hashes: Hashes of the features of rows 1, 2, …, shape [rows - 1].

    Returns:
        Sparse counts, shape [texts, rows].
    """
    row_of = {int(value): row for row, value in enumerate(hashes, 1)}
    indices: list[int] = []
    starts = [0]
    for text in features:
        indices.extend(row for feature in text if (row := row_of.get(feature_hash(feature))) is not None)
        starts.append(len(indices))
    ones = np.ones(len(indices), dtype=np.float32)
    return csr_matrix((ones, np.array(indices), np.array(starts)), shape=(len(features), len(hashes) + 1))
