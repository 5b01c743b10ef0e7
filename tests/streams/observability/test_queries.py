"""Alerts, recorded rates and the dashboard read metrics and labels that a worker serves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import promql_parser as promql
import pytest
import yaml
from click.testing import CliRunner

from streams.commands.operate.metrics import metrics as command
from streams.observability.alerts import ALL_ALERTS
from streams.observability.dashboard import dashboard
from streams.observability.dashboard_panels import ROWS
from streams.observability.metrics import METRICS
from streams.observability.prometheus_rules import RECORDED

PROJECT = Path(__file__).resolve().parents[3]
FILES = PROJECT / "deploy/chart/files"
OF_THE_SCRAPE = {"job", "instance"}

EXPRESSIONS = {
    **{alert.name: alert.expression for alert in ALL_ALERTS},
    **RECORDED,
    **{
        f"{panel.title}: {legend}": query.replace("$__rate_interval", "5m")
        for row in ROWS.values()
        for panel in row
        for legend, query in panel.queries.items()
    },
}


def served() -> dict[str, set[str]]:
    """Return the labels of each series that Prometheus has of a worker."""
    labels = {"up": set(OF_THE_SCRAPE)}
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total"):
        labels[name] = set(OF_THE_SCRAPE)
    for metric in METRICS:
        names = {*metric.labels, *OF_THE_SCRAPE}
        if metric.kind == "histogram":
            labels |= {f"{metric.name}_{each}": names for each in ("sum", "count")}
            labels[f"{metric.name}_bucket"] = {*names, "le"}
        else:
            labels[metric.name] = names
    return labels


def walk(node: Any) -> Iterator[Any]:
    """Iterate over the nodes of a parsed expression."""
    yield node
    children = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    for child in [*children, *getattr(node, "args", ())]:
        if isinstance(child, promql.Expr | promql.VectorSelector):
            yield from walk(child)


def unknown(expression: str) -> list[str]:
    """Return the metrics, and the labels in matchers and groups, that no worker serves."""
    series = served()
    found: list[str] = []
    nodes = list(walk(promql.parse(expression)))
    selectors = [node for node in nodes if isinstance(node, promql.VectorSelector)]
    assert selectors, expression
    of_all = set.union(*(series.get(str(each.name), set()) for each in selectors))
    for each in selectors:
        if each.name not in series:
            found.append(str(each.name))
        labels = series.get(str(each.name), of_all)
        found += [matcher.name for matcher in each.matchers.matchers if matcher.name not in labels]
    for node in nodes:
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql.AggregateExpr) and modifier is not None:
            found += [label for label in modifier.labels if label not in of_all]
    return found


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_query_reads_what_a_worker_serves(name: str) -> None:
    assert unknown(EXPRESSIONS[name]) == []


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("shelfstream_redy == 0", "shelfstream_redy"),
        ('rate(shelfstream_dead_letters_total{cause="x"}[5m]) > 1', "cause"),
        ("sum by (shop) (shelfstream_lanes)", "shop"),
        ("histogram_quantile(0.9, sum by (le) (rate(shelfstream_lanes[5m])))", "le"),
    ],
)
def test_a_query_for_something_else_is_found(expression: str, missing: str) -> None:
    assert unknown(expression) == [missing]


def test_legends_name_labels_that_their_query_keeps() -> None:
    for panel in (each for row in ROWS.values() for each in row):
        for legend, query in panel.queries.items():
            for label in re.findall(r"\{\{(\w+)\}\}", legend):
                assert re.search(rf"by \([^)]*\b{label}\b", query) or label == "instance", panel.title


def test_panels_neither_overlap_nor_leave_the_page() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


def test_the_files_of_the_chart_are_what_the_command_prints() -> None:
    for option, file in (("--rules", "rules.yaml"), ("--dashboard", "dashboard.json")):
        printed = CliRunner().invoke(command, [option])
        assert printed.exit_code == 0
        assert printed.stdout == (FILES / file).read_text(), f"write what `metrics {option}` prints"


def test_rules_and_dashboard_are_what_their_readers_parse() -> None:
    groups = yaml.safe_load((FILES / "rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    names = [rule.get("alert") or rule["record"] for rule in rules]
    assert len(set(names)) == len(names) == len(RECORDED) + len(ALL_ALERTS)
    panels = orjson.loads((FILES / "dashboard.json").read_bytes())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_each_alert_links_to_a_heading_that_exists() -> None:
    for alert in ALL_ALERTS:
        path, _, anchor = alert.page.partition("#")
        headings = re.findall(r"^#+ (.+)$", (PROJECT / path).read_text(), re.MULTILINE)
        anchors = [re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings]
        assert anchor in anchors, alert.name


def test_links_start_with_where_the_pages_are() -> None:
    printed = CliRunner().invoke(command, ["--rules", "--runbooks", "https://docs.example.com/shelf"])
    assert 'runbook_url: "https://docs.example.com/shelf/deploy/RUNBOOK.md#kafka-is-away"' in printed.stdout


@pytest.mark.parametrize("arguments", [["--rules", "--dashboard"], ["--runbooks", "https://x"]])
def test_options_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    refused = CliRunner().invoke(command, arguments)
    assert refused.exit_code == 2 and "--rules" in refused.stderr


def test_the_alerts_are_listed() -> None:
    listed = CliRunner().invoke(command, ["--alerts"])
    assert all(alert.name in listed.stdout for alert in ALL_ALERTS)
