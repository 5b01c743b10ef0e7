"""`shelfstream pipeline`: from the data to a model that may serve, as one file says."""

from pathlib import Path

import click

from models.registry.registry import Registry
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.modeling.evaluate import evaluate
from streams.commands.modeling.gate import gate
from streams.commands.modeling.labels import check
from streams.commands.modeling.pipeline_plan import STEPS, Plan, Record, read_plan
from streams.commands.modeling.train import train


@click.command("pipeline")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--again", is_flag=True, help="Do every step, also those that are done.")
@click.pass_context
def pipeline(ctx: click.Context, file: Path, again: bool) -> None:
    """Check labels, train, evaluate, ask the gate, and register, as the TOML in FILE says.

    A step that was done with the same data, options and version is left out; one that was interrupted is done
    again. Exit 3: the gate holds the model back. docs/feedback.md has an example. Needs the extra `train`.
    """
    try:
        plan = read_plan(file)
        record = Record(plan)
        plan.work.mkdir(parents=True, exist_ok=True)
        actions = {"labels": _labels, "train": _train, "evaluate": _evaluate, "gate": _gate}
        for number, step in enumerate(STEPS, 1):
            if record.has(step) and not again:
                print_to_stderr(f"{number}/{len(STEPS)} {step}: done before")
                continue
            print_to_stderr(f"{number}/{len(STEPS)} {step}")
            actions[step](ctx, plan)
            record.add(step)
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write to {error.filename}: {error.strerror}") from error


def _labels(ctx: click.Context, plan: Plan) -> None:
    suggestions = plan.work / "suggestions.tsv"
    ctx.invoke(check, data=plan.data, output=suggestions, taxonomy=plan.taxonomy, seed=plan.train.seed)


def _train(ctx: click.Context, plan: Plan) -> None:
    ctx.invoke(
        train,
        data=plan.data,
        output=plan.work / "model",
        taxonomy=plan.taxonomy,
        epochs=plan.train.epochs,
        seed=plan.train.seed,
        unseen=plan.train.unseen,
        teacher=plan.train.teacher,
        encoders=plan.train.encoders,
        with_feedback=plan.train.feedback,
        feedback_weight=plan.train.feedback_weight,
        corrections=plan.train.corrections,
    )


def _evaluate(ctx: click.Context, plan: Plan) -> None:
    model, output = plan.work / "model", plan.work / "evaluation"
    ctx.invoke(evaluate, data=plan.data, output=output, model=model, taxonomy=plan.taxonomy)


def _gate(ctx: click.Context, plan: Plan) -> None:
    """Ask whether it may serve; if so, it goes into the registry."""
    model, at = plan.work / "model", plan.gate.registry
    if _first(plan):
        print_to_stderr("Nothing serves for this tree yet: there is nothing to compare with.")
        if at is not None:
            _register(model, at, plan)
        return
    tolerance = {} if plan.gate.tolerance is None else {"tolerance": plan.gate.tolerance}
    ctx.invoke(
        gate,
        candidate=model,
        serving=plan.gate.serving,
        data=plan.data,
        taxonomy=plan.taxonomy,
        feedback=plan.train.feedback,
        corrections=plan.train.corrections,
        at=at,
        promote=plan.gate.promote,
        json_path=plan.work / "ruling.json",
        **tolerance,
    )
    if at is not None and not plan.gate.promote:
        _register(model, at, plan)


def _first(plan: Plan) -> bool:
    """Whether a tree of one's own has no model that serves; for Google's there is the shipped one."""
    if plan.taxonomy is None or plan.gate.serving is not None:
        return False
    registry = plan.gate.registry
    return registry is None or Registry(registry, Taxonomy.of(plan.taxonomy)).deployment().serving is None


def _register(model: Path, at: Path, plan: Plan) -> None:
    registry = Registry(at, Taxonomy.of(plan.taxonomy))
    version = registry.add(model)
    if plan.gate.promote:
        registry.promote(version)
    print_to_stderr(f"{version} {'serves' if plan.gate.promote else 'is'} in the registry {at}.")
