"""Titles whose rows have contradictory labels."""

from collections import Counter
from collections.abc import Iterable, Iterator

from models.taxonomy.label_hierarchy import contradict
from models.taxonomy.tree import Taxonomy
from models.training.data.corrections import Suggestion

Row = tuple[str, str, int]
"""Shop, cleaned title, and index of the label."""


def label_conflicts(rows: Iterable[Row], taxonomy: Taxonomy) -> list[Suggestion]:
    """Find the titles whose labels contradict each other, across all shops.

    Two labels contradict unless they are the same or one is an ancestor of the other. The most frequent label
    is suggested, with its share of the rows as the confidence. If two labels tie, none is suggested.

    Args:
        rows: All rows of all shops. The label of a shop's first row with a title is the one in use.
        taxonomy: Category tree of the labels.

    Returns:
        One suggestion per shop and title.
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
    votes = "; ".join(f"{rows} say {taxonomy.nodes[label].path}" for label, rows in labels.most_common())
    suggested = most if count > next_count else -1
    confidence = count / labels.total() if suggested >= 0 else 0.0
    for shop, label in in_use.items():
        yield Suggestion(shop, title, label, suggested, confidence, f"conflict: of the rows, {votes}")
