"""`shelfstream evaluate` as a library: evaluate a model and write the report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.enrichment.enricher import Enricher
from models.evaluation.evaluation import compare_baselines, evaluate
from models.evaluation.page import render
from models.evaluation.reasons import reasons
from models.evaluation.report import Report
from models.evaluation.titles import LabeledTitle, known_titles, own_titles
from models.serving_config import DEFAULT_CONFIG, ServingConfig
from models.student.explanation import Explainer
from models.text.cleaning import clean
from models.training.baselines.all_baselines import predict_all
from models.training.data.corpus import shops_of
from models.training.progress import ProgressCallback, ignore_progress
from schemas.errors import StopWorker
from schemas.events import ProductCreated

_BATCH = 512
JSON_REPORT, HTML_REPORT = "report.json", "report.html"


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate.

    Attributes:
        data: Folder with `products/` and `mappings/`, whose held-out titles are evaluated too; None for the
            project's own titles only.
        serving: How to load the model. The project's own titles have no labels in other trees than Google's,
            so they are left out for a taxonomy of one's own.
        baselines: Whether to train and evaluate the baselines on `data` too.
    """

    data: Path | None = None
    serving: ServingConfig = DEFAULT_CONFIG
    baselines: bool = False


@dataclass(frozen=True)
class EvaluationResult:
    """The result of an evaluation.

    Attributes:
        report: All metrics.
        titles_per_second: Speed of the enrichment, in titles per second.
        thresholds: Least confidence of a published category of level 1, 2, ….
    """

    report: Report
    titles_per_second: float
    thresholds: tuple[float, ...]


def run_evaluation(
    request: EvaluationRequest,
    clock: Callable[[], float],
    progress: ProgressCallback = ignore_progress,
) -> EvaluationResult:
    """Evaluate a model as it serves.

    Args:
        request: What to evaluate.
        clock: Monotonic time in seconds, such as `time.perf_counter`.
        progress: Called after each batch.

    Raises:
        StopWorker: A model or data file is missing or invalid, or there is no title to evaluate on.
    """
    enricher = Enricher.load(request.serving)
    taxonomy, manifest = enricher.taxonomy, enricher.artifact.manifest
    titles = own_titles(taxonomy) if request.serving.taxonomy is None else []
    if request.data is not None:
        titles += known_titles(request.data, taxonomy, shops_of(request.data, taxonomy))
    if not titles:
        raise StopWorker(
            f"{request.data} holds out no title to measure on: there are too few different ones."
        )
    speed = _titles_per_second(enricher, titles, clock, progress)
    report, predictions = evaluate(
        enricher,
        titles,
        manifest,
        reasons(Explainer(enricher.artifact, taxonomy), taxonomy),
        cascade=request.serving.cascade and manifest.alone is not True,
        progress=progress,
    )
    if request.baselines and request.data is not None:
        baselines = predict_all(request.data, taxonomy, [clean(title.title) for title in titles], progress)
        sections = compare_baselines(predictions, baselines, taxonomy)
        report = msgspec.structs.replace(report, baselines=sections)
    return EvaluationResult(report, speed, enricher.thresholds)


def write_report(report: Report, folder: Path) -> None:
    """Write a report as `report.json` and `report.html`.

    Args:
        report: Report.
        folder: Folder to write to. It is created if it is missing.

    Raises:
        OSError: The files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    (folder / JSON_REPORT).write_bytes(encoded + b"\n")
    (folder / HTML_REPORT).write_text(render(report), encoding="utf-8")


def _titles_per_second(
    enricher: Enricher, titles: list[LabeledTitle], clock: Callable[[], float], progress: ProgressCallback
) -> float:
    """Enrich all titles once. The enricher caches its decisions, so the evaluation repeats no work."""
    began = clock()
    for start in range(0, len(titles), _BATCH):
        batch = titles[start : start + _BATCH]
        enricher.enrich([ProductCreated(product_id="1", title=each.title) for each in batch])
        progress("Enriching", start + len(batch), len(titles))
    return len(titles) / (clock() - began)
