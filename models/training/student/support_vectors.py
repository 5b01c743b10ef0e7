"""Support vectors joined to a student: a linear classifier of the titles that one shop has labeled.

The student learns what categories have in common, and the words of their names. With thousands of labeled
titles a linear support vector machine per category separates siblings better. Both are linear in the mean of
their features' vectors, so the sum of their logits is a student again, with a wider table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from models.arrays import Floats, Indices
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.student.student import Student, count_matrix

_MOST_COEFFICIENTS = 150_000_000
"""Features times categories, which bounds the memory: a coefficient takes 8 bytes, and a copy 4."""
MARGIN_WEIGHT = 4.0
"""Factor of the margins in the logits. Temperature is fitted to the result."""
_ANCESTOR_WEIGHT = 0.5
_MARGIN_OF_OTHERS = -1.0
"""Margin of a category without titles: that of the titles of other categories."""


@dataclass(frozen=True)
class SupportVectors:
    """Linear classifiers in the form of a student.

    Attributes:
        table: A vector per feature of the student, shape [rows, rank].
        weights: Output matrix, shape [rank, categories].
        bias: Output bias, shape [categories].
    """

    table: Floats
    weights: Floats
    bias: Floats


def fit_support_vectors(
    student: Student, examples: Sequence[Example], taxonomy: Taxonomy, rank: int, seed: int
) -> SupportVectors | None:
    """Train a linear support vector machine per category, and per ancestor of one, on the student's features.

    A category's margin is its own plus a half of each ancestor's. More than `rank` margins are projected on
    as many directions, those in which the margins of the titles vary most.

    Args:
        student: Trained student, whose features and shrinkage are used.
        examples: Labeled titles with their weights. A label that is an inner category is a class of its own.
        taxonomy: Label space.
        rank: Maximum width of the table.
        seed: Seed of all random numbers.

    Returns:
        The classifiers; None if the titles have fewer than two labels.
    """
    labels = np.array([example.category for example in examples], dtype=np.int64)
    classes = len(np.unique(labels))
    if classes < 2:
        return None
    counts = count_matrix([text_features(example.text) for example in examples], student.hashes)
    scales = _feature_scales(counts, student.shrinkage, _MOST_COEFFICIENTS // classes)
    means = csr_matrix(_means(counts, student.shrinkage) @ diags(scales))
    importance = np.array([example.weight for example in examples], dtype=np.float64)
    coefficients, outputs = [], []
    bias = np.zeros(len(taxonomy), dtype=np.float32)
    for level, weight in _weighted_levels(taxonomy):
        members = _at_level(np.arange(len(taxonomy)), level, taxonomy)
        fitted = _fit_level(means, members[labels], importance, seed)
        if fitted is None:
            continue
        found, vectors, intercepts = fitted
        coefficients.append(vectors)
        outputs.append(np.float32(weight) * (found[:, None] == members).astype(np.float32))
        level_bias = np.full(len(taxonomy), _MARGIN_OF_OTHERS, dtype=np.float32)
        level_bias[found] = intercepts
        bias += np.float32(weight) * level_bias[members]
    joint = np.vstack(coefficients)
    directions = _directions(np.asarray(means @ joint.T, dtype=np.float32), rank)
    table = (joint.T @ directions.T) * scales[:, None]
    return SupportVectors(table.astype(np.float32), directions @ np.vstack(outputs), bias)


def join(student: Student, vectors: SupportVectors, student_weight: float) -> Student:
    """Add the margins to the student's logits.

    Args:
        student: Trained student.
        vectors: Classifiers on the student's features.
        student_weight: Factor of the student's logits; that of the margins is `MARGIN_WEIGHT`.

    Returns:
        A student with the weighted sum of both logits. Its table is as wide as both tables.
    """
    # A row is quantized as a whole, so both parts should be of one size.
    balance = np.float32(_size(student.table) / max(_size(vectors.table), 1e-12))
    margin_weight, weight = np.float32(MARGIN_WEIGHT), np.float32(student_weight)
    return replace(
        student,
        table=np.hstack([student.table, vectors.table * balance]),
        weights=np.vstack([student.weights * weight, vectors.weights * (margin_weight / balance)]),
        bias=student.bias * weight + margin_weight * vectors.bias,
    )


def _weighted_levels(taxonomy: Taxonomy) -> list[tuple[int, float]]:
    """The levels of the classifiers, from 0, with their weights; the last one is that of the labels."""
    depth = taxonomy.lineage.shape[1]
    return [*((level, _ANCESTOR_WEIGHT) for level in range(depth - 1)), (depth - 1, 1.0)]


def _at_level(categories: Indices, level: int, taxonomy: Taxonomy) -> Indices:
    """The ancestor of each category at a level from 0; the category itself if it is above it."""
    ancestors = taxonomy.lineage[categories, level]
    return np.where(ancestors < 0, categories, ancestors).astype(np.int64)


def _fit_level(
    means: csr_matrix, labels: Indices, importance: npt.NDArray[np.float64], seed: int
) -> tuple[Indices, Floats, Floats] | None:
    """One classifier per label: the labels, coefficients [labels, features] and intercepts; None for one."""
    from sklearn.svm import LinearSVC

    if len(np.unique(labels)) < 2:
        return None
    model = LinearSVC(random_state=seed).fit(means, labels, importance)
    coefficients, intercepts = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
    if len(model.classes_) == 2:
        coefficients = np.vstack([-coefficients, coefficients])
        intercepts = np.array([-intercepts[0], intercepts[0]], dtype=np.float32)
    return model.classes_, coefficients, intercepts


def _means(counts: csr_matrix, shrinkage: float) -> csr_matrix:
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return csr_matrix(diags(1.0 / (totals + shrinkage)) @ counts)


def _feature_scales(counts: csr_matrix, shrinkage: float, most: int) -> Floats:
    """The inverse document frequency of each feature, such that texts have a mean squared norm of 1.

    Features that no text has, and all but the `most` most frequent, have scale 0.
    """
    texts = np.asarray((counts > 0).sum(axis=0), dtype=np.float64).ravel()
    scales = np.where(texts > 0, np.log((1.0 + counts.shape[0]) / (1.0 + texts)) + 1.0, 0.0)
    scales[np.argsort(-texts, kind="stable")[most:]] = 0.0
    scaled = csr_matrix(_means(counts, shrinkage) @ diags(scales))
    mean_square = float(scaled.multiply(scaled).sum()) / counts.shape[0]
    return np.asarray(scales / np.sqrt(max(mean_square, 1e-12)), dtype=np.float32)


def _directions(margins: Floats, rank: int) -> Floats:
    """Orthonormal directions of margins [texts, classes], shape [at most rank, classes]."""
    classes = margins.shape[1]
    if classes <= rank:
        return np.eye(classes, dtype=np.float32)
    _, vectors = np.linalg.eigh(margins.T @ margins)
    return np.ascontiguousarray(vectors[:, ::-1][:, :rank].T, dtype=np.float32)


def _size(table: Floats) -> float:
    """The root mean square of a table's rows that are not zero."""
    used = table[np.abs(table).max(axis=1, initial=0.0) > 0.0]
    return float(np.sqrt((used**2).mean())) if used.size else 1.0
