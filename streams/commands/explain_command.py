"""`shelfstream explain`: what the decision about a title rests on."""

from pathlib import Path

import click

from models.artifact import Artifact
from models.explanation import Explainer, Step
from models.taxonomy import Taxonomy
from schemas.errors import StopWorker

_SHOWN = 6


@click.command()
@click.argument("title")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A trained model's folder; the shipped model if not given.",
)
def explain(title: str, model: Path | None) -> None:
    """Show level by level where the model would put TITLE, and which of its pieces say so.

    A piece's number is what it adds to the log of the odds of the category within its parent; the sign says
    whether it speaks for or against. Names are those of the category, or below it, that stand in the title.
    """
    taxonomy = Taxonomy.google()
    try:
        artifact = Artifact.load(model, taxonomy)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    steps = Explainer(artifact, taxonomy).explain(title)
    if not steps:
        click.echo("Not one word of the title is known, so there is nothing to decide by.")
    for level, step in enumerate(steps):
        needed = artifact.manifest.thresholds[min(level, len(artifact.manifest.thresholds) - 1)]
        doubt = "" if step.probability >= needed else "  not sure"
        click.echo(f"{taxonomy.nodes[step.category].path}  {step.probability:.3f}{doubt}")
        for line in _lines(step, taxonomy):
            click.echo(f"    {line}")


def _lines(step: Step, taxonomy: Taxonomy) -> list[str]:
    strongest = sorted(step.pieces, key=lambda piece: -abs(piece.weight))[:_SHOWN]
    lines = ["pieces: " + ", ".join(f"{piece.text} {piece.weight:+.2f}" for piece in strongest)]
    if step.names:
        lines.append("names in the title: " + ", ".join(step.names[:_SHOWN]))
    if step.runner_up >= 0:
        lines.append(f"rather than: {taxonomy.nodes[step.runner_up].name}")
    return lines
