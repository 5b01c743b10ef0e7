"""`shelfstream explain`: show why a title gets its category."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from models.encoder.loading import load_second_stage
from models.enrichment.enricher import Enricher, Enrichment
from models.enrichment.listing_explanation import ListingExplanation, explain_listing
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.explanation import Explainer, PieceStep
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.decision import DecisionStep
from models.taxonomy.tree import Taxonomy
from models.zero_shot.classifier import ZeroShotClassifier
from models.zero_shot.explanation import CascadeClassifier, SimilarityClassifier, explain_by_similarity
from schemas.errors import StopWorker
from schemas.events import ProductCreated
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.serving_options import ChosenServing, serving_options

_SHOWN = 6
"""Most words and names shown per level."""


@click.command()
@click.argument("title")
@serving_options
@click.option("--brand", help="The listing's brand.")
@click.option("--description", default="", help="The listing's description.")
@click.option("--category", help="The given category: an id or a path of the taxonomy.")
@click.option("--shop-category", help="The shop's own category, its levels joined by ` > `.")
@click.option("--language", help="The given language, such as `de`.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute. May be repeated."
)
def explain(title: str, serving: ChosenServing, **fields: Any) -> None:
    """Show the category of TITLE level by level, and which of its pieces contribute to each level.

    A piece is a word, a pair of words, or one to three Chinese characters. Its number is its
    contribution to the log odds of the category within its parent: positive for the category, negative
    against it. "Names in the title" are names of the category, or of one below it. If the student is unsure
    and a text encoder is available, the decision of both follows, with the category names most similar to
    the title. With a taxonomy of your own and without a model only that part is shown, or, of a taxonomy
    with Google ids, the decision in Google's taxonomy and the category for it. The model, the taxonomy and
    the thresholds are those of the worker's settings, and options override them.

    With fields of a listing beside the title, the whole listing follows: its language, what each field
    decides alone with the title, and which fields say nothing about the category.
    """
    product, config = _listing(title, fields), serving.config
    try:
        tree = Taxonomy.of(config.taxonomy)
        if config.taxonomy is not None and config.model is None and tree.has_google_ids:
            _explain_by_mapping(title, serving)
        elif config.taxonomy is not None and config.model is None:
            _explain_by_names(title, tree, serving)
        else:
            _explain_by_pieces(title, Artifact.load(config.model, tree), tree, serving)
        if product is not None:
            _show_listing(explain_listing(Enricher.load(config), product))
    except StopWorker as error:
        raise click.ClickException(str(error)) from error


def _listing(title: str, fields: Mapping[str, Any]) -> ProductCreated | None:
    """The listing of the options; None if there is nothing beside the title."""
    given = {name: value for name, value in fields.items() if value}
    pairs = [each.partition("=") for each in given.pop("attributes", ())]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{wrong[0]!r} has no `=`; write NAME=VALUE", param_hint="--attribute")
    if not given and not pairs:
        return None
    attributes = {name.strip(): value for name, _, value in pairs}
    return ProductCreated(product_id="1", title=title, attributes=attributes, **given)


def _show_listing(explained: ListingExplanation) -> None:
    language = explained.language or "unknown"
    source = "given" if explained.is_given else "detected"
    click.echo(f"\nThe listing. Language: {language} ({source if explained.language else 'not detected'})")
    if not explained.is_read:
        click.echo("    no model reads this language, so the words of the listing are not read")
    click.echo(f"title alone: {_decided(explained.title)}")
    for field, enrichment, share in explained.effects:
        change = "" if share is None else f"  ({share:+.3f} for the listing's category)"
        click.echo(f"with {field}: {_decided(enrichment)}{change}")
    click.echo(f"whole listing: {_decided(explained.whole)}")
    decision = explained.whole.decision
    given = f" [{decision.evidence.field}: {decision.evidence.text}]" if decision.evidence is not None else ""
    click.echo(f"    {decision.outcome.value}: {decision.why}{given}")
    if explained.not_read:
        click.echo(f"not read for the category: {', '.join(explained.not_read)}")


def _decided(enrichment: Enrichment) -> str:
    category = enrichment.category
    review = "  to review" if enrichment.review_reason is not None else ""
    return (
        f"{category.path}  {category.confidence:.3f}{review}" if category is not None else f"nothing{review}"
    )


def _explain_by_pieces(title: str, artifact: Artifact, tree: Taxonomy, serving: ChosenServing) -> None:
    config = serving.config
    alone = not config.cascade or artifact.manifest.alone is True
    encoders = None if alone else load_second_stage(tree, config)
    student = StudentClassifier(artifact, OnnxBackend(artifact), tree, config.threshold, encoders)
    print_to_stderr(serving.describe(student.model_version, tree.version, student.thresholds))
    steps = Explainer(artifact, tree).explain(title)
    _show([(step, _lines(step, tree)) for step in steps], student.thresholds, tree)
    if encoders is None:
        return
    cascade = CascadeClassifier(student, encoders, tree)
    if cascade.escalates(title):
        click.echo("\nThe student is unsure. With the text encoder the decision is:")
        _show_names(title, cascade, student.thresholds, tree)


def _explain_by_mapping(title: str, serving: ChosenServing) -> None:
    google = Taxonomy.google()
    _explain_by_pieces(title, Artifact.load(None, google), google, serving)
    enricher = Enricher.load(serving.config)
    (enrichment,) = enricher.enrich([ProductCreated(product_id="1", title=title)])
    click.echo(f"\nIn {enricher.taxonomy_version}: {_decided(enrichment)}")


def _explain_by_names(title: str, tree: Taxonomy, serving: ChosenServing) -> None:
    classifier = ZeroShotClassifier.load(tree, serving.config)
    print_to_stderr(serving.describe(classifier.model_version, tree.version, classifier.thresholds))
    _show_names(title, classifier, classifier.thresholds, tree)


def _show_names(
    title: str, classifier: SimilarityClassifier, thresholds: Sequence[float], tree: Taxonomy
) -> None:
    explained = []
    for step in explain_by_similarity(title, classifier, tree):
        lines = ["most similar names: " + ", ".join(f"{near.text} {near.score:.2f}" for near in step.nearest)]
        explained.append((step, lines + _runner_up_lines(step.runner_up, tree)))
    _show(explained, thresholds, tree)


def _show(
    steps: Sequence[tuple[DecisionStep, list[str]]], thresholds: Sequence[float], tree: Taxonomy
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


def _lines(step: PieceStep, taxonomy: Taxonomy) -> list[str]:
    strongest = sorted(step.pieces, key=lambda piece: -abs(piece.weight))[:_SHOWN]
    lines = ["pieces: " + ", ".join(f"{piece.text} {piece.weight:+.2f}" for piece in strongest)]
    if step.names:
        lines.append("names in the title: " + ", ".join(step.names[:_SHOWN]))
    return lines + _runner_up_lines(step.runner_up, taxonomy)


def _runner_up_lines(runner_up: int, taxonomy: Taxonomy) -> list[str]:
    return [f"runner-up: {taxonomy.nodes[runner_up].name}"] if runner_up >= 0 else []
