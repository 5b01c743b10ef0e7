"""Measures the cost of differential privacy in accuracy, for docs/models/privacy.md.

Run: `python -m models.training.privacy_cost --data FOLDER`. It trains a student on public texts, adjusts it
to the shops' titles with several budgets and at last without noise, and prints a Markdown table of the
metrics on held-out titles. The noise is seeded, so the figures are reproducible; the models are discarded.
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
from models.training.private.dp_sgd import train_head
from models.training.private.training import Privacy, head_task, public_scale, shifted_student
from models.training.progress import ignore_loss
from models.training.run.fitting import MIN_THRESHOLDS
from models.training.student.config import TrainingConfig
from models.training.student.distillation import distilled_examples
from models.training.student.evaluation import evaluate_groups
from models.training.student.student import Student
from models.training.student.trainer import train

BUDGETS = (1.0, 3.0, math.inf)
SEED = 1


def costs(
    base: Student, auxiliary: Sequence[Example], examples: Sequence[Example], taxonomy: Taxonomy, every: int
) -> Iterator[tuple[str, list[Measurement]]]:
    """Evaluate the student of public texts, and its adjustments under each budget.

    Args:
        base: Student of public texts.
        auxiliary: Those public texts.
        examples: The shops' labeled texts.
        taxonomy: Label space.
        every: One held-out title in `every` is evaluated.

    Yields:
        Description of the training, and the measurements.
    """
    titles = [example for example in examples if example.kind == "title"]
    held_out = [example for example in titles if example.split == "test"][::every]
    yield "public texts only", evaluate_groups(base, held_out, taxonomy, 1.0, MIN_THRESHOLDS)
    training = [example for example in titles if example.split == "train"]
    scale = public_scale(base, auxiliary)
    task = head_task(base, training, taxonomy, Privacy(1.0).levels, scale)
    for budget in BUDGETS:
        privacy = Privacy(budget, seed=SEED)
        head = train_head(task, privacy, ignore_loss)
        student = shifted_student(base, head, taxonomy, privacy.levels, scale)
        name = "no noise" if math.isinf(budget) else f"epsilon {budget:g}, delta {privacy.delta:g}"
        yield name, evaluate_groups(student, held_out, taxonomy, 1.0, MIN_THRESHOLDS)


def row(name: str, item: Measurement) -> str:
    """Format a measurement as a row of the table."""
    values = [*item.accuracy, item.calibration_error, item.published, item.precision]
    return f"| {name} | {item.name} | {item.texts:,} | {' | '.join(f'{value:.1%}' for value in values)} |"


HEADER = (
    "| shops' titles | held-out texts | texts | level 1 | level 2 | level 3 | ECE | published | right |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--every", default=2, show_default=True, type=click.IntRange(min=1))
def main(data: Path, every: int) -> None:
    """Print the metrics under each budget, on one held-out title in --every."""
    taxonomy, config = Taxonomy.google(), TrainingConfig()
    examples = read_shops(data, taxonomy)
    auxiliary = category_examples(taxonomy, config.name_weight)
    auxiliary += distilled_examples(load_encoders(ServingConfig(threads=2)), data, examples, config)
    base = train(auxiliary, taxonomy, config)
    click.echo(HEADER)
    for name, measurements in costs(base, auxiliary, examples, taxonomy, every):
        for item in measurements:
            click.echo(row(name, item))


if __name__ == "__main__":
    main()
