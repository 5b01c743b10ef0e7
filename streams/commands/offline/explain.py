"""`shelfstream explain`: what the decision about a title rests on."""

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


@click.command()
@click.argument("title")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A trained model's folder; the shipped model if not given.",
)
@taxonomy_option
def explain(title: str, model: Path | None, taxonomy: Path | None) -> None:
    """Show level by level where the model would put TITLE, and which of its pieces say so.

    A piece's number is what it adds to the log of the odds of the category within its parent; the sign says
    whether it speaks for or against. Names are those of the category, or below it, that stand in the title.
    Where the student doubts and a text encoder judges too, their joint decision follows, with the names that
    the title is most like. With --taxonomy and no --model there are no pieces, and that is all.
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
        click.echo("\nThe student doubts that; with a text encoder, which decides too:")
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
    found = []
    for step in explain_by_names(title, judge, tree):
        lines = ["most like: " + ", ".join(f"{near.text} {near.score:.2f}" for near in step.nearest)]
        found.append((step, lines + _rather_than(step.runner_up, tree)))
    _show(found, thresholds, tree)


def _show(
    steps: Sequence[tuple[Step | NamedStep, list[str]]], thresholds: Sequence[float], tree: Taxonomy
) -> None:
    if not steps:
        click.echo("Not one word of the title is known, so there is nothing to decide by.")
    for level, (step, lines) in enumerate(steps):
        doubt = "" if step.probability >= thresholds[min(level, len(thresholds) - 1)] else "  not sure"
        click.echo(f"{tree.nodes[step.category].path}  {step.probability:.3f}{doubt}")
        for line in lines:
            click.echo(f"    {line}")


def _lines(step: Step, taxonomy: Taxonomy) -> list[str]:
    strongest = sorted(step.pieces, key=lambda piece: -abs(piece.weight))[:_SHOWN]
    lines = ["pieces: " + ", ".join(f"{piece.text} {piece.weight:+.2f}" for piece in strongest)]
    if step.names:
        lines.append("names in the title: " + ", ".join(step.names[:_SHOWN]))
    return lines + _rather_than(step.runner_up, taxonomy)


def _rather_than(runner_up: int, taxonomy: Taxonomy) -> list[str]:
    return [f"rather than: {taxonomy.nodes[runner_up].name}"] if runner_up >= 0 else []
