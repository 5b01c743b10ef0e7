"""`shelfstream gate`: whether a trained candidate may serve."""

from pathlib import Path
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID

from models.encoder.loading import load_second_stage
from models.registry.registry import Registry
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.student.escalation import SecondStage
from models.taxonomy.tree import Taxonomy
from models.training.data.examples import HumanLabels
from models.training.promotion.gate import GateConfig, GateDecision
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder, taxonomy_option
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.tables import new_table, print_table

HELD = 3
"""The exit code where the gate holds the candidate back."""

_DEFAULTS = GateConfig()
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--candidate", required=True, type=_FOLDER, help="The trained model's folder.")
@click.option("--serving", type=_FOLDER, help="The folder of what serves; the shipped model if not given.")
@click.option("--data", required=True, type=_FOLDER, help="The folder with products/ and mappings/.")
@taxonomy_option
@click.option("--feedback", type=_FILE, help="People's words too: what `feedback export` wrote.")
@click.option("--corrections", type=_FILE, help="Labels put right, as for `train`.")
@click.option(
    "--cascade/--no-cascade",
    default=True,
    show_default=True,
    help="Whether the text encoder judges too what a student doubts, as in serving.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1),
    default=_DEFAULTS.tolerance,
    show_default=True,
    help="How much worse a slice may be, as a share.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True, help="Of the resampling.")
@click.option(
    "--registry",
    "at",
    type=click.Path(file_okay=False, path_type=Path),
    help="A registry's folder: what serves there is what to compare with.",
)
@click.option(
    "--promote", is_flag=True, help="Put the candidate into the registry and let it serve, if it may."
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="The ruling too.")
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
    """Compare a candidate with what serves, on titles that neither learnt from.

    Exit 0: it may serve, being better overall and not worse on any slice, as far as the titles can show.
    Exit 3: it may not, and the reasons are told. Give --feedback and --corrections as they were given to
    `train`. Needs the extra `train`.
    """
    if promote and at is None:
        raise click.UsageError("--promote needs --registry, where the candidate is to serve")
    terms = GateConfig(tolerance=tolerance, seed=seed)
    try:
        tree = Taxonomy.of(taxonomy)
        new = Artifact.load(candidate, tree)
        old = _serving(serving, at, tree)
        second = (
            load_second_stage(tree, ServingConfig(prototype_cache=prototypes_folder(), threads=2))
            if cascade
            else None
        )
        ruling = _ruling(new, old, data, HumanLabels(feedback, corrections), terms, tree, second)
        if json_path is not None:
            json_path.write_bytes(msgspec.json.format(msgspec.json.encode(ruling), indent=1) + b"\n")
        _show(ruling)
        if not ruling.promote:
            _hold(ruling)
        click.echo(f"{new.manifest.model_version} may serve in place of {old.manifest.model_version}.")
        _promote(candidate, at, promote, tree)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {json_path}: {error}") from error


def _serving(folder: Path | None, at: Path | None, taxonomy: Taxonomy) -> Artifact:
    """The model of the folder; else what the registry says; else the shipped one."""
    if folder is None and at is not None:
        registry = Registry(at, taxonomy)
        version = registry.deployment().serving
        if version is not None:
            return registry.artifact(version)
    return Artifact.load(folder, taxonomy)


def _hold(ruling: GateDecision) -> NoReturn:
    click.echo("Held back:")
    for reason in ruling.reasons:
        click.echo(f"  {reason}")
    raise SystemExit(HELD)


def _promote(candidate: Path, at: Path | None, promote: bool, taxonomy: Taxonomy) -> None:
    """Let it serve, or say how."""
    if promote and at is not None:
        registry = Registry(at, taxonomy)
        serving = registry.promote(registry.add(candidate)).serving
        click.echo(f"{serving} serves in the registry {at}.")
    elif at is not None:
        click.echo("Nothing is changed; --promote lets it serve.")
    else:
        click.echo(f"Nothing is changed; SHELFSTREAM_MODEL_PATH={candidate} lets it serve.")


def _ruling(
    candidate: Artifact,
    serving: Artifact,
    data: Path,
    people: HumanLabels,
    terms: GateConfig,
    taxonomy: Taxonomy,
    second: SecondStage | None,
) -> GateDecision:
    try:
        from models.training.data.examples import gather
        from models.training.promotion.comparison import compare, shops_split_differently
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The gate needs {error.name}: pip install 'shelfstream[train]', then again."
        ) from error
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task: TaskID = bars.add_task("reading titles", total=None)
        examples = gather(data, taxonomy, people, feedback_weight=1.0)

        def progress(name: str, step: int, steps: int) -> None:
            bars.update(task, description=name, completed=step, total=steps)

        for artifact in (candidate, serving):
            _warn(artifact, shops_split_differently(artifact, examples))
        return compare(candidate, serving, examples, taxonomy, terms, progress, second)


def _warn(artifact: Artifact, shops: list[str]) -> None:
    if shops:
        print_to_stderr(
            f"Beware: {artifact.manifest.model_version} learnt from other titles of {', '.join(shops)}, or "
            "from another split: it may know titles that it is judged by."
        )


def _show(ruling: GateDecision) -> None:
    table = new_table("slice", "measure", "titles", "serving", "candidate", "at worst", "at best", "finding")
    for each in ruling.comparisons:
        table.add_row(
            each.slice,
            each.measure,
            f"{each.texts:,}",
            f"{each.serving:.2%}",
            f"{each.candidate:.2%}",
            f"{each.lower:+.2%}",
            f"{each.upper:+.2%}",
            each.finding.value,
        )
    print_table(table)
