"""Prometheus' rule files: the alerts, and recorded rates that dashboards and people read."""

from typing import Any

from streams.observability.alerts import ALERTS, Alert

RECORDED = {
    "shelfstream:records_consumed:rate5m": "sum by (topic) (rate(shelfstream_records_consumed_total[5m]))",
    "shelfstream:records_produced:rate5m": "sum by (topic) (rate(shelfstream_records_produced_total[5m]))",
    "shelfstream:consumer_lag:sum": "sum by (topic) (shelfstream_consumer_lag_records)",
    "shelfstream:dead_letters:rate5m": "sum by (topic, reason) (rate(shelfstream_dead_letters_total[5m]))",
    "shelfstream:decisions:share1h": (
        "sum by (outcome) (rate(shelfstream_decisions_total[1h]))"
        " / ignoring (outcome) group_left sum(rate(shelfstream_decisions_total[1h]))"
    ),
    "shelfstream:end_to_end_seconds:p99_5m": (
        "histogram_quantile(0.99, sum by (agent, le) (rate(shelfstream_end_to_end_seconds_bucket[5m])))"
    ),
}
"""PromQL by the name under which Prometheus records it. Names follow `level:metric:operations`."""


def rules(runbooks: str = "") -> dict[str, Any]:
    """Return a rule file, for `schemas.yaml_writer` or for the spec of a PrometheusRule.

    Args:
        runbooks: Where the project's pages are, such as a repository's address with a final `/`.
    """
    recorded = [{"record": name, "expr": expression} for name, expression in RECORDED.items()]
    groups: list[dict[str, Any]] = [{"name": "shelfstream.recorded", "rules": recorded}]
    for name, alerts in ALERTS.items():
        groups.append({"name": f"shelfstream.{name}", "rules": [_rule(alert, runbooks) for alert in alerts]})
    return {"groups": groups}


def _rule(alert: Alert, runbooks: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": f"Shelfstream{alert.name}", "expr": alert.expression}
    if alert.minutes:
        rule["for"] = f"{alert.minutes}m"
    rule["labels"] = {"severity": alert.severity}
    rule["annotations"] = {"summary": alert.problem, "runbook_url": f"{runbooks}{alert.page}"}
    return rule
