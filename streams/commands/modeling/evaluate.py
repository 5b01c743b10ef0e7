"""`shelfstream evaluate`: how good a model is, on the project's own titles and on held-out ones."""

from pathlib import Path
from time import perf_counter

import click
import msgspec

from models.enrichment.enricher import Enricher
from models.evaluation.evaluation import Progress as Advance
from models.evaluation.evaluation import beside
from models.evaluation.evaluation import evaluate as measure
from models.evaluation.page import render
from models.evaluation.predictions import LEVELS
from models.evaluation.reasons import reasons
from models.evaluation.report import Report, Scores, unseen_name
from models.evaluation.titles import LabeledTitle, known_titles, own_titles
from models.serving_config import ServingConfig
from models.student.artifact import Measurement
from models.student.explanation import Explainer
from models.text.cleaning import clean
from models.training.baselines import missing_library, predict_all
from models.training.data.corpus import shops_of
from schemas.errors import StopWorker
from schemas.events import ProductCreated
from streams.commands.file_options import prototypes_folder, taxonomy_option
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.offline.enrich import BATCH
from streams.commands.progress import step_bars
from streams.commands.tables import new_table, print_table


@click.command("evaluate")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with products/ and mappings/: also measure the held-out titles of its shops.",
)
@click.option(
    "-o",
    "--output",
    default=Path("var/evaluation"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where report.json and report.html go.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A trained model's folder; the shipped model if not given.",
)
@taxonomy_option
@click.option("--cascade/--no-cascade", default=True, help="Whether the text encoders take part.")
@click.option(
    "--baselines",
    is_flag=True,
    help="Also train and measure other ways, on the train split of --data. Needs the extra `train`.",
)
def evaluate(
    data: Path | None,
    output: Path,
    model: Path | None,
    taxonomy: Path | None,
    cascade: bool,
    baselines: bool,
) -> None:
    """Measure the model as it serves; print the figures, and write a report as HTML and as JSON.

    On the project's own labeled titles: a gift shop that no training has seen, and titles written for this
    in English and Chinese. With --taxonomy, in whose tree those have no labels, on held-out titles alone.
    """
    if taxonomy is not None and (data is None or model is None):
        raise click.UsageError("--taxonomy needs --data, labeled in that tree, and --model, trained for it.")
    if baselines and data is None:
        raise click.UsageError("--baselines needs --data: that is what they learn from.")
    if baselines and (name := missing_library()) is not None:
        raise click.ClickException(f"Baselines need {name}: pip install 'shelfstream[train]', then again.")
    with step_bars() as progress:
        try:
            report, speed = _measured(data, model, taxonomy, cascade, baselines, progress)
        except StopWorker as error:
            raise click.ClickException(str(error)) from error
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "report.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
        )
        (output / "report.html").write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write the report: {error}") from error
    _show(report)
    print_to_stderr(
        f"{speed:,.0f} titles/s; the whole report is {output / 'report.html'}, and for programs report.json."
    )


def _measured(
    data: Path | None,
    model: Path | None,
    tree: Path | None,
    cascade: bool,
    baselines: bool,
    progress: Advance,
) -> tuple[Report, float]:
    """The report, and how many titles were enriched in a second."""
    enricher = Enricher.load(
        ServingConfig(model=model, taxonomy=tree, prototype_cache=prototypes_folder(), cascade=cascade)
    )
    taxonomy = enricher.taxonomy
    artifact = enricher.artifact
    titles = own_titles(taxonomy) if tree is None else []
    if data is not None:
        titles += known_titles(data, taxonomy, shops_of(data, taxonomy))
    if not titles:
        raise StopWorker(f"{data} holds out no title to measure on: there are too few different ones.")
    cascade = cascade and artifact.manifest.alone is not True
    speed = _speed(enricher, titles, progress)
    explain = reasons(Explainer(artifact, taxonomy), taxonomy)
    report, prediction = measure(
        enricher, titles, artifact.manifest, explain, cascade=cascade, progress=progress
    )
    if baselines and data is not None:
        ways = predict_all(data, taxonomy, [clean(title.title) for title in titles], progress)
        report = msgspec.structs.replace(report, baselines=beside(prediction, ways, taxonomy))
    return report, speed


def _speed(enricher: Enricher, titles: list[LabeledTitle], progress: Advance) -> float:
    """Titles enriched in a second; the enricher remembers them, so that measuring costs no second time."""
    began = perf_counter()
    for start in range(0, len(titles), BATCH):
        batch = titles[start : start + BATCH]
        enricher.enrich([ProductCreated(product_id="1", title=each.title) for each in batch])
        progress("Enriching", start + len(batch), len(titles))
    return len(titles) / (perf_counter() - began)


def _show(report: Report) -> None:
    table = new_table(
        "titles", "texts", "level 1", "F1", "level 2", "F1", "level 3", "F1", "ECE", "published", "right"
    )
    sections = [report.groups, report.languages, *report.slices]
    if report.sellers is not None:
        sections.append(report.sellers)
    for section in [*sections, *report.baselines]:
        if section.rows:
            table.add_row(f"[bold]{section.title}[/bold]")
        for row in section.rows:
            table.add_row(*_cells(row))
    if report.unseen:
        table.add_row("[bold]Shops left out in training, as the model's manifest has them[/bold]")
    for each in report.unseen:
        table.add_row(*_measured_before(each))
    print_table(table)


def _measured_before(row: Measurement) -> list[str]:
    cells = [f"  {unseen_name(row)}", f"{row.texts:,}"]
    for level in range(LEVELS):
        cells += [f"{row.accuracy[level]:.1%}" if level < len(row.accuracy) else "–", "–"]
    return [*cells, *(f"{share:.1%}" for share in (row.calibration_error, row.published, row.precision))]


def _cells(row: Scores) -> list[str]:
    cells = [f"  {row.name}", f"{row.texts:,}"]
    for level in row.levels:
        cells += [f"{level.accuracy:.1%}", f"{level.macro_f1:.1%}"] if level.texts else ["–", "–"]
    rest = (row.calibration_error, row.coverage, row.precision)
    return [*cells, *("–" if share is None else f"{share:.1%}" for share in rest)]
