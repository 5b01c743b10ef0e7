"""How fast categories are told, and how well: the student, the cascade, and text encoders alone.

Run: `python -m benchmarks.classifier_speed --data FOLDER`, where FOLDER holds `products/` and
`mappings/` as in training. The stream is of titles that training held out, of all shops, in a
seeded order: what a catalogue sends that the model knows. With `--reference FOLDER`, what
`shelfstream encoder export --language en --source NAME -o FOLDER` wrote takes part. Contestants
take turns on one thread; the ratio is of medians.
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

from benchmarks.zero_shot import at_level
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
"""Encoders alone get the first titles of the stream only."""
_BATCH = 4_000
"""As many as a lane's batch has at most."""
Probabilities = Callable[[Sequence[str]], Floats]
"""From cleaned texts to the probabilities or scores of categories, shape [texts, categories]."""


def alone(encoders: Encoders, taxonomy: Taxonomy) -> Probabilities:
    """What encoders say without a student: probabilities as sharp as in the joint opinion."""
    even = np.full(len(taxonomy), 1.0 / len(taxonomy), dtype=np.float32)
    return lambda texts: encoders.combine(texts, np.tile(even, (len(texts), 1)))


def contestants(taxonomy: Taxonomy, reference: Path | None) -> dict[str, tuple[Probabilities, bool]]:
    """By name: what is measured, and whether it is slow."""
    artifact, encoders = Artifact.load(None, taxonomy), load_encoders()
    student = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy)
    cascade = StudentClassifier(artifact, OnnxBackend(artifact), taxonomy, second=encoders)
    found: dict[str, tuple[Probabilities, bool]] = {
        "the student alone": (student.probabilities, False),
        "the cascade": (cascade.probabilities, False),
        "its text encoders alone": (alone(encoders, taxonomy), True),
    }
    if reference is not None:
        other = load_encoders(ServingConfig(encoders=reference))
        found["the reference encoder alone"] = (alone(other, taxonomy), True)
    return found


def timed(shares: Probabilities, texts: Sequence[str]) -> float:
    """Titles a second."""
    started = time.perf_counter()
    for start in range(0, len(texts), _BATCH):
        shares(texts[start : start + _BATCH])
    return len(texts) / (time.perf_counter() - started)


def accuracy(shares: Probabilities, titles: Sequence[LabeledTitle], taxonomy: Taxonomy, level: int) -> float:
    """The share right at a level, of the titles whose label goes that deep."""
    hits = []
    for start in range(0, len(titles), _BATCH):
        batch = titles[start : start + _BATCH]
        labels = np.array([each.category for each in batch])
        hits.append(at_level(shares([clean(each.title) for each in batch]), taxonomy, labels, level)[0])
    return float(np.concatenate(hits).mean())


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reference", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", "count", default=6_000, show_default=True, type=click.IntRange(min=SLOW_TITLES))
@click.option("--seed", default=7, show_default=True)
def main(data: Path, reference: Path | None, count: int, seed: int) -> None:
    """Print a table: titles a second on one thread, and what is right at levels 1 and 2."""
    taxonomy = Taxonomy.google()
    known = [each for each in known_titles(data, taxonomy) if not each.shop.endswith("attributes")]
    titles = Random(seed).sample(known, min(count, len(known)))
    texts = [clean(each.title) for each in titles]
    racing = contestants(taxonomy, reference)
    speeds: dict[str, list[float]] = {name: [] for name in racing}
    for shares, slow in racing.values():
        shares(texts[: _BATCH if slow else len(texts)])
    for _ in range(TURNS):
        for name, (shares, slow) in racing.items():
            speeds[name].append(timed(shares, texts[:SLOW_TITLES] if slow else texts))
    table = Table("", "titles/s, turn by turn", "÷ the last one", "level 1", "level 2")
    last = statistics.median([*speeds.values()][-1])
    for name, (shares, slow) in racing.items():
        asked = titles[:SLOW_TITLES] if slow else titles
        table.add_row(
            name,
            ", ".join(f"{speed:,.0f}" for speed in speeds[name]),
            f"{statistics.median(speeds[name]) / last:.1f}",
            *(f"{accuracy(shares, asked, taxonomy, level):.1%}" for level in (1, 2)),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
