"""`shelfstream metrics`: list the metrics that a worker exports, and what to watch them with."""

import click
import orjson

from schemas.yaml_writer import yaml_text
from streams.commands.terminal_tables import new_table, print_table
from streams.observability.alerts import ALL_ALERTS
from streams.observability.alerts import manual as alerts_manual
from streams.observability.dashboard import dashboard
from streams.observability.metrics import METRICS
from streams.observability.prometheus_rules import rules


@click.command()
@click.option("--alerts", is_flag=True, help="List what to alert on instead.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@click.option(
    "--rules", "as_rules", is_flag=True, help="Print a Prometheus rule file: alerts and recorded rates."
)
@click.option(
    "--runbooks",
    default="",
    metavar="URL",
    help="With --rules: where the project's pages are; it precedes docs/ and deploy/ in the alerts' links.",
)
@click.option("--dashboard", "as_dashboard", is_flag=True, help="Print a Grafana dashboard, for its import.")
def metrics(alerts: bool, markdown: bool, as_rules: bool, runbooks: str, as_dashboard: bool) -> None:
    """List the metrics that a worker serves at /metrics, with type, labels and meaning."""
    if as_rules and as_dashboard:
        raise click.UsageError("--rules and --dashboard are different files: give one of them")
    if runbooks and not as_rules:
        raise click.UsageError("--runbooks belongs to --rules")
    if as_rules:
        click.echo(yaml_text(rules(f"{runbooks.rstrip('/')}/" if runbooks else "")), nl=False)
    elif as_dashboard:
        click.echo(dashboard_json(), nl=False)
    elif markdown:
        click.echo(alerts_manual() if alerts else manual())
    elif alerts:
        _print_alerts()
    else:
        table = new_table("metric", "type", "labels", "meaning")
        for metric in METRICS:
            table.add_row(metric.name, metric.kind, ", ".join(metric.labels), metric.meaning)
        print_table(table)


def dashboard_json() -> str:
    """Return the Grafana dashboard as indented JSON."""
    return orjson.dumps(dashboard(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def manual() -> str:
    """Return the Markdown table of all metrics."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])


def _print_alerts() -> None:
    table = new_table("alert", "severity", "problem", "what to do")
    for alert in ALL_ALERTS:
        table.add_row(alert.name, alert.severity, alert.problem, alert.page)
    print_table(table)
