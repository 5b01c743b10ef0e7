"""The panels of the dashboard, from what an engineer asks first to what explains it."""

from typing import NamedTuple


class Panel(NamedTuple):
    """A panel.

    Attributes:
        title: Its title.
        queries: PromQL by legend; `{{label}}` is the value of a label.
        unit: Grafana's name of the unit.
        meaning: What the reader sees, and what is normal.
        kind: `timeseries` or `stat`.
        worst: For a `stat`: the value from which it is red; None colors nothing. Above it, or with `falling`
            below it.
        falling: Whether small values are bad.
    """

    title: str
    queries: dict[str, str]
    unit: str
    meaning: str
    kind: str = "timeseries"
    worst: float | None = None
    falling: bool = False


ROWS: dict[str, tuple[Panel, ...]] = {
    "Is anything wrong?": (
        Panel(
            "Workers ready",
            {"ready": "sum(shelfstream_ready)", "workers": "count(shelfstream_ready)"},
            "short",
            "Ready workers and all workers. They are equal in good times.",
            "stat",
        ),
        Panel(
            "Kafka reachable",
            {"worst worker": "min(shelfstream_kafka_reachable)"},
            "bool_yes_no",
            "Whether each worker reaches a broker.",
            "stat",
            1,
            falling=True,
        ),
        Panel(
            "Partitions without an owner",
            {
                "{{agent}}": "max by (agent) (shelfstream_partitions) - sum by (agent) (shelfstream_lanes)",
            },
            "short",
            "0 in good times. After a worker left, for some seconds more.",
            "stat",
            1,
        ),
        Panel(
            "Dead letters in an hour",
            {"records": "sum(increase(shelfstream_dead_letters_total[1h]))"},
            "short",
            "Records that could not be processed. The row below tells their reasons.",
            "stat",
            1,
        ),
        Panel(
            "Records lost to retention in a day",
            {"records": "sum(increase(shelfstream_records_expired_total[1d]))"},
            "short",
            "An upper bound of records that retention removed unread. Always 0 where workers keep up.",
            "stat",
            1,
        ),
        Panel(
            "Inputs created again",
            {"lanes": "sum(shelfstream_inputs_reset)"},
            "short",
            "Lanes that wait for a person's decision.",
            "stat",
            1,
        ),
    ),
    "Does it keep up?": (
        Panel(
            "Records read",
            {"{{topic}}": "sum by (topic) (rate(shelfstream_records_consumed_total[$__rate_interval]))"},
            "reqps",
            "Records of committed batches by input.",
        ),
        Panel(
            "Lag",
            {"{{topic}}": "sum by (topic) (shelfstream_consumer_lag_records)"},
            "short",
            "Records that are not processed yet. It falls after a peak.",
        ),
        Panel(
            "Time to commit, 50% and 99%",
            {
                f"{{{{agent}}}} {share:.0%}": (
                    f"histogram_quantile({share}, sum by (agent, le)"
                    " (rate(shelfstream_end_to_end_seconds_bucket[$__rate_interval])))"
                )
                for share in (0.5, 0.99)
            },
            "s",
            "From the timestamp of a batch's last record to the commit of its outputs.",
        ),
        Panel(
            "Age of the last commit",
            {"{{topic}}": "time() - min by (topic) (shelfstream_last_commit_timestamp_seconds)"},
            "s",
            "Of the partition that committed longest ago. It grows while nothing comes in, too.",
        ),
        Panel(
            "Lanes by state",
            {"{{agent}} {{state}}": "sum by (agent, state) (shelfstream_lanes)"},
            "short",
            "All lanes run in good times. restoring reads state, backoff waits after an error.",
        ),
        Panel(
            "Seconds of a batch by stage",
            {
                "{{agent}} {{stage}}": (
                    "sum by (agent, stage) (rate(shelfstream_batch_stage_seconds_sum[$__rate_interval]))"
                    " / sum by (agent, stage) (rate(shelfstream_batch_stage_seconds_count[$__rate_interval]))"
                )
            },
            "s",
            "Where the time goes: processing or committing.",
        ),
    ),
    "What could not be processed?": (
        Panel(
            "Dead letters by reason",
            {
                "{{topic}} {{reason}}": (
                    "sum by (topic, reason) (rate(shelfstream_dead_letters_total[$__rate_interval]))"
                )
            },
            "reqps",
            "shelfstream dead-letters list shows the records.",
        ),
        Panel(
            "Fields left out",
            {
                "{{topic}} {{field}}": (
                    "sum by (topic, field) (rate(shelfstream_ignored_fields_total[$__rate_interval]))"
                ),
                "{{topic}} {{field}} misspelled": (
                    "sum by (topic, field) (rate(shelfstream_misspelled_fields_total[$__rate_interval]))"
                ),
            },
            "reqps",
            "Optional fields that were wrong, and names that resemble a field's.",
        ),
        Panel(
            "Batches in vain",
            {
                "{{agent}} aborted": (
                    "sum by (agent)"
                    ' (rate(shelfstream_transactions_total{result="aborted"}[$__rate_interval]))'
                ),
                "retries {{cause}}": "sum by (cause) (rate(shelfstream_retries_total[$__rate_interval]))",
                "{{agent}} fenced": "sum by (agent) (rate(shelfstream_fenced_total[$__rate_interval]))",
            },
            "reqps",
            "Transactions that aborted, batches that are retried, and lanes that lost their partition.",
        ),
    ),
    "Is the model right?": (
        Panel(
            "Decisions by outcome",
            {"{{outcome}}": "sum by (outcome) (rate(shelfstream_decisions_total[$__rate_interval]))"},
            "reqps",
            "abstained waits for a person.",
        ),
        Panel(
            "Drift",
            {"{{feature}}": "max by (feature) (shelfstream_drift_psi)"},
            "short",
            "Population stability index against the reference. From 0.25 a feature has drifted.",
        ),
        Panel(
            "Models that run",
            {"{{model_version}}": ('count by (model_version) (shelfstream_versions{model_version!=""})')},
            "short",
            "Workers by the version of their model: one line, besides during a rollout.",
        ),
        Panel(
            "Restarts of the model's process",
            {
                "restarts": "sum(increase(shelfstream_model_restarts_total[$__rate_interval]))",
                "of them hung": "sum(increase(shelfstream_model_hangs_total[$__rate_interval]))",
            },
            "short",
            "0 in good times.",
        ),
    ),
    "State and resources": (
        Panel(
            "Rows",
            {"{{table}}": "sum by (table) (shelfstream_state_rows)"},
            "short",
            "Rows of each table over all partitions.",
        ),
        Panel(
            "Bytes of rows",
            {"{{table}}": "sum by (table) (shelfstream_state_bytes)"},
            "bytes",
            "Bytes of each table's rows over all partitions.",
        ),
        Panel(
            "Memory of a worker",
            {"{{instance}}": 'process_resident_memory_bytes{job="shelfstream"}'},
            "bytes",
            "Resident memory, without the model's process.",
        ),
        Panel(
            "Processor time of a worker",
            {"{{instance}}": 'rate(process_cpu_seconds_total{job="shelfstream"}[$__rate_interval])'},
            "short",
            "Cores in use, without the model's process.",
        ),
    ),
}
"""The panels by row, from what an engineer asks first to what explains it."""
