"""Labels that are likely wrong, by confident learning (Northcutt et al., 2021), as cleanlab has it.

A student that has seen neither the title nor its near-duplicates judges each title. Where it is as sure of
another label as it is on average of the titles that have that label, the label in hand is likely wrong.
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
from models.training.student.trainer import Student, TrainingConfig, count_matrix, train

FOLDS = 3
CONFIG = TrainingConfig(epochs=3)
_ROWS = 4096


def label_errors(
    titles: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig = CONFIG,
    folds: int = FOLDS,
    progress: Callable[[str, int, int], None] = lambda name, step, steps: None,
) -> list[Suggestion]:
    """A suggestion for each label that is likely wrong, the surest first.

    Args:
        titles: Labeled titles of shops, all splits.
        taxonomy: Their tree.
        config: How each fold's student is trained.
        folds: How many students there are, each judging the titles that it has not seen.
        progress: Called with what is being done, the step and the number of steps.
    """
    tree, known = pruned(taxonomy, {title.category for title in titles})
    judged = out_of_sample(titles, tree, known, config, folds, progress)
    found = []
    for shop in dict.fromkeys(title.shop for title in titles):
        chosen = [number for number, title in enumerate(titles) if title.shop == shop]
        labels = [titles[number].category for number in chosen]
        classes = sorted(set(labels))
        if len(classes) < 2:
            continue
        share = judged(chosen, [known[label] for label in classes])
        for number, best in _issues(np.searchsorted(classes, labels), share):
            title, suggested = titles[chosen[number]], classes[best]
            if not same_or_ancestor(title.category, suggested, taxonomy):
                confidence, given = share[number, best], share[number, classes.index(title.category)]
                reason = f"likely error: {confidence:.2f} for the suggested one, {given:.2f} for the label"
                found.append(
                    Suggestion(shop, title.text, title.category, suggested, float(confidence), reason)
                )
    return sorted(found, key=lambda each: -each.confidence)


def pruned(taxonomy: Taxonomy, categories: set[int]) -> tuple[Taxonomy, dict[int, int]]:
    """The tree of some categories and what lies above them, and where each stands in it, by index."""
    kept = {index for category in categories for index in taxonomy.ancestors(category)}
    nodes = [taxonomy.nodes[index] for index in kept]
    tree = Taxonomy(taxonomy.version, {node.id: node.names for node in nodes}, {})
    return tree, {node.index: tree.node(node.id).index for node in nodes}


def out_of_sample(
    titles: Sequence[Example],
    tree: Taxonomy,
    known: dict[int, int],
    config: TrainingConfig,
    folds: int,
    progress: Callable[[str, int, int], None],
) -> Callable[[Sequence[int], Sequence[int]], Doubles]:
    """Judge each title by a student that has seen neither it nor its near-duplicates.

    Returns:
        What gives, for titles by their numbers and classes by their indices in `tree`, the probabilities,
        shape [titles, classes]. A class has what is below it and below no deeper class; rows sum to 1.
    """
    fold_of = np.array([crc32(title_key(title.text).encode("utf-8", "replace")) % folds for title in titles])
    moved = [_moved(title, known) for title in titles]
    students: list[Student | None] = []
    for held_out in range(folds):
        others = [title for title, fold in zip(moved, fold_of, strict=True) if fold != held_out]
        told = _named(progress, f"Judging part {held_out + 1} of {folds}")
        # Titles that are all alike teach nothing about each other: nobody suspects them.
        students.append(train(others, tree, config, told) if others else None)

    def judged(chosen: Sequence[int], classes: Sequence[int]) -> Doubles:
        numbers = np.array(chosen)
        share = np.full((len(numbers), len(classes)), 1.0 / len(classes))
        for fold, student in enumerate(students):
            if student is None:
                continue
            rows = np.flatnonzero(fold_of[numbers] == fold)
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                texts = [titles[number].text for number in numbers[part]]
                share[part] = _class_shares(student, texts, _columns(tree, classes))
        return share

    return judged


def _moved(title: Example, known: dict[int, int]) -> Example:
    return Example(title.text, known[title.category], title.shop, title.split, title.language)


def _named(progress: Callable[[str, int, int], None], name: str) -> Callable[[int, int, float], None]:
    return lambda step, steps, loss: progress(f"{name}, loss {loss:.3f}", step, steps)


def _columns(tree: Taxonomy, classes: Sequence[int]) -> npt.NDArray[np.float32]:
    """Shape [categories, classes]: 1 where the class is the deepest one at or above the category."""
    columns = np.zeros((len(tree), len(classes)), dtype=np.float32)
    place = {category: number for number, category in enumerate(classes)}
    for node in tree.nodes:
        above = [place[index] for index in tree.ancestors(node.index) if index in place]
        if above:
            columns[node.index, above[-1]] = 1.0
    return columns


def _class_shares(student: Student, texts: Sequence[str], columns: npt.NDArray[np.float32]) -> Doubles:
    counts = count_matrix([text_features(text) for text in texts], student.hashes)
    mass = (softmax(student.logits(counts), 1.0) @ columns).astype(np.float64) + 1e-12
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), dtype=np.float64)


def _issues(labels: npt.NDArray[np.int64], share: Doubles) -> list[tuple[int, int]]:
    """The numbers of the titles whose label is likely wrong, each with its likeliest class."""
    from cleanlab.filter import find_label_issues  # takes seconds to import

    wrong = find_label_issues(labels, share, filter_by="confident_learning", n_jobs=1)
    return [(int(number), int(share[number].argmax())) for number in np.flatnonzero(wrong)]
