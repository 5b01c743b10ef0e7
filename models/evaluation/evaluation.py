"""The evaluation of a model: predict all titles, compute the metrics, and assemble the report."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np

from models.arrays import Indices
from models.enrichment.enricher import Enricher
from models.evaluation.predictions import Predictions, predict
from models.evaluation.report import FORMAT, UNSEEN, Report, Scores, Section
from models.evaluation.scoring import Explain, detail, level_scores, scores
from models.evaluation.slices import SELLERS, SLICES, Slice, mistyped
from models.evaluation.titles import KNOWN, LabeledTitle
from models.student.artifact import Manifest
from models.taxonomy.tree import Taxonomy
from models.training.progress import ProgressCallback

SEED = 20261125
TYPOS = 2_000
"""Maximum number of titles of a source that get a typing error."""
MIN_TITLES = 10
"""A slice with fewer titles is not reported."""
LANGUAGES = {"en": "English", "zh": "Chinese"}
_METRICS_NOTE = (
    "Levels 2 and 3 count the titles whose label is that deep. ± is half of the accuracy's 95% interval. F1 "
    "is the mean over the categories that occur among the labels. ECE is the expected calibration error of "
    "level 1 in 15 bins. Published is the share of titles that are published without a person; right is the "
    "precision of the published categories, at the depth that the model chose."
)
_SELLERS_NOTE = (
    "The data names no sellers. The proxy is the number of a brand's listings in flipkart, the only shop "
    "that names brands. Some values of its brand field are not brands (`Regular`, `Slim`), and small brands "
    "sell other products than large ones, so a difference is not necessarily unfairness."
)


def evaluate(
    enricher: Enricher,
    titles: Sequence[LabeledTitle],
    manifest: Manifest,
    explain: Explain,
    *,
    cascade: bool,
    progress: ProgressCallback,
    seed: int = SEED,
) -> tuple[Report, Predictions]:
    """Evaluate a model on labeled titles.

    Args:
        enricher: Model as it serves.
        titles: At least one title. Titles of the same source are adjacent.
        manifest: Manifest of the model.
        explain: Explains a prediction.
        cascade: Whether the text encoders take part.
        progress: Called after each batch.
        seed: Seed of the typing errors.

    Returns:
        The report without baselines, and the predictions for `titles`.
    """
    predictions = predict(enricher, titles, _counter(progress, "Titles", len(titles)))
    sources = list(dict.fromkeys(title.source for title in titles))
    parts = {source: predictions.where(lambda title, of=source: title.source == of) for source in sources}  # type: ignore[misc]
    typos = _typos(enricher, parts, progress, seed)
    sellers = _section("Small and large brands", _SELLERS_NOTE, predictions, SELLERS)
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


def compare_baselines(
    predictions: Predictions, baselines: Mapping[str, Indices], taxonomy: Taxonomy
) -> list[Section]:
    """Compare a model with baselines, one section per shop, kind of text and language.

    Args:
        predictions: Predictions of the model.
        baselines: Categories that each baseline predicts for the same titles, shape [titles], by its name.
        taxonomy: Category tree.
    """
    sections = []
    depth = predictions.labels.shape[1]
    for name, rows in _groups(predictions).items():
        compared = [scores("this model", predictions.take(rows))]
        for baseline, categories in baselines.items():
            levels = level_scores(predictions.labels[rows], taxonomy.lineage[categories[rows], :depth])
            compared.append(Scores(name=baseline, texts=len(rows), levels=levels))
        sections.append(Section(title=name, note="", rows=compared))
    return sections


def groups(predictions: Predictions) -> Section:
    """Compute the metrics by shop, kind of text and language."""
    rows = [scores(name, predictions.take(rows)) for name, rows in _groups(predictions).items()]
    note = (
        "The gift shop is not part of any training data. Written titles were written for this project. The "
        "other groups are held-out titles of shops that the model was trained on, with their attributes if "
        f"the name says so. {_METRICS_NOTE}"
    )
    return Section(title="Shops and languages", note=note, rows=rows)


def _groups(predictions: Predictions) -> dict[str, list[int]]:
    """Numbers of the titles of each shop, kind of text and language, by the name of the group."""
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
            # A text with attributes repeats a title, and its length is not the title's.
            plain = part.where(lambda title: not title.shop.endswith(" attributes"))
            selected = plain.where(each.holds)
            if len(selected) >= MIN_TITLES:
                rows += [scores(f"{source}: these", selected), scores(f"{source}: all titles", plain)]
        sections.append(Section(title=each.name.capitalize(), note=f"Titles {each.rule}.", rows=rows))
    return sections


def _typos(
    enricher: Enricher, parts: dict[str, Predictions], progress: ProgressCallback, seed: int
) -> Section:
    rows: list[Scores] = []
    for source, part in parts.items():
        pairs = mistyped(part.titles, seed)
        if len(pairs) > TYPOS:
            pairs = sorted(Random(seed).sample(pairs, TYPOS), key=lambda pair: pair[0])
        if len(pairs) < MIN_TITLES:
            continue
        mistyped_titles = [title for _, title in pairs]
        advance = _counter(progress, f"Typing errors, {source}", len(mistyped_titles))
        rows += [
            scores(f"{source}: with an error", predict(enricher, mistyped_titles, advance)),
            scores(f"{source}: without", part.take(np.array([number for number, _ in pairs]))),
        ]
    note = (
        "The same titles with and without one typing error in a word of four letters or more: two letters "
        f"swapped, or one left out or doubled, by seed {seed}. At most {TYPOS:,} titles per source."
    )
    return Section(title="Typing errors", note=note, rows=rows)


def _section(title: str, note: str, predictions: Predictions, slices: Sequence[Slice]) -> Section:
    rows = []
    for each in slices:
        selected = predictions.where(each.holds)
        if len(selected) >= MIN_TITLES:
            rows.append(scores(f"{each.name}: {each.rule}", selected))
    return Section(title=title, note=note, rows=rows)


def _counter(progress: ProgressCallback, name: str, total: int) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress(name, done, total)

    return advance


def _notes(sources: Sequence[str], unseen: bool, sellers: bool, cascade: bool) -> list[str]:
    notes = [
        "The model is evaluated as it serves: texts go through the enricher, decisions are those in events.",
        "Reasons for mistakes explain the student's prediction"
        + (", even if the text encoder changed the decision." if cascade else "."),
    ]
    if KNOWN not in sources:
        notes.append("Known shops were not measured: their titles are not part of the project. Give --data.")
    if not sellers:
        notes.append("Small and large sellers were not compared: only flipkart's titles come with a brand.")
    if not unseen:
        notes.append("The model's manifest has no metrics of shops that were left out in training.")
    return notes
