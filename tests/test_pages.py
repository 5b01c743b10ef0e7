"""The pages are true: the examples, figures, tables, links and programs of the README and of docs/."""

import json
import os
import re
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from models.attributes.span_artifact import SHIPPED_SPANS, read_spans
from models.behavior.offline_affinity import AffinityAggregator
from models.behavior.parameters import BehaviorParameters
from models.enrichment.enricher import Enricher
from schemas.codec import decode_product_created, decode_user_behavior, encode
from schemas.events import DecisionOutcome
from schemas.keys import shopper_id
from streams.cli import COMMANDS, main
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.settings import NAMES, Settings, display_value, variable
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "results" not in page.parts),
]
README = (ROOT / "README.md").read_text("utf-8")
MODELS = (ROOT / "docs" / "models" / "index.md").read_text("utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks" / "index.md").read_text("utf-8")
RECOMMENDER = (ROOT / "docs" / "getting-started" / "recommender-developer.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks" / "results"
OURS = "shelfstream's lanes"
LOCAL_ADDRESS = '"localhost:9092"'


def marked(kind: str, name: str, language: str) -> list[str]:
    """The code blocks with this marker, in all pages; at least one."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(
            rf"<!-- {kind}: {name} -->\n```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL
        )
    ]
    assert blocks, f"no {kind} of {name}"
    return blocks


def examples(topic: str) -> list[dict[str, Any]]:
    """The events of a topic that the pages show."""
    return [json.loads(block) for block in marked("example", topic, "json")]


def program(name: str) -> str:
    """A program that the pages show; the same wherever it stands twice."""
    (only,) = set(marked("run", name, "python"))
    return only


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of a section's table."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def assert_shortened(said: Any, real: Any, where: str = "$") -> None:
    """Fail unless `said` is `real` with fields, ends of lists, and texts that are only … left out."""
    if isinstance(said, dict):
        for name, value in said.items():
            assert name in real, f"{where}.{name} is not there"
            assert_shortened(value, real[name], f"{where}.{name}")
    elif isinstance(said, list):
        assert len(said) <= len(real), where
        for number, value in enumerate(said):
            assert_shortened(value, real[number], f"{where}[{number}]")
    elif isinstance(said, float):
        assert said == pytest.approx(real, abs=5e-4), where
    else:
        assert said in (real, "…"), where


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher.load()


def test_shortening_lets_nothing_wrong_through() -> None:
    for said in ({"b": 1}, {"a": [2]}, {"a": [1, 2, 3]}, {"a": "…x"}):
        with pytest.raises(AssertionError):
            assert_shortened(said, {"a": [1, 2]})


def test_the_listing_and_the_purchase_are_the_sample_shop_s() -> None:
    listings = {each.product_id: each for each in iter_products()}
    for listing in examples("product-created"):
        assert_shortened(listing, json.loads(encode(listings[listing["product_id"]])))
    purchases = {each.event_id: each for each in iter_baskets()}
    for purchase in examples("user-behavior"):
        assert_shortened(purchase, json.loads(encode(purchases[purchase["event_id"]])))


def test_the_listing_becomes_what_the_pages_say(enricher: Enricher) -> None:
    product = decode_product_created(json.dumps(examples("product-created")[0]).encode(), None)
    (enrichment,) = enricher.enrich([product])
    real = json.loads(encode(enricher.event(product, enrichment)))
    shown = examples("product-enriched")
    assert len(shown) == 2
    for said in shown:
        assert_shortened(said, real)
    left_out = [
        len(real["category"]["alternatives"]) - len(said["category"]["alternatives"]) for said in shown
    ]
    assert 3 in left_out


def test_the_purchases_become_what_the_pages_say() -> None:
    (said,) = examples("affinity-updated")
    fold = AffinityAggregator(BehaviorParameters(), shopper_id)
    fold.add(decode_user_behavior(encode(event), None, received_at=None) for event in iter_baskets())
    real = {each.product_id: json.loads(encode(each)) for each in fold.updates()}[said["product_id"]]
    assert_shortened(said, real)
    assert len(real["related"]) - len(said["related"]) == 18
    titles = {each.product_id: each.title for each in iter_products()}
    for entry in said["related"]:
        words = r"\s+".join(map(re.escape, titles[entry["product_id"]].split()))
        assert re.search(
            rf"{entry['product_id']}\s+is\s+the\s+{words}|{entry['product_id']}\s+the\s+{words}", RECOMMENDER
        )


def test_the_sample_shop_is_as_large_and_as_hard_as_the_pages_say(enricher: Enricher) -> None:
    products = list(iter_products())
    decided = sum(each.decision.outcome is DecisionOutcome.MODEL for each in enricher.enrich(products))
    said = re.search(r"it decides (\d+) of ([\d,]+) listings", MODELS)
    assert said is not None
    assert f"publishes {int(said[1]):,} of the {said[2]}" in " ".join(README.split())
    assert int(said[2].replace(",", "")) == len(products)
    # Borderline confidences may round otherwise on other processors.
    assert int(said[1]) == pytest.approx(decided, abs=5)
    purchases = sum(1 for _ in iter_baskets())
    started = (ROOT / "docs" / "getting-started" / "index.md").read_text("utf-8")
    assert f"{len(products):,} listings, {purchases:,} purchases" in started


def test_the_model_s_figures_are_those_of_its_card() -> None:
    card = (ROOT / "models" / "pretrained" / "student" / "MODEL_CARD.md").read_text("utf-8")
    rows = re.findall(r"^\| \w+ title \|.*$", MODELS, re.MULTILINE)
    assert len(rows) == 16
    for row in rows:
        assert row in card.splitlines(), row


def test_the_attributes_figures_are_those_that_were_measured() -> None:
    said = MODELS.splitlines()
    manifest, _ = read_spans(SHIPPED_SPANS)
    for head in manifest.heads:
        total = head.measurements[-1]
        figures = (total.precision, total.recall, total.f1, total.baseline_f1)
        row = f"| {total.marked:,} | " + " | ".join(f"{share:.1%}" for share in figures) + " |"
        assert any(line.lower() == f"| {head.name} {row}".lower() for line in said), row
    path = ROOT / "models" / "pretrained" / "lexicons" / "measured.json"
    for score in json.loads(path.read_bytes())["english titles"]:
        if score["found"]:
            precision, recall = score["right"] / score["found"], score["right"] / score["titles"]
            row = f"| {score['name']} | {score['titles']:,} | {precision:.1%} | {recall:.1%} |"
            assert any(line.startswith(row) for line in said), row


def test_the_affinity_figures_are_of_what_ships() -> None:
    """The figures come from a benchmark on data that is not here; they are void once the defaults change."""
    defaults = BehaviorParameters()
    said = f"what ships: half-life of {defaults.half_life_days:g} days, {defaults.neighbors} neighbours kept"
    assert f"| {said} |" in BENCHMARKS


def test_all_commands_are_on_their_page_and_no_others() -> None:
    page = (ROOT / "docs" / "operations" / "commands.md").read_text("utf-8")
    assert first_cells(page) == list(COMMANDS)


def test_the_settings_to_touch_are_there_with_their_defaults() -> None:
    page = (ROOT / "docs" / "getting-started" / "on-call-engineer.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(SHELFSTREAM_\w+)` \| `([^`]*)` \|", page, re.MULTILINE))
    assert len(rows) >= 8
    known = {variable(name): display_value(Settings(), name) for name in NAMES}
    assert rows.items() <= known.items()


def test_the_rooms_are_the_packages() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Packages")[2]
    named = {room.strip("`/ ") for room in first_cells(page)}
    packages = {path.parent for path in ROOT.glob("*/__init__.py")} | {
        path.parent for path in ROOT.glob("streams/*/__init__.py")
    }
    outside = {"tests", "benchmarks"}
    assert named == {str(path.relative_to(ROOT)) for path in packages} - outside


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8").replace("\n", " ")):
        if not link.startswith("https://"):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_pages_have_the_options_that_they_are_shown_with(page: Path) -> None:
    for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        for command in re.findall(r"(?:^\$ |\| )shelfstream ([^#\n]*)", block, re.MULTILINE):
            words = [word for word in shlex.split(command) if word != "-"]
            names = [word for word in words if not word.startswith("-")]
            command_or_group = main.get_command(main.make_context("shelfstream", ["demo"]), words[0])
            subcommands = getattr(command_or_group, "commands", {})
            depth = 2 if words[1:2] and words[1] in subcommands else 1
            usage = CliRunner().invoke(main, [*names[:depth], "--help"])
            assert usage.exit_code == 0, f"{command}: {usage.output}"
            for option in (word for word in words if re.match("-[^0-9]", word)):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", usage.output), f"{command}: {option}"


def parse(arguments: list[str]) -> None:
    """Parse a command line of shelfstream as the program does, and run nothing.

    Raises:
        click.UsageError: A command, an option or an argument does not exist, or has a wrong value.
    """
    context = main.make_context("shelfstream", arguments)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = context.command.resolve_command(context, rest)
        assert found is not None
        context = found.make_context(name, rest, parent=context)


def test_each_command_of_the_runbook_is_one_that_the_program_accepts() -> None:
    page = (ROOT / "deploy" / "RUNBOOK.md").read_text("utf-8")
    lines = [
        line.partition("shelfstream ")[2]
        for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
        if re.match(r"\$ (\w+=\S+ )*shelfstream ", line)
    ]
    assert len(lines) > 20
    for line in lines:
        parse(shlex.split(line, comments=True))
    for wrong in ("statis", "status --nothing", "replay --to end", "dead-letters list more"):
        with pytest.raises(click.UsageError):
            parse(shlex.split(wrong))


def test_make_has_the_two_commands() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)


def test_the_example_of_own_categories_runs_as_it_stands(tmp_path: Path) -> None:
    """All but the training, whose data are the reader's."""
    (block,) = marked("run", "own-categories", "console")
    lines = [line.removeprefix("$ ") for line in block.splitlines() if " train " not in line]
    shell = f'set -e\nshelfstream() {{ "{sys.executable}" -m streams "$@"; }}\n' + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SHELFSTREAM_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    event, *explained = done.stdout.splitlines()
    assert json.loads(event)["decision"]["outcome"] == "model"
    assert json.loads(event)["category"]["path"] == "Kitchen > Teapots"
    assert any(line.startswith("Kitchen > Teapots") for line in explained)


@pytest.mark.kafka
def test_the_programs_run_as_they_stand(own_broker: StartableKafka, tmp_path: Path) -> None:
    """What the producer of the pages writes, their consumer finds enriched."""
    with Deployment(own_broker.bootstrap, tmp_path) as deployment:
        worker = deployment.worker("enrich")
        worker.wait_ready()
        names: dict[str, Any] = {}
        for name in ("produce", "consume"):
            code = program(name)
            assert LOCAL_ADDRESS in code
            exec(code.replace(LOCAL_ADDRESS, repr(own_broker.bootstrap)), names)
        names["consumer"].close()
        assert names["category"] == {"mug-1": names["category"]["mug-1"]}
        assert names["category"]["mug-1"].endswith("Kitchen & Dining")
        assert worker.stop() == 0


@pytest.mark.parametrize("name", ["amplification", "bench", "catalog", "chaos", "chaos-brokers", "gpu"])
def test_measured_tables_are_those_that_the_commands_wrote(name: str) -> None:
    """No figure beside other frameworks or of a GPU but from `make bench`, `chaos` and `bench-gpu`."""
    written = (RESULTS / f"{name}.md").read_text("utf-8")
    tables = re.findall(r"^\|.*\n(?:\|.*\n)+", written, re.MULTILINE)
    assert tables
    for table in tables:
        assert table in BENCHMARKS
    machine = written.splitlines()[0]
    described = json.loads((RESULTS / f"{name}.json").read_text())["machine"]
    if name == "gpu":
        assert machine == "; ".join(f"{part} {value}" for part, value in described.items())
    else:
        assert described in machine


def test_the_figures_of_the_front_page_are_those_of_the_last_results() -> None:
    bench = json.loads((RESULTS / "bench.json").read_bytes())
    chaos = {
        each["system"].partition(",")[0]: each["verdict"]
        for each in json.loads((RESULTS / "chaos.json").read_bytes())["campaigns"]
    }
    counted = {
        system: f"{each['lost']} and {each['duplicated']:,} of {each['events']:,}"
        for system, each in chaos.items()
    }
    passthrough = {
        name: round(statistics.median(each["per_s"])) for name, each in bench["passthrough"].items()
    }
    counts = {name: round(each["per_s"]) for name, each in bench["behavior"].items()}
    latency = {each["name"]: f"{each['p99_ms']:,.0f} at {each['per_s']:,.0f}" for each in bench["latency"]}
    rows = [
        (
            f"| {counted[OURS]}; with all agents {counted['shelfstream']} | Quix Streams "
            f"{counted['Quix Streams']}; stock Faust, exactly once, {counted['stock Faust take']} |"
        ),
        (
            f"| {passthrough['shelfstream']:,} | Kafka Streams {passthrough['kafka-streams']:,}; "
            f"Quix Streams {passthrough['quix']:,}; stock Faust {passthrough['faust']:,}; "
            f"Bytewax, at least once, {passthrough['bytewax']:,} |"
        ),
        (
            f"| {counts['shelfstream']:,} | Kafka Streams {counts['kafka-streams']:,}; Quix Streams "
            f"{counts['quix']:,}; stock Faust {counts['faust']:,} |"
        ),
        f"all their work, events/s | {counts['shelfstream-whole']:,} |",
        (
            f"| {latency[f'{OURS}, exactly once']} events/s | Kafka Streams "
            f"{latency['Kafka Streams, exactly_once_v2']}; Bytewax {latency['Bytewax, at least once']}; "
            f"stock Faust {latency['stock Faust take, exactly once']}; Quix Streams "
            f"{latency['Quix Streams, exactly once']} |"
        ),
    ]
    for row in rows:
        assert row in README, row


def test_the_gpu_s_figures_are_those_of_the_last_results() -> None:
    gpu = json.loads((RESULTS / "gpu.json").read_bytes())
    median = {name: statistics.median(each["runs"]) for name, each in gpu["figures"].items()}
    processes, encoder = gpu["processes"], "encoder alone, kernels and graph: TFLOP/s"
    shared, every, single, one, cores, cpu_one = (
        f"{median[name]:,.0f}"
        for name in (
            f"GPU, {processes} processes, as it serves: titles/s",
            f"GPU, {processes} processes, every title encoded: titles/s",
            "GPU, one process: titles/s",
            "GPU, one title at a time: titles/s",
            "CPU, 16 processes: titles/s",
            "CPU, one title at a time: titles/s",
        )
    )
    for row in (
        f"| {processes} host processes feed the GPU | {shared} |",
        f"| one host process | {single} |",
        f"| no GPU, 16 cores | {cores} |",
        f"The encoder alone runs at {gpu['encoder_share']:.0%} of the greatest matrix rate",
    ):
        assert row in README, row
    assert gpu["machine"]["card"] in README
    deploying = " ".join((ROOT / "deploy" / "README.md").read_text("utf-8").split())
    rows = re.findall(r"\| (?:GPU|CPU), [^|]* \| ([\d,]+) \|", deploying)
    assert rows == [shared, every, single, one, cores, cpu_one]
    rates = [run for name, each in gpu["figures"].items() if "matrix" in name for run in each["runs"]]
    runs = gpu["figures"][f"GPU, {processes} processes, as it serves: titles/s"]["runs"]
    for said in (
        f"{median[encoder]:.0f} TFLOP/s, {gpu['encoder_share']:.0%} of the {max(rates):.0f} TFLOP/s",
        f"busy for {median['as it serves: GPU utilization, percent']:.0f}% of the time",
        f"between {min(runs):,.0f} and {max(runs):,.0f} titles/s",
    ):
        assert said in deploying, said


def test_the_front_page_says_of_unseen_shops_what_the_card_says() -> None:
    rows = [
        [cell.strip().rstrip("%") for cell in row.split("|")[1:-1]]
        for row in MODELS.partition("| unseen shops")[2].splitlines()
        if "| cascade |" in row
    ]
    published, right = [float(row[7]) for row in rows], [float(row[8]) for row in rows]
    said = (
        f"models publish {min(published):.0f} to {max(published):.0f}% of the titles, and "
        f"{min(right):.0f} to {max(right):.0f}% of those are right"
    )
    assert said in " ".join(README.split())


def test_the_front_page_is_a_page() -> None:
    assert len(README.splitlines()) <= 150
