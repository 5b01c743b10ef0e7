"""`shelfstream explain`: show why a title gets its category."""

from collections.abc import Sequence
from pathlib import Path

import click

from models.encoder.loading import second_stage
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.explanation import Explainer, Step
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.zero_shot.classifier import ZeroShotClassifier
from models.zero_shot.explanation import CascadeJudge, Judge, NamedStep, explain_by_names
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder, taxonomy_option

_SHOWN = 6
"""Most words and names shown per level."""


@click.command()
@click.argument("title")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of a trained model.  [default: the shipped model]",
)
@taxonomy_option
def explain(title: str, model: Path | None, taxonomy: Path | None) -> None:
    """Show the category of TITLE level by level, and which of its pieces contribute to each level.

    A piece is a word, a pair of words, or one to three Chinese characters. Its number is its
    contribution to the log odds of the category within its parent: positive for the category, negative
    against it. "Names in the title" are names of the category, or of one below it. If the student is unsure
    and a text encoder is available, the decision of both follows, with the category names most similar to
    the title. With --taxonomy and without --model only that part is shown.
    """
    try:
        tree = Taxonomy.of(taxonomy)
        if taxonomy is not None and model is None:
            _explain_by_names(title, tree)
        else:
            _explain_by_pieces(title, Artifact.load(model, tree), tree)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error


def _explain_by_pieces(title: str, artifact: Artifact, tree: Taxonomy) -> None:
    thresholds = artifact.manifest.thresholds
    steps = Explainer(artifact, tree).explain(title)
    _show([(step, _lines(step, tree)) for step in steps], thresholds, tree)
    judge = _cascade(artifact, tree)
    if judge is not None and judge.asked(title):
        click.echo("\nThe student is unsure. With the text encoder the decision is:")
        _show_names(title, judge, thresholds, tree)


def _cascade(artifact: Artifact, tree: Taxonomy) -> CascadeJudge | None:
    encoders = None if artifact.manifest.alone is True else second_stage(tree, prototypes_folder())
    if encoders is None:
        return None
    classifier = StudentClassifier(artifact, OnnxBackend(artifact), tree, second=encoders)
    return CascadeJudge(classifier, encoders, tree)


def _explain_by_names(title: str, tree: Taxonomy) -> None:
    classifier = ZeroShotClassifier.load(tree, prototypes_folder())
    _show_names(title, classifier, classifier.thresholds, tree)


def _show_names(title: str, judge: Judge, thresholds: Sequence[float], tree: Taxonomy) -> None:
    explained = []
    for step in explain_by_names(title, judge, tree):
        lines = ["most similar names: " + ", ".join(f"{near.text} {near.score:.2f}" for near in step.nearest)]
        explained.append((step, lines + _runner_up_lines(step.runner_up, tree)))
    _show(explained, thresholds, tree)


def _show(
    steps: Sequence[tuple[Step | NamedStep, list[str]]], thresholds: Sequence[float], tree: Taxonomy
) -> None:
    if not steps:
        click.echo("The model knows no word of the title, so there is nothing to decide by.")
    for level, (step, lines) in enumerate(steps):
        mark = (
            "" if step.probability >= thresholds[min(level, len(thresholds) - 1)] else "  below the threshold"
        )
        click.echo(f"{tree.nodes[step.category].path}  {step.probability:.3f}{mark}")
        for line in lines:
            click.echo(f"    {line}")


def _lines(step: Step, taxonomy: Taxonomy) -> list[str]:
    strongest = sorted(step.pieces, key=lambda piece: -abs(piece.weight))[:_SHOWN]
    lines = ["pieces: " + ", ".join(f"{piece.text} {piece.weight:+.2f}" for piece in strongest)]
    if step.names:
        lines.append("names in the title: " + ", ".join(step.names[:_SHOWN]))
    return lines + _runner_up_lines(step.runner_up, taxonomy)


def _runner_up_lines(runner_up: int, taxonomy: Taxonomy) -> list[str]:
    return [f"runner-up: {taxonomy.nodes[runner_up].name}"] if runner_up >= 0 else []
