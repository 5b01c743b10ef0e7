"""Labels that are likely wrong, found by confident learning (Northcutt et al., 2021) with cleanlab.

Each title is classified by a student that was trained without the title and its near-duplicates. A label is
likely wrong if the student's probability of another class reaches the mean probability of that class over the
titles that have it as their label.
"""

from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.arrays import Doubles, softmax
from models.taxonomy.label_hierarchy import same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.data.corrections import Suggestion
from models.training.data.near_duplicates import title_key
from models.training.progress import ProgressCallback, ignore_progress, loss_reporter
from models.training.student.config import TrainingConfig
from models.training.student.student import Student, count_matrix
from models.training.student.trainer import train

FOLDS = 3
CONFIG = TrainingConfig(epochs=3)
"""Training config of the students that classify held-out titles."""
_ROWS = 4096

OutOfSample = Callable[[Sequence[int], Sequence[int]], Doubles]
"""Class probabilities, shape [titles, classes], for titles by number and classes by index in the tree."""


def label_errors(
    titles: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig = CONFIG,
    folds: int = FOLDS,
    progress: ProgressCallback = ignore_progress,
) -> list[Suggestion]:
    """Suggest another label for each label that is likely wrong.

    Args:
        titles: Labeled titles of shops, of all splits.
        taxonomy: Category tree of the labels.
        config: Training config of each fold's student.
        folds: Number of folds of the cross-validation.
        progress: Called as the students are trained.

    Returns:
        Suggestions by confidence, descending.
    """
    tree, index_in_tree = pruned(taxonomy, {title.category for title in titles})
    predict = out_of_sample(titles, tree, index_in_tree, config, folds, progress)
    suggestions = []
    for shop in dict.fromkeys(title.shop for title in titles):
        chosen = [number for number, title in enumerate(titles) if title.shop == shop]
        labels = [titles[number].category for number in chosen]
        classes = sorted(set(labels))
        if len(classes) < 2:
            continue
        probabilities = predict(chosen, [index_in_tree[label] for label in classes])
        for row, best in _issues(np.searchsorted(classes, labels), probabilities):
            title, suggested = titles[chosen[row]], classes[best]
            if not same_or_ancestor(title.category, suggested, taxonomy):
                confidence = float(probabilities[row, best])
                given = probabilities[row, classes.index(title.category)]
                reason = f"likely error: {confidence:.2f} for the suggested one, {given:.2f} for the label"
                suggestions.append(
                    Suggestion(shop, title.text, title.category, suggested, confidence, reason)
                )
    return sorted(suggestions, key=lambda each: -each.confidence)


def pruned(taxonomy: Taxonomy, categories: set[int]) -> tuple[Taxonomy, dict[int, int]]:
    """Reduce a taxonomy to some categories and their ancestors.

    Args:
        taxonomy: Category tree.
        categories: Indices of the categories to keep.

    Returns:
        The reduced tree, and the index in it of each kept category by its index in `taxonomy`.
    """
    kept = {index for category in categories for index in taxonomy.ancestors(category)}
    nodes = [taxonomy.nodes[index] for index in kept]
    tree = Taxonomy(taxonomy.version, {node.id: node.names for node in nodes}, {})
    return tree, {node.index: tree.node(node.id).index for node in nodes}


def out_of_sample(
    titles: Sequence[Example],
    tree: Taxonomy,
    index_in_tree: dict[int, int],
    config: TrainingConfig,
    folds: int,
    progress: ProgressCallback,
) -> OutOfSample:
    """Train one student per fold, to classify each title without having seen it or its near-duplicates.

    Args:
        titles: Labeled titles.
        tree: Reduced category tree.
        index_in_tree: Index in `tree` of each label.
        config: Training config of each student.
        folds: Number of folds.
        progress: Called as the students are trained.

    Returns:
        The class probabilities of held-out titles. The probability of a class is that of its subtree without
        the subtrees of deeper classes. Each row sums to 1.
    """
    fold_of = np.array([crc32(title_key(title.text).encode("utf-8", "replace")) % folds for title in titles])
    relabeled = [_relabeled(title, index_in_tree) for title in titles]
    students: list[Student | None] = []
    for held_out in range(folds):
        others = [title for title, fold in zip(relabeled, fold_of, strict=True) if fold != held_out]
        report = loss_reporter(f"Fold {held_out + 1} of {folds}", progress)
        # Without other titles there is nothing to train on: the probabilities stay uniform.
        students.append(train(others, tree, config, report) if others else None)

    def predict(chosen: Sequence[int], classes: Sequence[int]) -> Doubles:
        numbers = np.array(chosen)
        probabilities = np.full((len(numbers), len(classes)), 1.0 / len(classes))
        membership = _membership(tree, classes)
        for fold, student in enumerate(students):
            if student is None:
                continue
            rows = np.flatnonzero(fold_of[numbers] == fold)
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                texts = [titles[number].text for number in numbers[part]]
                probabilities[part] = _class_probabilities(student, texts, membership)
        return probabilities

    return predict


def _relabeled(title: Example, index_in_tree: dict[int, int]) -> Example:
    return Example(title.text, index_in_tree[title.category], title.shop, title.split, title.language)


def _membership(tree: Taxonomy, classes: Sequence[int]) -> npt.NDArray[np.float32]:
    """Shape [categories, classes]: 1 where the class is the deepest one at or above the category."""
    membership = np.zeros((len(tree), len(classes)), dtype=np.float32)
    column_of = {category: column for column, category in enumerate(classes)}
    for node in tree.nodes:
        columns = [column_of[index] for index in tree.ancestors(node.index) if index in column_of]
        if columns:
            membership[node.index, columns[-1]] = 1.0
    return membership


def _class_probabilities(
    student: Student, texts: Sequence[str], membership: npt.NDArray[np.float32]
) -> Doubles:
    counts = count_matrix([text_features(text) for text in texts], student.hashes)
    mass = (softmax(student.logits(counts), 1.0) @ membership).astype(np.float64) + 1e-12
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), dtype=np.float64)


def _issues(labels: npt.NDArray[np.int64], probabilities: Doubles) -> list[tuple[int, int]]:
    """Rows whose label is likely wrong, each with the column of its most probable class."""
    from cleanlab.filter import find_label_issues  # takes seconds to import

    wrong = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    return [(int(row), int(probabilities[row].argmax())) for row in np.flatnonzero(wrong)]
