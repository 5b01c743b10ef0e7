"""`shelfstream gate`: decide whether a trained candidate may serve."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.training.data.examples import HumanLabels
from models.training.extras import required_extra
from models.training.promotion.gate import GateConfig, GateDecision
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder, taxonomy_option, training_data_option
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import single_bar
from streams.commands.terminal_tables import new_table, print_table

if TYPE_CHECKING:
    from models.training.promotion.run import GateOutcome

HELD = 3
"""Exit code if the gate holds the candidate back."""
PHASE = "reading titles"
"""Name of the progress bar until the models are evaluated."""

_DEFAULTS = GateConfig()
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--candidate", required=True, type=_FOLDER, help="Folder of the trained model.")
@click.option("--serving", type=_FOLDER, help="Folder of the serving model. If unset, the shipped model.")
@training_data_option
@taxonomy_option
@click.option("--feedback", type=_FILE, help="Human feedback: a file from `feedback export`.")
@click.option("--corrections", type=_FILE, help="Label corrections, as for `train`.")
@click.option(
    "--cascade/--no-cascade",
    default=True,
    show_default=True,
    help="Whether both models are compared as cascades with the text encoders, as in serving.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1),
    default=_DEFAULTS.tolerance,
    show_default=True,
    help="Tolerated loss on a slice, between 0 and 1.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True, help="Seed of the resampling.")
@click.option(
    "--registry",
    "at",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of a registry: the candidate is compared with the model that serves there.",
)
@click.option(
    "--promote",
    is_flag=True,
    help="If the candidate passes, add it to the registry and let it serve.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the decision to, as JSON.",
)
def gate(
    candidate: Path,
    serving: Path | None,
    data: Path,
    taxonomy: Path | None,
    feedback: Path | None,
    corrections: Path | None,
    cascade: bool,
    tolerance: float,
    seed: int,
    at: Path | None,
    promote: bool,
    json_path: Path | None,
) -> None:
    """Decide whether a candidate may serve.

    It is compared with the serving model on held-out titles. Exit 0: it may serve, as it is significantly
    better overall and not significantly worse on any slice. Exit 3: it may not, and the reasons are printed.
    Pass --feedback and --corrections as to `train`. Needs the extra `train`.
    """
    if promote and at is None:
        raise click.UsageError("--promote needs --registry, where the candidate is to serve")
    try:
        with required_extra("The gate needs"):
            from models.training.promotion.run import GateRequest, run_gate, write_decision

            request = GateRequest(
                candidate=candidate,
                data=data,
                serving=serving,
                registry=at,
                taxonomy=taxonomy,
                human_labels=HumanLabels(feedback, corrections),
                cascade=cascade,
                config=GateConfig(tolerance=tolerance, seed=seed),
            )
            with single_bar(PHASE) as progress:
                outcome = run_gate(request, prototypes_folder(), progress)
        if json_path is not None:
            write_decision(outcome.decision, json_path)
        show_decision(outcome)
        if not outcome.decision.promote:
            raise SystemExit(HELD)
        _register(candidate, at, taxonomy, promote)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {json_path}: {error}") from error


def _register(candidate: Path, registry: Path | None, taxonomy: Path | None, promote: bool) -> None:
    """Let the candidate serve if `promote` is set, and print what serves."""
    from models.training.promotion.run import register

    if promote and registry is not None:
        show_promoted(register(candidate, registry, taxonomy, promote=True), registry)
    else:
        show_unchanged(candidate, registry)


def show_decision(outcome: "GateOutcome") -> None:
    """Print warnings, the comparisons as a table, and the decision with its reasons."""
    for version, shops in outcome.split_differently.items():
        print_to_stderr(
            f"Warning: {version} was trained with another split of {', '.join(shops)}: it may have seen "
            "titles that it is evaluated on."
        )
    _show_comparisons(outcome.decision)
    if outcome.decision.promote:
        click.echo(f"{outcome.candidate_version} may serve in place of {outcome.serving_version}.")
        return
    click.echo("Held back:")
    for reason in outcome.decision.reasons:
        click.echo(f"  {reason}")


def show_promoted(version: str, registry: Path) -> None:
    """Print that a model serves in a registry now."""
    click.echo(f"{version} serves in the registry {registry}.")


def show_unchanged(candidate: Path, registry: Path | None) -> None:
    """Print how a candidate that passed the gate can be made to serve."""
    if registry is not None:
        click.echo("Nothing is changed; --promote lets it serve.")
    else:
        click.echo(f"Nothing is changed; SHELFSTREAM_MODEL_PATH={candidate} lets it serve.")


def _show_comparisons(decision: GateDecision) -> None:
    table = new_table("slice", "measure", "titles", "serving", "candidate", "at worst", "at best", "finding")
    for each in decision.comparisons:
        table.add_row(
            each.slice,
            each.metric,
            f"{each.texts:,}",
            f"{each.serving:.2%}",
            f"{each.candidate:.2%}",
            f"{each.lower:+.2%}",
            f"{each.upper:+.2%}",
            each.result.value,
        )
    print_table(table)
