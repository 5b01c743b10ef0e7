"""`shelfstream evaluate affinity`: a small evaluation on the demo's shop, its reports, and its refusals."""

import gzip
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from models.behavior.evaluation.score_table import ScoreTable
from schemas.codec import encode
from schemas.events import Action
from streams.cli import main
from streams.demo.sample_shop import FOLDER, iter_baskets
from tests.support.behavior import behavior

SAMPLE = str(FOLDER / "baskets.jsonl.gz")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments])


def test_published_neighbors_predict_the_demo_better_than_counts(
    tmp_path: Path,
) -> None:
    report = tmp_path / "scores.json"
    result = run("affinity", "--behavior", SAMPLE, "--from", "2010-12-08", "--report", str(report))
    assert result.exit_code == 0, result.output
    scores = msgspec.json.decode(report.read_bytes(), type=ScoreTable)
    # Of products in 10 or more baskets: those in fewer are in large ones, whose pairs weigh little.
    recall = {row.name: row.values[1] or 0.0 for row in scores.rows}
    assert recall["published, bought"] > recall["counts, baskets of at most 60 products"]
    for row in scores.rows:
        (line,) = {line for line in result.stdout.splitlines() if line.startswith(f"{row.name}  ")}
        assert f"{row.values[0]:.4f}" in line
    assert "Learned from" in result.stdout


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("basket", "all items  known before  other shoppers  mean of baskets"),
        ("next-item", "recall@20  MRR@20"),
    ],
)
def test_the_other_evaluations_print_their_tables(command: str, columns: str, tmp_path: Path) -> None:
    actions = (Action.VIEW, Action.VIEW, Action.PURCHASE, Action.PURCHASE)
    events = [
        behavior(product, action, minute=day * 1440 + place, session_id=f"s{day}")
        for day in range(6)
        for place, (product, action) in enumerate(zip("abab", actions, strict=True))
    ]
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    result = run(command, "--behavior", str(source), "--from", f"{events[16].occurred_at:%Y-%m-%d}")
    assert result.exit_code == 0, result.output
    assert columns in result.stdout.splitlines()[0]
    assert "published" in result.stdout


def test_tastes_are_scored_with_the_categories_of_a_file(tmp_path: Path) -> None:
    enriched = tmp_path / "enriched.jsonl"
    event = b'{"product_id":"%s","category":{"id":1,"path":"A"},"decision":{"outcome":"%s"}}\n'
    products = sorted({each.product_id or "" for each in iter_baskets()})
    arguments = ("--behavior", SAMPLE, "--products", str(enriched), "--from", "2010-12-08")
    enriched.write_bytes(event % (b"22632", b"abstained"))
    refused = run("tastes", *arguments)
    assert refused.exit_code == 1
    assert "no product-enriched events with a sure category" in refused.stderr
    enriched.write_bytes(b"".join(event % (product.encode(), b"model") for product in products))
    result = run("tastes", *arguments)
    assert result.exit_code == 0, result.output
    (line,) = {line for line in result.stdout.splitlines() if line.startswith("published ")}
    assert line.split()[1] == "1.0000"


@pytest.mark.parametrize(("ending", "beginning"), [("svg", "<svg xmlns="), ("html", "<!DOCTYPE html>")])
def test_a_report_is_drawn(ending: str, beginning: str, tmp_path: Path) -> None:
    events = [
        behavior(product, minute=day * 1440, session_id=f"s{day}") for day in range(4) for product in "ab"
    ]
    source = tmp_path / "events.jsonl.gz"
    source.write_bytes(gzip.compress(b"".join(encode(event) + b"\n" for event in events)))
    report = tmp_path / f"report.{ending}"
    day = f"{events[4].occurred_at:%Y-%m-%dT%H:%M:%SZ}"
    result = run(
        "affinity", "--relation", "viewed", "--behavior", str(source), "--from", day, "--report", str(report)
    )
    assert result.exit_code == 0, result.output
    drawn = report.read_text()
    assert drawn.startswith(beginning)
    assert "popularity, half-life 30 days" in drawn


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "2009-01-01"), "no events before --from 2009-01-01: its events are from 2010-12-01 to"),
        (("--from", "2012-01-01"), "no events after --from 2012-01-01"),
        (("--from", "2010-12-05", "--to", "2010-12-05"), "--to 2010-12-05 is not after --from 2010-12-05"),
        (("--from", "2010-12-05", "--report", "a.pdf"), "ends with none of .html, .svg and .json"),
    ],
)
def test_what_cannot_be_evaluated_is_reported(arguments: tuple[str, ...], problem: str) -> None:
    result = run("affinity", "--behavior", SAMPLE, *arguments)
    assert result.exit_code != 0
    assert problem in " ".join(result.stderr.split())


def test_a_file_of_another_form_is_reported(tmp_path: Path) -> None:
    table = tmp_path / "log.csv"
    table.write_text("time,product\n1,2\n")
    result = run("affinity", "--behavior", str(table), "--from", "2010-12-05")
    assert result.exit_code == 1
    assert "line 1:" in result.stderr
    assert f"shelfstream import auto {table}" in result.stderr
