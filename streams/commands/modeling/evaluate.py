"""`shelfstream evaluate`: evaluate a model on the project's own titles and on held-out ones.

Its subcommands evaluate what is learned from behavior.
"""

from pathlib import Path
from time import perf_counter

import click

from models.evaluation.predictions import LEVELS
from models.evaluation.report import Report, Scores, unseen_name
from models.evaluation.run import (
    HTML_REPORT,
    EvaluationRequest,
    EvaluationResult,
    run_evaluation,
    write_report,
)
from models.student.artifact import Measurement
from models.training.baselines.all_baselines import missing_library
from schemas.errors import StopWorker
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.modeling.evaluate_behavior import affinity, basket, next_action, next_item, tastes
from streams.commands.progress import step_bars
from streams.commands.serving_options import ChosenServing, serving_options
from streams.commands.terminal_tables import new_table, print_table


@click.group("evaluate", invoke_without_command=True)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with products/ and mappings/, to evaluate on the held-out titles of its shops too.",
)
@click.option(
    "-o",
    "--output",
    default=Path("var/evaluation"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write report.json and report.html to.",
)
@serving_options
@click.option(
    "--baselines",
    is_flag=True,
    help="Also train baselines on the train split of --data, and evaluate them. Needs the extra `train`.",
)
def evaluate(
    data: Path | None,
    output: Path,
    serving: ChosenServing,
    baselines: bool,
) -> None:
    """Evaluate a model as it serves.

    Prints the metrics, and writes a report as HTML and as JSON.

    The project's own labeled titles are a gift shop that is not in any training data, and titles written for
    the evaluation in English and Chinese. They have no labels in other taxonomies: with a taxonomy of your
    own the model is evaluated on held-out titles only.

    The model, the taxonomy and the thresholds are those of the worker's settings, and options override them.

    The subcommands evaluate what is learned from behavior instead.
    """
    if serving.config.taxonomy is not None and (data is None or serving.config.model is None):
        raise click.UsageError(
            "--taxonomy, or SHELFSTREAM_TAXONOMY, needs --data, labeled in that tree, and --model, or "
            "SHELFSTREAM_MODEL_PATH, trained for it."
        )
    if baselines and data is None:
        raise click.UsageError("--baselines needs --data: the baselines are trained on it.")
    if baselines and (name := missing_library()) is not None:
        raise click.ClickException(f"Baselines need {name}: pip install 'shelfstream[train]', then again.")
    request = EvaluationRequest(data=data, serving=serving.config, baselines=baselines)
    with step_bars() as progress:
        try:
            result = run_evaluation(request, perf_counter, progress)
        except StopWorker as error:
            raise click.ClickException(str(error)) from error
    try:
        write_report(result.report, output)
    except OSError as error:
        raise click.ClickException(f"cannot write the report: {error}") from error
    report = result.report
    print_to_stderr(serving.describe(report.model_version, report.taxonomy_version, result.thresholds))
    show_evaluation(result, output)


for _command in (affinity, basket, tastes, next_item, next_action):
    evaluate.add_command(_command)


def show_evaluation(result: EvaluationResult, folder: Path) -> None:
    """Print the metrics as a table, the speed, and where the report is."""
    _show(result.report)
    print_to_stderr(
        f"{result.titles_per_second:,.0f} titles/s; the whole report is {folder / HTML_REPORT}, and for "
        "programs report.json."
    )


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
        table.add_row("[bold]Shops left out in training, from the model's manifest[/bold]")
    for each in report.unseen:
        table.add_row(*_manifest_cells(each))
    print_table(table)


def _manifest_cells(row: Measurement) -> list[str]:
    cells = [f"  {unseen_name(row)}", f"{row.texts:,}"]
    for level in range(LEVELS):
        cells += [f"{row.accuracy[level]:.1%}" if level < len(row.accuracy) else "–", "–"]
    return [*cells, *(f"{value:.1%}" for value in (row.calibration_error, row.published, row.precision))]


def _cells(row: Scores) -> list[str]:
    cells = [f"  {row.name}", f"{row.texts:,}"]
    for level in row.levels:
        cells += [f"{level.accuracy:.1%}", f"{level.macro_f1:.1%}"] if level.texts else ["–", "–"]
    rest = (row.calibration_error, row.coverage, row.precision)
    return [*cells, *("–" if value is None else f"{value:.1%}" for value in rest)]
