"""Measures zero-shot classification: categories by their names alone, on trees without a trained model.

Run: `python -m benchmarks.zero_shot --data FOLDER`, where FOLDER holds `products/` and `mappings/` as in
training. At most `--titles` titles of each shop, sampled with `--seed`, are classified in two trees:
Google's, with mapped labels, and the tree of the shop's own labels. A decision is correct if it is the label,
an ancestor of it, or a descendant of it.

The last column is for titles outside of a tree: each department is removed in turn, and the proportion of its
titles that are published nevertheless is counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np

from models.arrays import Floats
from models.student.calibration import expected_calibration_error
from models.taxonomy.decision import descend, subtree_sums
from models.taxonomy.files import SEPARATOR
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import SHOPS, products_of, read_shops
from models.zero_shot.classifier import ZeroShotClassifier


@dataclass(frozen=True)
class EvaluationSet:
    """Cleaned titles with the indices of their labels in a tree."""

    name: str
    tree: Taxonomy
    texts: list[str]
    labels: list[int]

    def sample(self, titles: int, random: Random) -> "EvaluationSet":
        """Return a random sample of at most `titles` titles."""
        chosen = random.sample(range(len(self.texts)), min(titles, len(self.texts)))
        texts, labels = [self.texts[each] for each in chosen], [self.labels[each] for each in chosen]
        return EvaluationSet(self.name, self.tree, texts, labels)


def google_sets(data: Path) -> Iterator[EvaluationSet]:
    """Yield each shop's titles with their mapped categories."""
    google = Taxonomy.google()
    for shop in SHOPS:
        examples = [each for each in read_shops(data, google, [shop]) if each.kind == "title"]
        yield EvaluationSet(
            f"{shop}, Google's tree",
            google,
            [each.text for each in examples],
            [each.category for each in examples],
        )


def own_sets(data: Path) -> Iterator[EvaluationSet]:
    """Yield each shop's titles with its own labels, in the tree of these labels.

    If a shop gives attributes, its titles are yielded again with the values of their attributes.
    """
    for shop in SHOPS:
        rows: dict[str, tuple[tuple[str, ...], str]] = {}
        for title, label, attributes in products_of(data, shop):
            names = tuple(name.strip() for name in label.split(SEPARATOR.strip()))
            if (text := clean(title)) and all(names):
                rows[text] = names, f"{text} {clean(attributes)}".strip()
        paths = sorted({names[:level] for names, _ in rows.values() for level in range(1, len(names) + 1)})
        tree = Taxonomy(f"{shop}-own", dict(enumerate(paths)), {})
        index = {node.names: node.index for node in tree.nodes}
        labels = [index[names] for names, _ in rows.values()]
        yield EvaluationSet(f"{shop}, its own tree", tree, list(rows), labels)
        longer = [longer for _, longer in rows.values()]
        if longer != list(rows):
            yield EvaluationSet(f"{shop} with attributes, its own tree", tree, longer, labels)


def measure(evaluation_set: EvaluationSet, classifier: ZeroShotClassifier) -> str:
    """Classify an evaluation set and return its row of the table."""
    tree, labels = evaluation_set.tree, np.array(evaluation_set.labels)
    probabilities = np.concatenate(
        [
            classifier.probabilities(evaluation_set.texts[start : start + 64])
            for start in range(0, len(evaluation_set.texts), 64)
        ]
    )
    chosen, _, published = descend(probabilities, tree, classifier.thresholds)
    correct = each_same_or_ancestor(chosen, labels, tree)
    accuracy = []
    for level in (1, 2):
        hits, confidence = level_hits(probabilities, tree, labels, level)
        accuracy.append(f"{hits.mean():.1%}")
        if level == 1:
            error = expected_calibration_error(confidence, hits)
    cells = (
        evaluation_set.name,
        f"{len(tree):,}",
        f"{len(labels):,}",
        *accuracy,
        f"{error:.1%}",
        f"{published.mean():.1%}",
        f"{correct[published].mean():.1%}",
        f"{_published_off_tree(probabilities, tree, labels, classifier.thresholds):.1%}",
    )
    return f"| {' | '.join(cells)} |"


def level_hits(
    probabilities: Floats, tree: Taxonomy, labels: np.ndarray, level: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the most probable category of a level with the labels that are at this level or below.

    Returns:
        Whether it is correct, and its probability, for each such label.
    """
    nodes = np.flatnonzero(tree.levels == level)
    sums = subtree_sums(probabilities)
    level_probabilities = sums[:, tree.ends[nodes]] - sums[:, nodes]
    expected = tree.lineage[labels, level - 1]
    hits = nodes[level_probabilities.argmax(axis=1)] == expected
    return hits[expected >= 0], np.clip(level_probabilities.max(axis=1), 0.0, 1.0)[expected >= 0].astype(
        np.float64
    )


def _published_off_tree(
    probabilities: Floats, tree: Taxonomy, labels: np.ndarray, thresholds: tuple[float, ...]
) -> float:
    """Return the proportion of titles that are published after their own department was removed.

    The probability of the removed department is distributed over the rest, including "none of these".
    """
    departments = tree.lineage[labels, 0]
    remaining = probabilities.copy()
    for department in np.unique(departments):
        rows = np.flatnonzero(departments == department)
        inside = slice(department, tree.ends[department])
        rest = 1.0 - remaining[rows, inside].sum(axis=1, keepdims=True)
        remaining[rows, inside] = 0.0
        remaining[rows] /= np.maximum(rest, 1e-6)
    return float(descend(remaining, tree, thresholds)[2].mean())


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", default=1000, show_default=True, help="The maximum number of titles of each shop.")
@click.option("--seed", default=7, show_default=True)
def main(data: Path, titles: int, seed: int) -> None:
    """Print the table."""
    click.echo("| set | categories | titles | level 1 | level 2 | ECE | published | precision | off tree |")
    click.echo(f"| --- |{' ---: |' * 8}")
    google: ZeroShotClassifier | None = None
    for evaluation_set in google_sets(data):
        google = google or ZeroShotClassifier.load(evaluation_set.tree)
        click.echo(measure(evaluation_set.sample(titles, Random(seed)), google))
    for evaluation_set in own_sets(data):
        click.echo(
            measure(evaluation_set.sample(titles, Random(seed)), ZeroShotClassifier.load(evaluation_set.tree))
        )


if __name__ == "__main__":
    main()
