"""Titles that the shops label one way here and another way there."""

from collections import Counter
from collections.abc import Iterable, Iterator

from models.taxonomy.label_hierarchy import contradict
from models.taxonomy.tree import Taxonomy
from models.training.data.corrections import Suggestion

Row = tuple[str, str, int]
"""A shop, a cleaned title and the index of its label."""


def label_conflicts(rows: Iterable[Row], taxonomy: Taxonomy) -> list[Suggestion]:
    """One suggestion for each shop and title whose labels, in all shops, contradict each other.

    Labels contradict unless one lies below the other. The label that most rows have is suggested, with their
    share as the confidence; where two have as many, nothing is.

    Args:
        rows: All rows of all shops; the label of a shop's first row with a title is the one in use.
        taxonomy: The tree of the labels.
    """
    counts: dict[str, Counter[int]] = {}
    in_use: dict[str, dict[str, int]] = {}
    for shop, title, label in rows:
        counts.setdefault(title, Counter())[label] += 1
        in_use.setdefault(title, {}).setdefault(shop, label)
    return [
        suggestion
        for title, labels in counts.items()
        if contradict(labels, taxonomy)
        for suggestion in _suggestions(title, in_use[title], labels, taxonomy)
    ]


def _suggestions(
    title: str, in_use: dict[str, int], labels: Counter[int], taxonomy: Taxonomy
) -> Iterator[Suggestion]:
    (most, count), (_, next_count), *_ = labels.most_common()
    said = "; ".join(f"{rows} say {taxonomy.nodes[label].path}" for label, rows in labels.most_common())
    suggested = most if count > next_count else -1
    confidence = count / labels.total() if suggested >= 0 else 0.0
    for shop, label in in_use.items():
        yield Suggestion(shop, title, label, suggested, confidence, f"conflict: of the rows, {said}")
