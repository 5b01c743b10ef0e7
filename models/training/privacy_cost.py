"""Measures what differential privacy costs in accuracy, for docs/models/privacy.md.

Run: `python -m models.training.privacy_cost --data FOLDER`. It trains on public texts once, then shifts that
student by the titles under several budgets, without noise last, and prints a Markdown table over held-out
titles. The noise is seeded, so that the figures can be had again: no model of it is kept.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from models.encoder.loading import load_encoders
from models.serving_config import ServingConfig
from models.student.artifact import Measurement
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example, category_examples, read_shops
from models.training.pipeline import MIN_THRESHOLDS, teach
from models.training.private.dp_sgd import learn_head
from models.training.private.training import Privacy, head_task, public_scale, shifted_student
from models.training.student.evaluation import evaluate_groups
from models.training.student.trainer import Student, TrainingConfig, train

BUDGETS = (1.0, 3.0, math.inf)
SEED = 1


def costs(
    base: Student, auxiliary: Sequence[Example], examples: Sequence[Example], taxonomy: Taxonomy, every: int
) -> Iterator[tuple[str, list[Measurement]]]:
    """How well the student of public texts does, alone and under each budget.

    Args:
        base: What public texts taught.
        auxiliary: Those texts.
        examples: The shops' texts.
        taxonomy: The label space.
        every: One held-out title in so many is measured.
    """
    titles = [example for example in examples if example.kind == "title"]
    tested = [example for example in titles if example.split == "test"][::every]
    yield "public texts only", evaluate_groups(base, tested, taxonomy, 1.0, MIN_THRESHOLDS)
    learning = [example for example in titles if example.split == "train"]
    scale = public_scale(base, auxiliary)
    task = head_task(base, learning, taxonomy, Privacy(1.0).levels, scale)
    for budget in BUDGETS:
        privacy = Privacy(budget, seed=SEED)
        head = learn_head(task, privacy, lambda step, steps, loss: None)
        student = shifted_student(base, head, taxonomy, privacy.levels, scale)
        name = "no noise" if math.isinf(budget) else f"epsilon {budget:g}, delta {privacy.delta:g}"
        yield name, evaluate_groups(student, tested, taxonomy, 1.0, MIN_THRESHOLDS)


def row(name: str, item: Measurement) -> str:
    """A row of the table."""
    shares = [*item.accuracy, item.calibration_error, item.published, item.precision]
    return f"| {name} | {item.name} | {item.texts:,} | {' | '.join(f'{share:.1%}' for share in shares)} |"


HEADER = (
    "| shops' titles | held-out texts | texts | level 1 | level 2 | level 3 | ECE | published | right |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--every", default=2, show_default=True, type=click.IntRange(min=1))
def main(data: Path, every: int) -> None:
    """Print what each budget costs, measured on one held-out title in --every."""
    taxonomy, config = Taxonomy.google(), TrainingConfig()
    auxiliary = category_examples(taxonomy, config.name_weight)
    examples = read_shops(data, taxonomy)
    auxiliary += teach(load_encoders(ServingConfig(threads=2)), data, examples, config)
    base = train(auxiliary, taxonomy, config)
    click.echo(HEADER)
    for name, measurements in costs(base, auxiliary, examples, taxonomy, every):
        for item in measurements:
            click.echo(row(name, item))


if __name__ == "__main__":
    main()
