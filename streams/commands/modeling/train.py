"""`shelfstream train`: make the model anew from the data folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.serving_config import ServingConfig
from models.student.artifact import Measurement
from models.taxonomy.tree import Taxonomy
from models.training.data.feedback_lines import find_conflicts, read_feedback
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder, taxonomy_option
from streams.commands.modeling.feedback import tell_conflicts
from streams.commands.progress import step_bars

if TYPE_CHECKING:
    from models.training.private.training import PrivateTraining


@click.command("train")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with products/ and mappings/.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the model goes, such as models/pretrained/student.",
)
@taxonomy_option
@click.option("--epochs", default=None, type=click.IntRange(min=1), help="Passes over the data.")
@click.option("--seed", default=None, type=int, help="Of every random choice.")
@click.option(
    "--unseen/--no-unseen", default=True, help="Also train without each shop, to measure unseen shops."
)
@click.option(
    "--teacher/--no-teacher", default=True, help="Whether the text encoders teach the student what they know."
)
@click.option(
    "--encoders",
    default=None,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of text encoders, which also are the second stage; the shipped ones if not given.",
)
@click.option(
    "--with-feedback",
    default=None,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Learn also from people's words: what `feedback export` wrote.",
)
@click.option(
    "--feedback-weight",
    default=None,
    type=click.FloatRange(min=0, min_open=True),
    help="How much each of those counts, 5 if not given; a shop's title counts 1.",
)
@click.option(
    "--corrections",
    default=None,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labels put right: what `labels check` wrote, with `yes` where a person accepts.",
)
@click.option(
    "--private",
    "epsilon",
    default=None,
    type=click.FloatRange(min=0.0, min_open=True),
    help="Train with differential privacy and this epsilon (extra `private`; see docs/models/privacy.md).",
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
    epsilon: float | None,
) -> None:
    """Train the student on labeled titles, measure it, and write it with manifest and model card.

    With --taxonomy, the mappings point into that tree, and the shops are those of the data's mappings/. Needs
    the extra `train`: pip install 'shelfstream[train]'.
    """
    try:
        from models.encoder.loading import load_second_stage
        from models.training.data.examples import HumanLabels
        from models.training.pipeline import run
        from models.training.student.trainer import TrainingConfig

        private = None if epsilon is None else _privately(epsilon)
    except ModuleNotFoundError as error:
        extras = "train" if epsilon is None else "train,private"
        raise click.ClickException(
            f"Training needs {error.name}: pip install 'shelfstream[{extras}]', then again."
        ) from error
    people = HumanLabels(with_feedback, corrections)
    given: dict[str, Any] = {"epochs": epochs, "seed": seed, "feedback_weight": feedback_weight}
    config = TrainingConfig(**{name: value for name, value in given.items() if value is not None})
    with step_bars() as progress:
        try:
            tree = Taxonomy.of(taxonomy)
            _tell_conflicts(with_feedback, tree)
            second = load_second_stage(
                tree, ServingConfig(encoders=encoders, prototype_cache=prototypes_folder(), threads=2)
            )
            guide = second if teacher else None
            options: dict[str, Any] = {"unseen": unseen, "teacher": guide, "second": second, "people": people}
            manifest = run(data, output, config, progress, taxonomy=tree, private=private, **options)
        except StopWorker as error:
            raise click.ClickException(str(error)) from error
    _show(manifest.measurements)
    click.echo(f"{manifest.model_version} is in {output}.")


def _show(measurements: Sequence[Measurement]) -> None:
    for item in measurements:
        accuracy = " ".join(f"{value:6.1%}" for value in item.accuracy)
        name = f"{item.name}, cascade" if item.cascade else item.name
        click.echo(f"{name:42} {accuracy}  published {item.published:6.1%}, right {item.precision:6.1%}")


def _tell_conflicts(feedback: Path | None, taxonomy: Taxonomy) -> None:
    """On which texts nobody's word is taken, as people contradict each other."""
    if feedback is not None:
        tell_conflicts(find_conflicts(read_feedback(feedback, taxonomy), taxonomy), taxonomy)


def _privately(epsilon: float) -> "PrivateTraining":
    from models.training.private.dp_sgd import learn_head
    from models.training.private.training import Privacy, PrivateTraining

    return PrivateTraining(Privacy(epsilon), learn_head)
