"""`python -m models.training.spans --data DATA -o FOLDER`: train, measure and write the Chinese span tagger.

Needs the extra `train`. Some minutes on a core; the same data gives the same tagger. With `--work FOLDER`
the CRFs are kept there, and those that are there already are not trained again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress

from models.span_artifact import CARD, FORMAT, Head, KindMeasurement, SpanManifest, SpanWeights, write_spans
from models.span_features import feature_slots, lay, matches
from models.spans import SpanTagger
from models.taxonomy import Taxonomy
from models.text import fold
from models.training.span_card import render_span_card
from models.training.span_corpus import KINDS, MarkedTitle, read_marked
from models.training.span_crf import baseline_scores, labels_of, slot_features, train_crf, weights_of
from models.training.span_gazetteers import COUNT, Gazetteers, build_gazetteers
from models.training.span_scores import found_spans, tagger_scores

COMMAND = "python -m models.training.spans --data DATA -o FOLDER"
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
        task = bars.add_task("Training", total=2 * len(KINDS) + 1)

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
    for source, kinds in KINDS.items():
        stage(f"Tagger for {source}")
        parts = [
            (slots[start : start + length], labels_of(title, kinds))
            for title, start, length in zip(learning, line.starts, line.lengths, strict=True)
            if title.source == source
        ]
        train_crf(((slot_features(part), labels) for part, labels in parts), models / f"rich-{source}")
    weights = _export(models, gazetteers)
    heads = [
        Head(name=source, kinds=list(kinds), confidences={}, measurements=[])
        for source, kinds in KINDS.items()
    ]
    manifest = SpanManifest(
        format=FORMAT,
        version="",
        heads=heads,
        gazetteers=COUNT,
        titles=dict(sorted(Counter(f"{title.source} {title.split}" for title in titles).items())),
        command=COMMAND,
        files={},
    )
    tagger = SpanTagger(manifest, weights)
    judged = []
    for head in heads:
        stage(f"Plain CRF for {head.name}")
        judged.append(_judge(head, titles, tagger, models / f"plain-{head.name}"))
    output.mkdir(parents=True, exist_ok=True)
    manifest = SpanManifest(
        format=FORMAT,
        version="",
        heads=judged,
        gazetteers=COUNT,
        titles=manifest.titles,
        command=COMMAND,
        files={},
    )
    return write_spans(output, weights, manifest)


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


def _judge(head: Head, titles: Sequence[MarkedTitle], tagger: SpanTagger, path: Path) -> Head:
    chosen = [title for title in titles if title.source == head.name and title.split == "calibration"]
    judged: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in head.kinds}
    for title, spans in zip(chosen, found_spans(tagger, chosen, head.name), strict=True):
        for span in spans:
            judged[span.kind].append((span.score, span[:3] in title.spans))
    baseline = baseline_scores(titles, head.name, path)
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


def _export(models: Path, gazetteers: Gazetteers) -> SpanWeights:
    entries = np.flatnonzero(gazetteers.masks).astype(np.uint32)
    paths = {source: models / f"rich-{source}" for source in KINDS}
    return weights_of(paths, dict(KINDS), entries, gazetteers.masks[entries])


if __name__ == "__main__":
    main()
