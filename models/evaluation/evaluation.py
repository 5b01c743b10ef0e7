"""The whole evaluation: judge all titles, and put what was found into a report."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np

from models.arrays import Indices
from models.enrichment.enricher import Enricher
from models.evaluation.predictions import Predictions, judge
from models.evaluation.report import FORMAT, UNSEEN, Report, Scores, Section
from models.evaluation.scoring import Explain, detail, level_scores, scores
from models.evaluation.slices import SELLERS, SLICES, Slice, mistyped
from models.evaluation.titles import KNOWN, LabeledTitle
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many titles of it are done, and of how many."""

SEED = 20261125
TYPOS = 2_000
"""At most so many titles of a source get a typing error."""
LEAST_TITLES = 10
"""A slice of fewer is not shown: its figures would say nothing."""
LANGUAGES = {"en": "English", "zh": "Chinese"}
_HOW = (
    "Levels 2 and 3 count the titles whose label goes so deep; ± is half of the 95% interval. F1 is its mean "
    "over the categories that occur among the labels. ECE is the expected calibration error of level 1 in 15 "
    "bins. Published is the share that the model decides alone; right is the share right of those, at the "
    "depth that it chose."
)
_SELLERS = (
    "The data names no sellers. The proxy is the number of a brand's listings in flipkart, the only shop "
    "that names brands. Some of its brands are none (`Regular`, `Slim`), and small brands sell other "
    "things than large ones, so that a difference need not be unfairness."
)


def evaluate(
    enricher: Enricher,
    titles: Sequence[LabeledTitle],
    manifest: Manifest,
    explain: Explain,
    *,
    cascade: bool,
    progress: Progress,
    seed: int = SEED,
) -> tuple[Report, Predictions]:
    """Measure a model on labeled titles.

    Args:
        enricher: The model, as it serves.
        titles: At least one; those of a source together.
        manifest: Of the model.
        explain: Says what a decision rests on.
        cascade: Whether the text encoder takes part.
        progress: Called after each batch.
        seed: Of the typing errors.

    Returns:
        The report, without baselines, and the predictions that it is from.
    """
    predictions = judge(enricher, titles, _counted(progress, "Titles", len(titles)))
    sources = list(dict.fromkeys(title.source for title in titles))
    parts = {source: predictions.where(lambda title, of=source: title.source == of) for source in sources}  # type: ignore[misc]
    typos = _typos(enricher, parts, progress, seed)
    sellers = _section("Small and large brands", _SELLERS, predictions, SELLERS)
    unseen = [each for each in manifest.measurements if each.name.startswith(UNSEEN)]
    report = Report(
        format=FORMAT,
        model_version=enricher.model_version,
        taxonomy_version=enricher.taxonomy_version,
        cascade=cascade,
        groups=groups(predictions),
        languages=_languages(predictions),
        details=[detail(source, part, enricher.taxonomy, explain) for source, part in parts.items()],
        slices=[*_slices(parts), typos],
        sellers=sellers if sellers.rows else None,
        unseen=unseen,
        baselines=[],
        notes=_notes(sources, bool(unseen), bool(sellers.rows), cascade),
    )
    return report, predictions


def beside(predictions: Predictions, ways: Mapping[str, Indices], taxonomy: Taxonomy) -> list[Section]:
    """The model beside other ways, group by group.

    Args:
        predictions: The model's.
        ways: By name, what another way says of the same titles: indices of categories, shape [titles].
        taxonomy: The tree.
    """
    sections = []
    depth = predictions.labels.shape[1]
    for name, rows in _groups(predictions).items():
        found = [scores("this model", predictions.take(rows))]
        for way, decided in ways.items():
            levels = level_scores(predictions.labels[rows], taxonomy.lineage[decided[rows], :depth])
            found.append(Scores(name=way, texts=len(rows), levels=levels))
        sections.append(Section(title=name, note="", rows=found))
    return sections


def groups(predictions: Predictions) -> Section:
    """By source, shop, kind of text and language."""
    rows = [scores(name, predictions.take(rows)) for name, rows in _groups(predictions).items()]
    note = (
        "The gift shop is one that no training has seen. Written titles were written for this project. The "
        "others are held-out titles of shops whose other titles the model learnt from, with their attributes "
        f"where it says so. {_HOW}"
    )
    return Section(title="Shops and languages", note=note, rows=rows)


def _groups(predictions: Predictions) -> dict[str, list[int]]:
    """By name, the numbers of the titles of each shop, kind of text and language."""
    found: dict[str, list[int]] = {}
    for row, title in enumerate(predictions.titles):
        found.setdefault(f"{title.shop}, {LANGUAGES[title.language]}", []).append(row)
    return found


def _languages(predictions: Predictions) -> Section:
    keys = list(dict.fromkeys((each.source, each.language) for each in predictions.titles))
    rows = [
        scores(
            f"{source}, {LANGUAGES[language]}",
            predictions.where(lambda each, key=(source, language): (each.source, each.language) == key),  # type: ignore[misc]
        )
        for source, language in keys
    ]
    return Section(title="Languages", note="All texts of a source in one language.", rows=rows)


def _slices(parts: dict[str, Predictions]) -> list[Section]:
    sections = []
    for each in SLICES:
        rows: list[Scores] = []
        for source, part in parts.items():
            # A title with its attributes is no short title, and the same title twice.
            listed = part.where(lambda title: not title.shop.endswith(" attributes"))
            held = listed.where(each.holds)
            if len(held) >= LEAST_TITLES:
                rows += [scores(f"{source}: these", held), scores(f"{source}: all titles", listed)]
        sections.append(Section(title=each.name.capitalize(), note=f"Titles {each.rule}.", rows=rows))
    return sections


def _typos(enricher: Enricher, parts: dict[str, Predictions], progress: Progress, seed: int) -> Section:
    rows: list[Scores] = []
    for source, part in parts.items():
        pairs = mistyped(part.titles, seed)
        if len(pairs) > TYPOS:
            pairs = sorted(Random(seed).sample(pairs, TYPOS), key=lambda pair: pair[0])
        if len(pairs) < LEAST_TITLES:
            continue
        wrong = [title for _, title in pairs]
        found = judge(enricher, wrong, _counted(progress, f"Typing errors, {source}", len(wrong)))
        rows += [
            scores(f"{source}: with an error", found),
            scores(f"{source}: without", part.take(np.array([number for number, _ in pairs]))),
        ]
    note = (
        "The same titles with one typing error in one word of four letters or more (two letters swapped, one "
        f"left out or doubled, by seed {seed}), and without; at most {TYPOS:,} of a source."
    )
    return Section(title="Typing errors", note=note, rows=rows)


def _section(title: str, note: str, predictions: Predictions, kinds: Sequence[Slice]) -> Section:
    rows = []
    for kind in kinds:
        held = predictions.where(kind.holds)
        if len(held) >= LEAST_TITLES:
            rows.append(scores(f"{kind.name}: {kind.rule}", held))
    return Section(title=title, note=note, rows=rows)


def _counted(progress: Progress, name: str, total: int) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress(name, done, total)

    return advance


def _notes(sources: Sequence[str], unseen: bool, sellers: bool, cascade: bool) -> list[str]:
    notes = [
        "Measured is the model as it serves: texts through the enricher, decisions as in its events.",
        "Reasons for mistakes are the student's alone"
        + (", also where the text encoder changed its mind." if cascade else "."),
    ]
    if KNOWN not in sources:
        notes.append("Known shops were not measured: their titles are not part of the project. Give --data.")
    if not sellers:
        notes.append("Small and large sellers were not compared: only flipkart's titles come with a brand.")
    if not unseen:
        notes.append("The model's manifest has no figures of shops left out in training.")
    return notes
