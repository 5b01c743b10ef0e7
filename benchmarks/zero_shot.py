"""How well categories are told by their names alone, on trees for which nothing was trained.

Run: `python -m benchmarks.zero_shot --data FOLDER`, where FOLDER holds `products/` and `mappings/` as in
training. At most `--titles` of each shop, chosen by `--seed`, are placed in two trees: Google's, where the
label is the mapped one, and the tree that the shop's own labels span, as the shop wrote them. A decision is
right if it is the label, above it, or, where the label is coarse, below it.

The last column is for titles of what a tree does not sell: each department is removed in turn, and the share
of its titles that is published all the same is counted.
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
class Trial:
    """Cleaned titles with the indices of their labels in a tree."""

    name: str
    tree: Taxonomy
    texts: list[str]
    labels: list[int]

    def sample(self, titles: int, random: Random) -> "Trial":
        """At most so many of the titles."""
        chosen = random.sample(range(len(self.texts)), min(titles, len(self.texts)))
        texts, labels = [self.texts[each] for each in chosen], [self.labels[each] for each in chosen]
        return Trial(self.name, self.tree, texts, labels)


def google_trials(data: Path) -> Iterator[Trial]:
    """Each shop's titles with their mapped categories."""
    google = Taxonomy.google()
    for shop in SHOPS:
        examples = [each for each in read_shops(data, google, [shop]) if each.kind == "title"]
        yield Trial(
            f"{shop}, Google's tree",
            google,
            [each.text for each in examples],
            [each.category for each in examples],
        )


def own_trials(data: Path) -> Iterator[Trial]:
    """Each shop's titles with its own labels; their names and nothing else make the tree.

    Where a shop gives attributes, once more with their values, as listings with attributes are judged.
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
        yield Trial(f"{shop}, its own tree", tree, list(rows), labels)
        longer = [longer for _, longer in rows.values()]
        if longer != list(rows):
            yield Trial(f"{shop} with attributes, its own tree", tree, longer, labels)


def measure(trial: Trial, classifier: ZeroShotClassifier) -> str:
    """A row of the table."""
    tree, labels = trial.tree, np.array(trial.labels)
    probabilities = np.concatenate(
        [
            classifier.probabilities(trial.texts[start : start + 64])
            for start in range(0, len(trial.texts), 64)
        ]
    )
    chosen, _, sure = descend(probabilities, tree, classifier.thresholds)
    right = each_same_or_ancestor(chosen, labels, tree)
    accuracy = []
    for level in (1, 2):
        hits, confidence = at_level(probabilities, tree, labels, level)
        accuracy.append(f"{hits.mean():.1%}")
        if level == 1:
            error = expected_calibration_error(confidence, hits)
    cells = (
        trial.name,
        f"{len(tree):,}",
        f"{len(labels):,}",
        *accuracy,
        f"{error:.1%}",
        f"{sure.mean():.1%}",
        f"{right[sure].mean():.1%}",
        f"{_published_off_tree(probabilities, tree, labels, classifier.thresholds):.1%}",
    )
    return f"| {' | '.join(cells)} |"


def at_level(
    probabilities: Floats, tree: Taxonomy, labels: np.ndarray, level: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rightness and confidence of the likeliest category of a level, where the label goes that deep."""
    nodes = np.flatnonzero(tree.levels == level)
    sums = subtree_sums(probabilities)
    mass = sums[:, tree.ends[nodes]] - sums[:, nodes]
    wanted = tree.lineage[labels, level - 1]
    hits = nodes[mass.argmax(axis=1)] == wanted
    return hits[wanted >= 0], np.clip(mass.max(axis=1), 0.0, 1.0)[wanted >= 0].astype(np.float64)


def _published_off_tree(
    probabilities: Floats, tree: Taxonomy, labels: np.ndarray, thresholds: tuple[float, ...]
) -> float:
    """Without its own department a title's other answers, `none of these` too, share what that had."""
    departments = tree.lineage[labels, 0]
    left = probabilities.copy()
    for department in np.unique(departments):
        rows = np.flatnonzero(departments == department)
        inside = slice(department, tree.ends[department])
        rest = 1.0 - left[rows, inside].sum(axis=1, keepdims=True)
        left[rows, inside] = 0.0
        left[rows] /= np.maximum(rest, 1e-6)
    return float(descend(left, tree, thresholds)[2].mean())


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", default=1000, show_default=True, help="Of each shop at most.")
@click.option("--seed", default=7, show_default=True)
def main(data: Path, titles: int, seed: int) -> None:
    """Print the table."""
    click.echo("| where | categories | titles | level 1 | level 2 | ECE | published | right | off tree |")
    click.echo(f"| --- |{' ---: |' * 8}")
    google: ZeroShotClassifier | None = None
    for trial in google_trials(data):
        google = google or ZeroShotClassifier.load(trial.tree)
        click.echo(measure(trial.sample(titles, Random(seed)), google))
    for trial in own_trials(data):
        click.echo(measure(trial.sample(titles, Random(seed)), ZeroShotClassifier.load(trial.tree)))


if __name__ == "__main__":
    main()
