"""`python -m models.training.spans --data DATA -o FOLDER`: train, measure and write the Chinese span tagger.

Needs the extra `train`. Some minutes on a core; the same data gives the same tagger. With `--work FOLDER`
the CRFs are kept there, and those that are there already are not trained again.
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
from models.attributes.span_features import feature_slots, lay, matches
from models.attributes.span_tagger import SpanTagger
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from models.training.spans.card import render_span_card
from models.training.spans.corpus import KINDS, MarkedTitle, read_marked
from models.training.spans.crf import baseline_scores, labels_of, slot_features, train_crf
from models.training.spans.export import Chain, blend, plain_slots, read_rows_of, weights_of
from models.training.spans.gazetteers import COUNT, Gazetteers, build_gazetteers
from models.training.spans.scores import SpanScore, found_spans, tagger_scores

COMMAND = "python -m models.training.spans --data DATA -o FOLDER"
SHARES = (0.5, 0.65, 0.8, 1.0)
"""Of the CRF with gazetteers in the blend; calibration titles choose."""
_STEPS = (0.0, 0.5, 0.7, 0.85, 0.95)
_LEAST_IN_STEP = 20


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), help="Where CRFs are kept and found."
)
def main(data: Path, output: Path, work: Path | None) -> None:
    """Train the span tagger on people's marks and write it, measured, with a manifest and a card."""
    titles = read_marked(data)
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
    titles: Sequence[MarkedTitle], data: Path, output: Path, models: Path, stage: Callable[[str], None]
) -> SpanManifest:
    """Train a CRF for each source, export both as one tagger, calibrate and measure it beside a plain CRF.

    Args:
        titles: Marked titles of all splits.
        data: The folder with `products/`, for gazetteers.
        output: Where the tagger goes; made if missing.
        models: A folder for CRFsuite's models.
        stage: Told what is done now.
    """
    learning = [title for title in titles if title.split == "train"]
    stage("Gazetteers")
    gazetteers = build_gazetteers(learning, data, Taxonomy.google())
    line = lay([fold(title.text) for title in learning])
    slots = feature_slots(line, matches(line, gazetteers.masks, COUNT, gazetteers.own))
    baselines: dict[str, list[SpanScore]] = {}
    chains: dict[str, Chain] = {}
    for source, kinds in KINDS.items():
        stage(f"Plain CRF for {source}")
        plain, rich = models / f"plain-{source}", models / f"rich-{source}"
        baselines[source] = baseline_scores(titles, source, plain)
        stage(f"CRF with gazetteers for {source}")
        own = [
            (title, slots[start : start + length])
            for title, start, length in zip(learning, line.starts, line.lengths, strict=True)
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
    judged = [_judge(head, titles, tagger, baselines[head.name]) for head in manifest.heads]
    output.mkdir(parents=True, exist_ok=True)
    return write_spans(output, weights, msgspec.structs.replace(manifest, heads=judged))


def _best_blend(
    titles: Sequence[MarkedTitle], source: str, pair: tuple[Chain, Chain], gazetteers: Gazetteers
) -> Chain:
    """The blend of two chains that does best on the source's calibration titles."""

    def f1(chain: Chain) -> float:
        tagger = SpanTagger(_draft(titles, [source]), weights_of({source: chain}, gazetteers.masks))
        return tagger_scores(titles, source, tagger, "calibration")[-1].f1

    return max((blend(*pair, share) for share in SHARES), key=f1)


def _draft(titles: Sequence[MarkedTitle], sources: Sequence[str]) -> SpanManifest:
    """A manifest without figures."""
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


def confidence_steps(judged: Sequence[tuple[float, bool]]) -> list[tuple[float, float]]:
    """The share right of spans by their probability, in ascending steps that hold enough of them each.

    One right and one wrong span are added to each step, so that no share is certain.

    Args:
        judged: Probability, and whether the span is right.
    """
    steps: list[tuple[float, float]] = []
    pending = float("inf")
    for least in reversed(_STEPS):
        inside = [right for score, right in judged if least <= score < pending]
        if len(inside) >= _LEAST_IN_STEP:
            steps.append((least, round((sum(inside) + 1) / (len(inside) + 2), 4)))
            pending = least
    return steps[::-1]


def _judge(
    head: Head, titles: Sequence[MarkedTitle], tagger: SpanTagger, baseline: Sequence[SpanScore]
) -> Head:
    chosen = [title for title in titles if title.source == head.name and title.split == "calibration"]
    judged: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in head.kinds}
    for title, spans in zip(chosen, found_spans(tagger, chosen, head.name), strict=True):
        for span in spans:
            judged[span.kind].append((span.score, span[:3] in title.spans))
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
    steps = {kind: confidence_steps(each) for kind, each in judged.items()}
    return Head(name=head.name, kinds=head.kinds, confidences=steps, measurements=measurements)
