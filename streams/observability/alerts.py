"""What to alert on, by Prometheus: expressions over a worker's metrics, with where to read what to do."""

from typing import Literal, NamedTuple

ON_CALL = "docs/operations/on-call.md"
RUNBOOK = "deploy/RUNBOOK.md"


class Alert(NamedTuple):
    """An alert.

    Attributes:
        name: Its name.
        problem: What is wrong, in a phrase.
        expression: A PromQL expression that has results while it is wrong.
        page: The page of this project that says what to do, with an anchor.
        minutes: How long the expression must hold.
        severity: `page` wakes somebody; `ticket` waits for the day.
    """

    name: str
    problem: str
    expression: str
    page: str
    minutes: int = 0
    severity: Literal["page", "ticket"] = "page"


_RECOVERY = (
    Alert(
        "WorkerNotReady", "a worker is not ready", "shelfstream_ready == 0", f"{ON_CALL}#reasons-of-ready", 5
    ),
    Alert(
        "WorkerDown",
        "a worker does not answer: it is down or hangs",
        'up{job="shelfstream"} == 0',
        f"{ON_CALL}#look-at-a-worker",
        1,
    ),
    Alert(
        "KafkaAway",
        "no worker reaches Kafka",
        "max(shelfstream_kafka_reachable) == 0",
        f"{RUNBOOK}#kafka-is-away",
        1,
    ),
    Alert(
        "KafkaAwayForSome",
        "some workers do not reach Kafka",
        "min(shelfstream_kafka_reachable) == 0",
        f"{RUNBOOK}#kafka-is-away",
        5,
    ),
    Alert(
        "PartitionsWithoutOwner",
        "partitions of an agent have no owner",
        "sum by (agent) (shelfstream_lanes) < max by (agent) (shelfstream_partitions)",
        f"{ON_CALL}#partitions-without-an-owner",
        2,
    ),
    Alert(
        "LanesNotRunning",
        "lanes of an agent do not run",
        'sum by (agent) (shelfstream_lanes{state="running"}) < max by (agent) (shelfstream_partitions)',
        f"{ON_CALL}#reasons-of-ready",
        5,
    ),
    Alert(
        "PartitionStandsStill",
        "a partition has lag and commits nothing",
        "shelfstream_consumer_lag_records > 0 and time() - shelfstream_last_commit_timestamp_seconds > 120",
        f"{RUNBOOK}#a-lane-stands-still-or-a-model-hangs",
    ),
    Alert(
        "InputReset",
        "a lane waits because an input was created again or truncated",
        "max by (agent, partition) (shelfstream_inputs_reset) > 0",
        f"{RUNBOOK}#a-topic-was-created-again-or-truncated",
    ),
)
"""Processing stands still."""

_LOSS = (
    Alert(
        "RecordsExpired",
        "retention removed records before they were read",
        "increase(shelfstream_records_expired_total[1h]) > 0",
        f"{RUNBOOK}#retention-passed-unread-records",
    ),
    Alert(
        "LagGrows",
        "the lag grows",
        "sum by (topic) (deriv(shelfstream_consumer_lag_records[10m])) > 0",
        f"{RUNBOOK}#a-lane-stands-still-or-a-model-hangs",
        30,
        "ticket",
    ),
    Alert(
        "DeadLetters",
        "many records cannot be processed",
        "sum by (topic, reason) (rate(shelfstream_dead_letters_total[5m])) > 1",
        f"{RUNBOOK}#a-producer-breaks-its-listings",
        severity="ticket",
    ),
    Alert(
        "DeadLetterBudget",
        "so many records cannot be processed that a worker will slow down",
        "shelfstream_dead_letter_budget_records < 1000",
        f"{RUNBOOK}#a-producer-breaks-its-listings",
    ),
    Alert(
        "PartitionsUnread",
        "partitions were added to an input",
        "shelfstream_unread_partitions > 0",
        f"{RUNBOOK}#partitions-were-added",
    ),
    Alert(
        "WorkRolledBack",
        "work is thrown away: batches take longer than `SHELFSTREAM_REVOKE_BUDGET_S`",
        "increase(shelfstream_rolled_back_seconds_total[1h]) > 60",
        f"{ON_CALL}#look-at-a-worker",
        severity="ticket",
    ),
    Alert(
        "TransactionsAbort",
        "transactions abort repeatedly",
        'rate(shelfstream_transactions_total{result="aborted"}[5m]) > 0.1',
        f"{ON_CALL}#look-at-a-worker",
        severity="ticket",
    ),
)
"""Records are lost, pile up, or are processed in vain."""

_MODEL = (
    Alert(
        "ModelHangs",
        "the model's process hangs",
        "increase(shelfstream_model_hangs_total[10m]) > 0",
        f"{RUNBOOK}#a-lane-stands-still-or-a-model-hangs",
    ),
    Alert(
        "ModelDies",
        "the model's process dies repeatedly: out of memory, or a poison record",
        "increase(shelfstream_model_restarts_total[10m]) > 2",
        f"{RUNBOOK}#a-lane-stands-still-or-a-model-hangs",
    ),
    Alert(
        "ModelTrouble",
        "a worker does not run the deployed models",
        "max(shelfstream_model_trouble) > 0",
        f"{ON_CALL}#models",
        1,
        "ticket",
    ),
    Alert(
        "ModelsDiffer",
        "workers run different models",
        'count(count by (model_version) (shelfstream_versions{model_version!=""})) > 1',
        f"{ON_CALL}#models",
        5,
        "ticket",
    ),
    Alert(
        "ShadowModelDiffers",
        "a shadow model often predicts another department",
        'sum(rate(shelfstream_shadow_differences_total{aspect="level1"}[1h]))'
        ' / sum(rate(shelfstream_shadow_listings_total{result="compared"}[1h])) > 0.05',
        f"{ON_CALL}#models",
        severity="ticket",
    ),
    Alert(
        "ModelAbstains",
        "the model abstains often",
        'sum(rate(shelfstream_decisions_total{outcome="abstained"}[1h]))'
        " / sum(rate(shelfstream_decisions_total[1h])) > 0.4",
        f"{ON_CALL}#drift",
        severity="ticket",
    ),
    Alert(
        "Drift",
        "listings or decisions have drifted from the model's reference",
        "max by (feature) (shelfstream_drift_psi) > 0.25",
        f"{ON_CALL}#drift",
        60,
        "ticket",
    ),
)
"""Models are slow, away, or no longer right."""

ALERTS = {"recovery": _RECOVERY, "loss": _LOSS, "model": _MODEL}
"""All alerts by group. Names are unique."""

ALL_ALERTS = tuple(alert for group in ALERTS.values() for alert in group)


def manual() -> str:
    """Return the Markdown table of all alerts, for a page in docs/operations."""
    rows = []
    for alert in ALL_ALERTS:
        path, _, anchor = alert.page.partition("#")
        # The runbook is no page of the docs.
        problem = f"[{alert.problem}](on-call.md#{anchor})" if path == ON_CALL else alert.problem
        time = f"{alert.minutes} min" if alert.minutes else "at once"
        name = f"`{alert.name}`, {alert.severity}"
        rows.append(f"| {problem} | {name} | `{alert.expression}` | {time} |")
    return "\n".join(["| problem | alert | expression | holds for |", "| --- | --- | --- | --- |", *rows])
