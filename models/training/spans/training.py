"""`python -m models.training.spans --data DATA -o FOLDER`: train, evaluate and write the Chinese span tagger.

Needs the extra `train`, and a few minutes on one core. The same data gives the same tagger. With
`--work FOLDER` the CRFs are kept there, and existing ones are not trained again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from models.attributes.span_artifact import CARD, FORMAT, Head, KindMeasurement, SpanManifest, write_spans
from models.attributes.span_features import feature_slots, join_texts, match_gazetteers
from models.attributes.span_tagger import SpanTagger
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.training.spans.card import render_span_card
from models.training.spans.corpus import KINDS, AnnotatedTitle, read_annotated
from models.training.spans.crf import baseline_scores, labels_of, slot_features, train_crf
from models.training.spans.export import Chain, blend, plain_slots, read_rows_of, weights_of
from models.training.spans.gazetteers import COUNT, Gazetteers, build_gazetteers
from models.training.spans.scores import SpanScore, found_spans, tagger_scores

COMMAND = "python -m models.training.spans --data DATA -o FOLDER"
BLEND_WEIGHTS = (0.5, 0.65, 0.8, 1.0)
"""Candidate weights of the CRF with gazetteers in the blend. Calibration titles choose one."""
_STEPS = (0.0, 0.5, 0.7, 0.85, 0.95)
_MIN_IN_STEP = 20


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), help="Folder where the CRFs are kept."
)
def main(data: Path, output: Path, work: Path | None) -> None:
    """Train the span tagger on annotated titles, evaluate it, and write it with manifest and card."""
    titles = read_annotated(data)
    with Progress(console=Console(stderr=True)) as bars, TemporaryDirectory() as models:
        task = bars.add_task("Training", total=2 * len(KINDS) + 2)

        def stage(name: str) -> None:
            bars.update(task, description=name, advance=1)

        folder = work or Path(models)
        folder.mkdir(parents=True, exist_ok=True)
        manifest = train(titles, data, output, folder, stage)
    (output / CARD).write_text(render_span_card(manifest), encoding="utf-8")
    click.echo(f"{manifest.version} is in {output}.")


def train(
    titles: Sequence[AnnotatedTitle], data: Path, output: Path, models: Path, stage: Callable[[str], None]
) -> SpanManifest:
    """Train a CRF per source, export them as one tagger, calibrate it, and compare it with a plain CRF.

    Args:
        titles: Annotated titles of all splits.
        data: Folder with `products/`, for the gazetteers.
        output: Folder to write the tagger to. It is created if it is missing.
        models: Folder for CRFsuite's model files.
        stage: Called with the name of each phase when it begins.

    Returns:
        The manifest of the tagger.
    """
    training = [title for title in titles if title.split == "train"]
    stage("Gazetteers")
    gazetteers = build_gazetteers(training, data, Taxonomy.google())
    line = join_texts([fold(title.text) for title in training])
    slots = feature_slots(line, match_gazetteers(line, gazetteers.masks, COUNT, gazetteers.own))
    baselines: dict[str, list[SpanScore]] = {}
    chains: dict[str, Chain] = {}
    for source, kinds in KINDS.items():
        stage(f"Plain CRF for {source}")
        plain, rich = models / f"plain-{source}", models / f"rich-{source}"
        baselines[source] = baseline_scores(titles, source, plain)
        stage(f"CRF with gazetteers for {source}")
        own = [
            (title, slots[start : start + length])
            for title, start, length in zip(training, line.starts, line.lengths, strict=True)
            if title.source == source
        ]
        train_crf(((slot_features(part), labels_of(title, kinds)) for title, part in own), rich)
        slots_of = plain_slots((title.text, part) for title, part in own)
        pair = read_rows_of(rich, kinds), read_rows_of(plain, kinds, slots_of)
        chains[source] = _best_blend(titles, source, pair, gazetteers)
    weights = weights_of(chains, gazetteers.masks)
    manifest = _draft(titles, list(KINDS))
    tagger = SpanTagger(manifest, weights)
    stage("Measuring")
    heads = [_evaluated(head, titles, tagger, baselines[head.name]) for head in manifest.heads]
    output.mkdir(parents=True, exist_ok=True)
    return write_spans(output, weights, msgspec.structs.replace(manifest, heads=heads))


def _best_blend(
    titles: Sequence[AnnotatedTitle], source: str, pair: tuple[Chain, Chain], gazetteers: Gazetteers
) -> Chain:
    """The blend of two CRFs with the best F1 on the source's calibration titles."""

    def f1(chain: Chain) -> float:
        tagger = SpanTagger(_draft(titles, [source]), weights_of({source: chain}, gazetteers.masks))
        return tagger_scores(titles, source, tagger, "calibration")[-1].f1

    return max((blend(*pair, weight) for weight in BLEND_WEIGHTS), key=f1)


def _draft(titles: Sequence[AnnotatedTitle], sources: Sequence[str]) -> SpanManifest:
    """A manifest without metrics."""
    return SpanManifest(
        format=FORMAT,
        version="",
        heads=[
            Head(name=source, kinds=list(KINDS[source]), confidences={}, measurements=[])
            for source in sources
        ],
        gazetteers=COUNT,
        titles=dict(sorted(Counter(f"{title.source} {title.split}" for title in titles).items())),
        command=COMMAND,
        files={},
    )


def confidence_steps(scored: Sequence[tuple[float, bool]]) -> list[tuple[float, float]]:
    """Calibrate probabilities: the precision of spans, in steps of their probability.

    One right and one wrong span are added to each step, so that no precision is 0 or 1. Steps with too few
    spans are merged with the next lower one.

    Args:
        scored: Probability of each span, and whether it is right.

    Returns:
        Lower bound and precision of each step, ascending.
    """
    steps: list[tuple[float, float]] = []
    upper = float("inf")
    for lower in reversed(_STEPS):
        inside = [right for score, right in scored if lower <= score < upper]
        if len(inside) >= _MIN_IN_STEP:
            steps.append((lower, round((sum(inside) + 1) / (len(inside) + 2), 4)))
            upper = lower
    return steps[::-1]


def _evaluated(
    head: Head, titles: Sequence[AnnotatedTitle], tagger: SpanTagger, baseline: Sequence[SpanScore]
) -> Head:
    """A head with its calibration and its metrics on the test titles."""
    chosen = [title for title in titles if title.source == head.name and title.split == "calibration"]
    scored: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in head.kinds}
    for title, spans in zip(chosen, found_spans(tagger, chosen, head.name), strict=True):
        for span in spans:
            scored[span.kind].append((span.score, span[:3] in title.spans))
    measurements = [
        KindMeasurement(
            kind=ours.kind,
            marked=ours.marked,
            precision=round(ours.precision, 4),
            recall=round(ours.recall, 4),
            f1=round(ours.f1, 4),
            baseline_f1=round(theirs.f1, 4),
        )
        for ours, theirs in zip(tagger_scores(titles, head.name, tagger), baseline, strict=True)
    ]
    steps = {kind: confidence_steps(each) for kind, each in scored.items()}
    return Head(name=head.name, kinds=head.kinds, confidences=steps, measurements=measurements)
