"""Measures speed and accuracy of classifiers: the student, the cascade, and text encoders alone.

Run: `python -m benchmarks.classifier_speed --data FOLDER`, where FOLDER holds `products/` and
`mappings/` as in training. The titles are a seeded sample of held-out titles of all known
shops. With `--reference FOLDER`, the encoder that `shelfstream encoder export --language en --source NAME -o
FOLDER` wrote is measured too. Contestants take turns on one thread; ratios are those of medians.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.zero_shot import level_hits
from models.arrays import Floats
from models.encoder.by_language import Encoders
from models.encoder.loading import load_encoders
from models.evaluation.titles import LabeledTitle, known_titles
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean

TURNS = 3
SLOW_TITLES = 1_500
"""The number of titles for encoders alone, which are slow."""
_BATCH = 4_000
"""The maximum batch of a lane."""
Probabilities = Callable[[Sequence[str]], Floats]
"""Maps cleaned texts to probabilities or scores of categories, shape [texts, categories]."""


def encoders_alone(encoders: Encoders, taxonomy: Taxonomy) -> Probabilities:
    """Return the classifier of encoders without a student: they refine uniform probabilities."""
    uniform = np.full(len(taxonomy), 1.0 / len(taxonomy), dtype=np.float32)
    return lambda texts: encoders.combine(texts, np.tile(uniform, (len(texts), 1)))


def contestants(taxonomy: Taxonomy, reference: Path | None) -> dict[str, tuple[Probabilities, bool]]:
    """Return the classifiers by name, each with whether it is slow."""
    artifact, encoders = Artifact.load(None, taxonomy), load_encoders()
    student = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy)
    cascade = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy, second=encoders)
    by_name: dict[str, tuple[Probabilities, bool]] = {
        "the student alone": (student.probabilities, False),
        "the cascade": (cascade.probabilities, False),
        "its text encoders alone": (encoders_alone(encoders, taxonomy), True),
    }
    if reference is not None:
        other = load_encoders(ServingConfig(encoders=reference))
        by_name["the reference encoder alone"] = (encoders_alone(other, taxonomy), True)
    return by_name


def titles_per_second(probabilities: Probabilities, texts: Sequence[str]) -> float:
    """Classify texts in batches and return the titles per second."""
    started = time.perf_counter()
    for start in range(0, len(texts), _BATCH):
        probabilities(texts[start : start + _BATCH])
    return len(texts) / (time.perf_counter() - started)


def accuracy(
    probabilities: Probabilities, titles: Sequence[LabeledTitle], taxonomy: Taxonomy, level: int
) -> float:
    """Compute the accuracy at a level, over the titles whose label is at this level or below."""
    hits = []
    for start in range(0, len(titles), _BATCH):
        batch = titles[start : start + _BATCH]
        labels = np.array([each.category for each in batch])
        hits.append(
            level_hits(probabilities([clean(each.title) for each in batch]), taxonomy, labels, level)[0]
        )
    return float(np.concatenate(hits).mean())


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reference", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", "count", default=6_000, show_default=True, type=click.IntRange(min=SLOW_TITLES))
@click.option("--seed", default=7, show_default=True)
def main(data: Path, reference: Path | None, count: int, seed: int) -> None:
    """Print a table: titles per second on one thread, and accuracy at levels 1 and 2."""
    taxonomy = Taxonomy.google()
    known = [each for each in known_titles(data, taxonomy) if not each.shop.endswith("attributes")]
    titles = Random(seed).sample(known, min(count, len(known)))
    texts = [clean(each.title) for each in titles]
    classifiers = contestants(taxonomy, reference)
    speeds: dict[str, list[float]] = {name: [] for name in classifiers}
    for probabilities, slow in classifiers.values():
        probabilities(texts[: _BATCH if slow else len(texts)])
    for _ in range(TURNS):
        for name, (probabilities, slow) in classifiers.items():
            speeds[name].append(titles_per_second(probabilities, texts[:SLOW_TITLES] if slow else texts))
    table = Table("", "titles/s, turn by turn", "÷ the last one", "level 1", "level 2")
    last = statistics.median([*speeds.values()][-1])
    for name, (probabilities, slow) in classifiers.items():
        sample = titles[:SLOW_TITLES] if slow else titles
        table.add_row(
            name,
            ", ".join(f"{speed:,.0f}" for speed in speeds[name]),
            f"{statistics.median(speeds[name]) / last:.1f}",
            *(f"{accuracy(probabilities, sample, taxonomy, level):.1%}" for level in (1, 2)),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
