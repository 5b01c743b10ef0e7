"""`shelfstream pipeline`: run the steps from the data to a model that may serve, as a TOML file describes."""

from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from models.taxonomy.tree import Taxonomy
from models.training.extras import required_extra
from models.training.progress import ProgressCallback
from models.training_pipeline.completed_steps import STEPS
from models.training_pipeline.config import PipelineConfig, read_pipeline
from models.training_pipeline.observer import PipelineObserver
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.modeling.evaluate import show_evaluation
from streams.commands.modeling.feedback import show_conflicts
from streams.commands.modeling.gate import HELD, PHASE, show_decision, show_promoted, show_unchanged
from streams.commands.modeling.labels import show_suggestions
from streams.commands.modeling.train import show_measurements
from streams.commands.progress import single_bar, step_bars

if TYPE_CHECKING:
    from models.evaluation.run import EvaluationResult
    from models.student.artifact import Manifest
    from models.training.data.corrections import Suggestion
    from models.training.data.feedback_lines import Conflict
    from models.training.promotion.run import GateOutcome


@click.command("pipeline")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--again", is_flag=True, help="Run every step, including completed ones.")
def pipeline(file: Path, again: bool) -> None:
    """Run the steps from data to a served model.

    They check labels, train, evaluate, ask the gate, and register, as the TOML file FILE describes.

    A step that was completed with the same data, options and version is skipped; an interrupted one is
    repeated. Exit 3: the gate holds the model back. docs/models/feedback.md has an example. Needs the extra
    `train`.
    """
    try:
        config = read_pipeline(file)
        with required_extra("The pipeline needs"):
            from models.training_pipeline.run import Pipeline

            observer = _Terminal(config)
            passed = Pipeline(config, prototypes_folder(), perf_counter, observer).run(again=again)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write to {error.filename}: {error.strerror}") from error
    if not passed:
        raise SystemExit(HELD)


class _Terminal(PipelineObserver):
    """Prints what the commands of the single steps print."""

    def __init__(self, config: PipelineConfig) -> None:
        self._config = config

    def progress(self, step: str) -> AbstractContextManager[ProgressCallback]:
        return single_bar(PHASE) if step == "gate" else step_bars()

    def step_started(self, number: int, step: str) -> None:
        print_to_stderr(f"{number}/{len(STEPS)} {step}")

    def step_skipped(self, number: int, step: str) -> None:
        print_to_stderr(f"{number}/{len(STEPS)} {step}: done before")

    def labels_checked(self, suggestions: "list[Suggestion]", path: Path) -> None:
        show_suggestions(suggestions, path)

    def conflicts_found(self, conflicts: "list[Conflict]", taxonomy: Taxonomy) -> None:
        show_conflicts(conflicts, taxonomy)

    def trained(self, manifest: "Manifest", folder: Path) -> None:
        show_measurements(manifest.measurements)
        click.echo(f"{manifest.model_version} is in {folder}.")

    def evaluated(self, result: "EvaluationResult", folder: Path) -> None:
        show_evaluation(result, folder)

    def nothing_serves(self) -> None:
        print_to_stderr("Nothing serves for this taxonomy yet: there is nothing to compare with.")

    def decided(self, outcome: "GateOutcome") -> None:
        show_decision(outcome)
        if outcome.decision.promote and not self._config.gate.promote:
            show_unchanged(self._config.work / "model", self._config.gate.registry)

    def registered(self, version: str, registry: Path, *, promoted: bool) -> None:
        if promoted:
            show_promoted(version, registry)
        else:
            print_to_stderr(f"{version} is in the registry {registry}.")
