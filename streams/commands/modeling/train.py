"""`shelfstream train`: train a model from the data folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from models.student.artifact import Manifest, Measurement
from models.taxonomy.tree import Taxonomy
from models.training.data.examples import HumanLabels
from models.training.data.feedback_lines import feedback_conflicts
from models.training.extras import required_extra
from models.training.student.config import TrainingConfig
from models.training.student.threshold_table import unreached
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder, taxonomy_option, training_data_option
from streams.commands.modeling.feedback import show_conflicts
from streams.commands.progress import step_bars

if TYPE_CHECKING:
    from models.training.private.training import PrivateTraining


@click.command("train")
@training_data_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the model to, such as models/pretrained/student.",
)
@taxonomy_option
@click.option("--epochs", default=None, type=click.IntRange(min=1), help="Passes over the data.")
@click.option("--seed", default=None, type=int, help="Seed of all random numbers.")
@click.option(
    "--unseen/--no-unseen", default=True, help="Also train without each shop, to evaluate unseen shops."
)
@click.option(
    "--teacher/--no-teacher", default=True, help="Whether the student is distilled from the text encoders."
)
@click.option(
    "--encoders",
    default=None,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of text encoders, which are teacher and second stage. If unset, the shipped ones.",
)
@click.option(
    "--with-feedback",
    default=None,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Human feedback to train on too: a file from `feedback export`.",
)
@click.option(
    "--feedback-weight",
    default=None,
    type=click.FloatRange(min=0, min_open=True),
    help="Weight of a feedback example, 5 if unset; a shop's title has weight 1.",
)
@click.option(
    "--corrections",
    default=None,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Label corrections: a table from `labels check`, with `yes` where a person accepts.",
)
@click.option(
    "--target-precision",
    default=None,
    type=click.FloatRange(0.5, 1.0, min_open=True, max_open=True),
    help="Precision of what is published. If unset, 0.98 for Google's taxonomy, and for your own the first "
    "of 0.95, 0.9, 0.85 and 0.8 that the calibration titles show to be reached.",
)
@click.option(
    "--private",
    "epsilon",
    default=None,
    type=click.FloatRange(min=0.0, min_open=True),
    help="Train with differential privacy and this epsilon (extra `private`); docs/models/privacy.md has the "
    "cost.",
)
def train(
    data: Path,
    output: Path,
    taxonomy: Path | None,
    epochs: int | None,
    seed: int | None,
    unseen: bool,
    teacher: bool,
    encoders: Path | None,
    with_feedback: Path | None,
    feedback_weight: float | None,
    corrections: Path | None,
    target_precision: float | None,
    epsilon: float | None,
) -> None:
    """Train a student on labeled titles.

    The student is evaluated and written with its manifest and model card.

    With --taxonomy, the mappings point into that tree, and the shops are those in mappings/. Needs the extra
    `train`: pip install 'shelfstream[train]'.
    """
    try:
        with required_extra("Training needs", "train" if epsilon is None else "train,private"):
            from models.training.run.request import TrainingRequest, run_training

            private = None if epsilon is None else _private_training(epsilon)
        request = TrainingRequest(
            data=data,
            output=output,
            taxonomy=taxonomy,
            config=TrainingConfig.with_options(epochs, seed, feedback_weight, target_precision),
            unseen=unseen,
            teacher=teacher,
            encoders=encoders,
            human_labels=HumanLabels(with_feedback, corrections),
            private=private,
        )
        tree = Taxonomy.of(taxonomy)
        show_conflicts(feedback_conflicts(with_feedback, tree), tree)
        with step_bars() as progress:
            manifest = run_training(request, prototypes_folder(), progress)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    show_measurements(manifest.measurements)
    show_thresholds(manifest)
    click.echo(f"{manifest.model_version} is in {output}.")


def show_measurements(measurements: Sequence[Measurement]) -> None:
    """Print accuracy per level, coverage and precision of each measurement."""
    for item in measurements:
        accuracy = " ".join(f"{value:6.1%}" for value in item.accuracy)
        name = f"{item.name}, cascade" if item.cascade else item.name
        click.echo(f"{name:42} {accuracy}  published {item.published:6.1%}, right {item.precision:6.1%}")


def show_thresholds(manifest: Manifest) -> None:
    """Print the thresholds of an own taxonomy, and why a level publishes nothing."""
    if manifest.threshold_choices is msgspec.UNSET:
        return
    shown = ", ".join(f"{each.threshold:.4f}" for each in manifest.threshold_choices)
    click.echo(f"thresholds {shown} for a precision of {manifest.target_precision:.1%}")
    for sentence in unreached(manifest):
        click.echo(sentence)


def _private_training(epsilon: float) -> "PrivateTraining":
    from models.training.private.dp_sgd import train_head
    from models.training.private.training import Privacy, PrivateTraining

    return PrivateTraining(Privacy(epsilon), train_head)
