"""Measures what it gives that the student is not sure alone of titles unlike those that it was trained on.

Run: `python -m benchmarks.escalation --data FOLDER`. For each English shop a student is trained on titles
of the other shops, and titles of the shop are classified with three rules of escalation.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from models.arrays import Booleans, Doubles, Floats, softmax
from models.encoder.loading import load_second_stage
from models.student.escalation import CONFIDENT, MOSTLY_SEEN, EscalationPolicy, SecondStage
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example, category_examples, read_shops
from models.training.run.fitting import CalibratedStudent, fit
from models.training.student.config import TrainingConfig
from models.training.student.student import count_matrix
from schemas.errors import StopWorker

ENGLISH = ("flipkart", "fashion_styles", "instacart")
PUBLISHED = 0.93
PRECISION = 0.98
_ROWS = 256
_SEED = 3
Rule = Callable[[Sequence[str], Floats, Booleans], Booleans]


def train_without(
    shop: str, examples: Sequence[Example], taxonomy: Taxonomy, titles: int
) -> CalibratedStudent:
    """Train on the category names and on at most `titles` titles of each other shop."""
    random, config, others = Random(_SEED), TrainingConfig(epochs=3), []
    for other in dict.fromkeys(each.shop for each in examples):
        mine = [each for each in examples if each.shop == other]
        others += random.sample(mine, min(titles, len(mine))) if other != shop else []
    auxiliary = category_examples(taxonomy, config.name_weight)
    return fit(others, auxiliary, taxonomy, config, lambda *_: None, f"Without {shop}")


def rules(model: CalibratedStudent, taxonomy: Taxonomy) -> dict[str, Rule]:
    """The rules of escalation that are compared."""
    seen = SeenNgrams(model.student.seen_ngrams)

    def confident_alone(texts: Sequence[str], probabilities: Floats, known: Booleans) -> Booleans:
        likeliest = np.add.reduceat(probabilities, taxonomy.roots, axis=1).max(axis=1)
        unseen = np.array([seen.coverage(text) < MOSTLY_SEEN for text in texts], dtype=np.bool_)
        escalates: Booleans = known & unseen & (likeliest < CONFIDENT)
        return escalates

    return {
        "the student alone where it is confident": confident_alone,
        "and its n-grams are seen, as it serves": EscalationPolicy(seen, taxonomy).should_escalate,
        "always with the encoder": lambda texts, probabilities, known: known,
    }


def coverage_at(confidence: Doubles, right: Booleans, precision: float) -> float:
    """The largest share of titles, surest first, that are right with a precision."""
    order = np.argsort(-confidence, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    reached = np.flatnonzero(precisions >= precision)
    return float((reached[-1] + 1) / len(order)) if len(reached) else 0.0


def classify(
    model: CalibratedStudent, second: SecondStage, texts: Sequence[str], rule: Rule, taxonomy: Taxonomy
) -> tuple[Doubles, float]:
    """The probabilities of the departments, shape [texts, departments], and the share of escalated texts."""
    counts = count_matrix([text_features(text) for text in texts], model.student.hashes)
    masses, escalated = [], 0
    for start in range(0, len(texts), _ROWS):
        rows = slice(start, start + _ROWS)
        batch = softmax(model.student.logits(counts[rows]), model.temperature)
        escalates = rule(texts[rows], batch, np.diff(counts[rows].indptr) > 0)
        members = [text for text, each in zip(texts[rows], escalates, strict=True) if each]
        if members:
            batch[escalates] = second.combine(members, batch[escalates])
        escalated += len(members)
        masses.append(np.add.reduceat(batch, taxonomy.roots, axis=1).astype(np.float64))
    return np.concatenate(masses), escalated / len(texts)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", default=1200, show_default=True, help="The most titles of each shop.")
@click.option("--training", default=6000, show_default=True, help="The most training titles of each shop.")
def main(data: Path, titles: int, training: int) -> None:
    """Print the table."""
    taxonomy = Taxonomy.google()
    second = load_second_stage(taxonomy)
    if second is None:
        raise StopWorker("The shipped encoders read no name of the tree.")
    examples = [each for each in read_shops(data, taxonomy) if each.kind == "title"]
    table = Table("titles", "rule", "escalated", "level 1", "published", "right", "published at 98% right")
    for shop in ENGLISH:
        model = train_without(shop, examples, taxonomy, training)
        chosen = [each for each in examples if each.shop == shop]
        chosen = Random(_SEED).sample(chosen, min(titles, len(chosen)))
        labels = taxonomy.lineage[[each.category for each in chosen], 0]
        for name, rule in rules(model, taxonomy).items():
            departments, escalated = classify(model, second, [each.text for each in chosen], rule, taxonomy)
            confidence = departments.max(axis=1)
            right = taxonomy.roots[departments.argmax(axis=1)] == labels
            published = confidence >= PUBLISHED
            reached = coverage_at(confidence, right, PRECISION)
            figures = (escalated, right.mean(), published.mean(), right[published].mean(), reached)
            table.add_row(f"{len(chosen)} {shop}", name, *(f"{figure:.1%}" for figure in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
