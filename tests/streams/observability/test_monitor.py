"""The monitor turns the reports of lanes and models into metrics and status."""

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from models.drift.report import DriftReport, FeatureDrift
from schemas.errors import InvalidEvent, RetryLater
from streams.agents.dead_letters import DeadLetterBuilder
from streams.backoff import TokenBucket
from streams.inference.model_report import ModelReport, ShadowCounts
from streams.lanes.observer import BatchReport, LaneState, LaneView
from streams.lanes.transactional_writer import Fenced
from streams.observability.metrics import Metrics
from streams.observability.monitor import Monitor
from streams.observability.status import LaneStatus, WorkerStatus
from streams.records import MemoryRecord, Output, Partition
from streams.topics import DEAD_LETTER, ENRICHMENT_REVIEW, PRODUCT_CREATED, PRODUCT_ENRICHED

AT = Partition(PRODUCT_CREATED, 3)
CHANGELOG = Partition("changelog", 3)
NAME = f"enrich {PRODUCT_CREATED}-3"


def lane(sizes: dict[str, tuple[int, int]] | None = None) -> LaneView:
    """A lane of the agent `enrich` for partition 3."""
    topics = ("category-feedback", PRODUCT_CREATED)
    fake = SimpleNamespace(
        agent="enrich", topics=topics, partition=3, next_offsets={AT: 40}, table_sizes=lambda: sizes or {}
    )
    return cast(LaneView, fake)


def report(*outputs: Output, records: int = 5) -> BatchReport:
    return BatchReport(
        at=AT,
        records=records,
        size=1_000,
        outputs=outputs,
        next_offset=45,
        last_timestamp=int(time.time() * 1000) - 2_000,
        process_s=0.25,
        commit_s=0.125,
    )


@pytest.fixture
def monitor() -> Monitor:
    return Monitor(WorkerStatus(), Metrics())


def value(monitor: Monitor, name: str, **labels: str) -> float | None:
    """A metric as Prometheus would read it."""
    found: float | None = monitor.metrics.registry.get_sample_value(f"shelfstream_{name}", labels)
    return found


def shown(monitor: Monitor) -> LaneStatus:
    """The lane on the status page."""
    return monitor.status.lanes[NAME]


def enriched(outcome: str) -> Output:
    return Output(PRODUCT_ENRICHED, 0, b"p", b"{}", summary=outcome)


def test_a_worker_that_has_not_started_has_spent_no_dead_letters() -> None:
    monitor = Monitor(WorkerStatus(), Metrics(), 10_000)
    assert b"shelfstream_dead_letter_budget_records 10000.0" in monitor.metrics.exposition()


def test_a_committed_batch_is_counted(monitor: Monitor) -> None:
    """Records in and out, bytes, stages, the transaction, and the lane's place."""
    review = Output(ENRICHMENT_REVIEW, 0, b"p", b"")
    monitor.batch_committed(lane(), report(enriched("model"), enriched("model"), review))
    monitor.batch_committed(lane(), report(records=3))
    assert value(monitor, "records_consumed_total", topic=PRODUCT_CREATED) == 8
    assert value(monitor, "records_produced_total", topic=PRODUCT_ENRICHED) == 2
    assert value(monitor, "records_produced_total", topic=ENRICHMENT_REVIEW) == 1
    assert value(monitor, "batch_records_sum", agent="enrich") == 8
    assert value(monitor, "batch_bytes_sum", agent="enrich") == 2_000
    assert value(monitor, "batch_stage_seconds_sum", agent="enrich", stage="process") == 0.5
    assert value(monitor, "batch_stage_seconds_sum", agent="enrich", stage="commit") == 0.25
    assert value(monitor, "transactions_total", agent="enrich", result="committed") == 2
    assert value(monitor, "end_to_end_seconds_sum", agent="enrich") == pytest.approx(4.0, abs=1.0)
    last = value(monitor, "last_commit_timestamp_seconds", topic=PRODUCT_CREATED, partition="3")
    assert last == pytest.approx(time.time(), abs=5)
    assert (shown(monitor).records, shown(monitor).next_offsets) == (8, {PRODUCT_CREATED: 45})
    assert shown(monitor).rate.per_second(time.monotonic()) > 0


def test_decisions_are_counted_by_who_decided(monitor: Monitor) -> None:
    """A withdrawal is no decision, and a value that is not ours is `unknown`."""
    outputs = [enriched(outcome) for outcome in ("model", "person", "abstained", "model", "chance")]
    monitor.batch_committed(lane(), report(*outputs, Output(PRODUCT_ENRICHED, 0, b"p", None)))
    counted = {
        outcome: value(monitor, "decisions_total", outcome=outcome)
        for outcome in ("model", "person", "abstained", "unknown")
    }
    assert counted == {"model": 2, "person": 1, "abstained": 1, "unknown": 1}


def test_dead_letters_are_counted_by_reason(monitor: Monitor) -> None:
    record = MemoryRecord(*AT, 0)
    letters = [
        DeadLetterBuilder("g", 1)(record, error, "decode")
        for error in (InvalidEvent("malformed-json", "x"), InvalidEvent("malformed-json", "y"), ValueError())
    ]
    monitor.batch_committed(lane(), report(*letters))
    assert monitor.status.dead_letters == {"malformed-json": 2, "failed": 1}
    assert value(monitor, "dead_letters_total", topic=PRODUCT_CREATED, reason="malformed-json") == 2
    assert value(monitor, "records_produced_total", topic=DEAD_LETTER) == 3


def test_a_running_lane_is_ready_and_a_restoring_lane_shows_its_progress(monitor: Monitor) -> None:
    monitor.assigned()
    monitor.lane_changed(lane(), LaneState.RESTORING, "")
    monitor.lane_restoring(lane(), CHANGELOG, 1_000)
    assert value(monitor, "restore_remaining_records", table="changelog", partition="3") == 1_000
    assert "1,000 records left" in " ".join(monitor.status.unready_reasons(time.monotonic()))
    monitor.lane_restoring(lane(), CHANGELOG, 0)
    monitor.lane_changed(lane(), LaneState.RUNNING, "")
    assert value(monitor, "restore_remaining_records", table="changelog", partition="3") == 0
    assert monitor.status.unready_reasons(time.monotonic()) == []
    assert shown(monitor).next_offsets == {PRODUCT_CREATED: 40}


def test_a_worker_without_partitions_is_a_member(monitor: Monitor) -> None:
    """A spare worker is ready; each assignment is counted."""
    assert monitor.status.unready_reasons(0.0) != []
    monitor.assigned()
    monitor.assigned()
    assert monitor.status.unready_reasons(0.0) == []
    assert value(monitor, "rebalances_total") == 2


def test_an_unreachable_broker_makes_the_worker_unready_until_it_answers(monitor: Monitor) -> None:
    """Also where no lane works or fails. It is logged when it changes."""
    monitor.assigned()
    with capture_logs() as logs:
        for reason in ("connection refused", "connection refused", None, None):
            monitor.watch_broker(reason)
            unready = monitor.status.unready_reasons(0.0)
            assert unready == ([] if reason is None else ["Kafka is unreachable: connection refused"])
            assert value(monitor, "ready") == value(monitor, "kafka_reachable") == (reason is None)
    assert [entry["log_level"] for entry in logs] == ["error", "info"]


@pytest.mark.parametrize("error", [RetryLater("the model's process died"), ConnectionError("refused")])
def test_a_lane_that_fails_does_not_blame_kafka(monitor: Monitor, error: Exception) -> None:
    """A model that dies while it loads raises the same kind of error as a broker that does not answer."""
    monitor.assigned()
    monitor.batch_failed(lane(), error)
    monitor.lane_changed(lane(), LaneState.BACKOFF, str(error))
    assert monitor.status.unready_reasons(0.0) == [f"{NAME} is backoff: {error}"]


def test_a_worker_that_is_out_of_its_group_is_not_ready(monitor: Monitor) -> None:
    monitor.assigned()
    monitor.watch_membership(5.0)
    assert monitor.status.unready_reasons(0.0) == []
    monitor.watch_membership(30.0)
    assert any("not a member" in reason for reason in monitor.status.unready_reasons(0.0))


def test_assigned_partitions_without_a_lane_are_a_reason(monitor: Monitor) -> None:
    monitor.assigned()
    monitor.watch_lanes({AT})
    assert any(str(AT) in reason for reason in monitor.status.unready_reasons(0.0))
    monitor.watch_lanes(set())
    assert monitor.status.unready_reasons(0.0) == []


def test_a_failure_makes_a_stopping_worker_dead(monitor: Monitor) -> None:
    monitor.stopping()
    assert monitor.status.fatal is None
    monitor.stopping(KeyError())
    assert monitor.status.fatal == "KeyError"


def test_lanes_are_counted_by_state_and_agents_without_lanes_as_none() -> None:
    monitor = Monitor(WorkerStatus(agents=("enrich", "sessions")), Metrics())
    monitor.lane_changed(lane(), LaneState.RESTORING, "")
    monitor.watch_lanes(())
    assert value(monitor, "lanes", agent="enrich", state="restoring") == 1
    monitor.lane_changed(lane(), LaneState.RUNNING, "")
    monitor.watch_lanes(())
    assert value(monitor, "lanes", agent="enrich", state="restoring") is None
    assert value(monitor, "lanes", agent="enrich", state="running") == 1
    assert value(monitor, "lanes", agent="sessions", state="running") == 0


def test_a_lane_that_never_ran_has_the_series_that_alerts_need(monitor: Monitor) -> None:
    before = time.time()
    monitor.lane_changed(lane(), LaneState.OPENING, "")
    for topic in ("category-feedback", PRODUCT_CREATED):
        committed = value(monitor, "last_commit_timestamp_seconds", topic=topic, partition="3")
        assert committed is not None
        assert before <= committed <= time.time()
    first = value(monitor, "last_commit_timestamp_seconds", topic=PRODUCT_CREATED, partition="3")
    monitor.lane_changed(lane(), LaneState.BACKOFF, "again")
    assert value(monitor, "last_commit_timestamp_seconds", topic=PRODUCT_CREATED, partition="3") == first


def test_the_gauges_of_a_partition_go_with_its_lane(monitor: Monitor) -> None:
    """Another worker has it now. An old lag would raise an alert that is false."""
    monitor.lane_changed(lane(), LaneState.OPENING, "")
    monitor.lane_restoring(lane(), CHANGELOG, 100)
    monitor.batch_committed(lane(), report())
    monitor.watch_lag(lane(), {AT: 7})
    monitor.watch_state(lane({"products": (5, 600)}))
    ours = f'partition="{AT.partition}"'
    assert monitor.metrics.exposition().decode().count(ours) == 7
    monitor.lane_changed(lane(), LaneState.CLOSED, "")
    assert ours not in monitor.metrics.exposition().decode()


def test_a_failed_batch_is_counted_by_its_cause(monitor: Monitor) -> None:
    """A fenced lane is none of the broker's faults."""
    with capture_logs() as logs:
        monitor.batch_failed(lane(), Fenced("a newer owner"))
        monitor.batch_failed(lane(), KeyError("bug"))
    assert monitor.status.broker_error is None
    assert value(monitor, "fenced_total", agent="enrich") == 1
    monitor.batch_rolled_back(lane(), 40, 2.5)
    assert value(monitor, "transactions_total", agent="enrich", result="aborted") == 3
    assert value(monitor, "rolled_back_records_total", agent="enrich") == 40
    assert value(monitor, "rolled_back_seconds_total", agent="enrich") == 2.5
    assert value(monitor, "retries_total", cause="Fenced") == 1
    assert value(monitor, "retries_total", cause="KeyError") == 1
    assert [entry["log_level"] for entry in logs] == ["warning", "warning"]


def test_a_lane_in_backoff_shows_its_error_until_it_commits(monitor: Monitor) -> None:
    monitor.assigned()
    monitor.lane_changed(lane(), LaneState.BACKOFF, "RetryLater: no answer")
    assert any("no answer" in reason for reason in monitor.status.unready_reasons(0.0))
    monitor.batch_committed(lane(), report())
    assert shown(monitor).last_error is None
    assert monitor.status.unready_reasons(0.0) == []


def test_a_closed_lane_leaves_the_status_page(monitor: Monitor) -> None:
    monitor.lane_changed(lane(), LaneState.RUNNING, "")
    monitor.lane_changed(lane(), LaneState.CLOSED, "")
    assert monitor.status.lanes == {}


def test_lag_is_shown_per_input_and_summed_per_lane(monitor: Monitor) -> None:
    """An input whose lag is not known yet is left out; if none is known, neither is the lane's."""
    feedback = Partition("category-feedback", 3)
    monitor.watch_lag(lane(), {AT: None, feedback: None})
    assert shown(monitor).lag is None
    monitor.watch_lag(lane(), {AT: 7, feedback: None})
    assert shown(monitor).lag == 7
    monitor.watch_lag(lane(), {AT: 7, feedback: 2})
    assert shown(monitor).lag == 9
    assert value(monitor, "consumer_lag_records", topic=PRODUCT_CREATED, partition="3") == 7


def test_a_spent_dead_letter_budget_makes_the_worker_unready(monitor: Monitor) -> None:
    monitor.assigned()
    bucket = TokenBucket(10, 1e-6, time.monotonic())
    monitor.watch_dead_letters(bucket)
    assert monitor.status.unready_reasons(0.0) == []
    bucket.spend(15, time.monotonic())
    monitor.watch_dead_letters(bucket)
    assert any("dead letters" in reason for reason in monitor.status.unready_reasons(0.0))
    assert value(monitor, "dead_letter_budget_records") == pytest.approx(-5, abs=0.1)


def models(**more: Any) -> ModelReport:
    return ModelReport(model_version="m", taxonomy_version="t", **more)


def test_the_totals_of_model_reports_are_counted_once(monitor: Monitor) -> None:
    """Reports have totals. Counters grow by the difference."""
    for hits, misses, compared in ((10, 3, 0), (10, 3, 0), (12, 4, 7)):
        differing = {"level1": 0, "category": compared // 2, "outcome": compared}
        shadow_totals = ShadowCounts(compared, hits, differing)
        monitor.watch_models(
            models(
                cache_hits=hits,
                cache_misses=misses,
                shadow_totals=shadow_totals,
                swaps=misses,
                failures=hits,
                restarts=misses,
                hangs=hits,
            )
        )
    assert value(monitor, "cache_requests_total", result="hit") == 12
    assert value(monitor, "cache_requests_total", result="miss") == 4
    assert value(monitor, "shadow_listings_total", result="compared") == 7
    assert value(monitor, "shadow_listings_total", result="dropped") == 12
    assert value(monitor, "shadow_differences_total", aspect="level1") == 0
    assert value(monitor, "shadow_differences_total", aspect="category") == 3
    assert value(monitor, "shadow_differences_total", aspect="outcome") == 7
    assert value(monitor, "model_swaps_total") == 4
    assert value(monitor, "model_failures_total") == 12
    assert value(monitor, "model_restarts_total") == 4
    assert value(monitor, "model_hangs_total") == 12


def test_only_the_current_models_are_shown(monitor: Monitor) -> None:
    version = {"version": "", "taxonomy_version": "t"}
    monitor.watch_models(models(candidate_version="n", canary_share=0.05, shadow=ShadowCounts()))
    assert value(monitor, "versions", model_version="m", **version) == 1
    assert value(monitor, "canary_share", model_version="n") == 0.05
    assert (monitor.status.model_version, monitor.status.candidate_version) == ("m", "n")
    assert monitor.status.shadow == {"compared": 0, "dropped": 0}
    monitor.watch_models(ModelReport(model_version="n", taxonomy_version="t"))
    assert value(monitor, "versions", model_version="m", **version) is None
    assert value(monitor, "versions", model_version="n", **version) == 1
    assert value(monitor, "canary_share", model_version="n") is None
    shown = monitor.status.as_json(0.0)
    assert (shown["candidate_version"], shown["shadow"]) == ("", None)


def test_a_model_that_is_not_in_service_is_a_warning_and_no_reason_to_be_unready(monitor: Monitor) -> None:
    monitor.assigned()
    monitor.watch_models(models(trouble="n is deployed, but not in service: torn"))
    assert value(monitor, "model_trouble") == 1
    assert monitor.status.unready_reasons(0.0) == []
    assert monitor.status.warnings(0.0) == ["n is deployed, but not in service: torn"]
    assert monitor.status.as_json(0.0)["warnings"] == monitor.status.warnings(0.0)
    monitor.watch_models(models())
    assert value(monitor, "model_trouble") == 0
    assert monitor.status.warnings(0.0) == []


def test_the_size_of_a_lanes_tables_is_shown(monitor: Monitor) -> None:
    monitor.watch_state(lane({"products": (5, 600)}))
    assert value(monitor, "state_rows", table="products", partition="3") == 5
    assert value(monitor, "state_bytes", table="products", partition="3") == 600


def test_a_dead_lettered_record_is_logged_with_position_and_traceback(monitor: Monitor) -> None:
    error = ValueError("unforeseen")
    with capture_logs() as logs:
        monitor.record_dead_lettered(lane(), MemoryRecord(*AT, 17), error)
    (entry,) = logs
    logged: dict[str, Any] = {name: entry[name] for name in ("topic", "partition", "offset", "exc_info")}
    assert logged == {"topic": PRODUCT_CREATED, "partition": 3, "offset": 17, "exc_info": error}


def test_drift_is_a_gauge_per_feature_and_absent_without_enough_listings(monitor: Monitor) -> None:
    monitor.watch_drift(
        DriftReport(812.4, None, (FeatureDrift("language", 0.31), FeatureDrift("depth", 0.02)))
    )
    assert value(monitor, "drift_psi", feature="language") == 0.31
    assert value(monitor, "drift_listings") == 812.4
    assert monitor.status.drift is not None
    assert monitor.status.drift.features == {"language": (0.31, "drifted"), "depth": (0.02, "stable")}
    monitor.watch_drift(DriftReport(7.0, "7 of 500 listings so far"))
    assert value(monitor, "drift_psi", feature="language") is None
    assert monitor.status.drift.silent_why == "7 of 500 listings so far"
