"""Turns the reports of lanes and models into metrics, the worker's status and logs."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter as Total

from schemas.dead_letters import REASON
from streams.agents.totals import AgentTotals
from streams.backoff import TokenBucket
from streams.inference.model_report import ModelReport
from streams.lanes.log_observer import LogObserver, added_partitions
from streams.lanes.observer import BatchReport, LaneState, LaneView
from streams.lanes.start_offsets import InputReset
from streams.lanes.transactional_writer import Fenced
from streams.observability.lane_gauges import LaneGauges, LaneName
from streams.observability.metrics import Metrics
from streams.observability.status import DriftStatus, LaneStatus, WorkerStatus
from streams.records import Output, Partition
from streams.topics import DEAD_LETTER, PRODUCT_ENRICHED

if TYPE_CHECKING:
    # A worker without the agent enrich does not load the models' packages.
    from models.drift.report import DriftReport

log = structlog.get_logger()

_OUTCOMES = ("model", "shop", "person", "abstained")


class Monitor(LogObserver):
    """The observer of a worker's lanes. Updates metrics and status, and logs.

    Args:
        status: The worker's status.
        metrics: The worker's metrics.
        dead_letter_burst: Dead letters that can be written at once when the worker starts.
    """

    def __init__(self, status: WorkerStatus, metrics: Metrics, dead_letter_burst: float = 0.0) -> None:
        self.status = status
        self.metrics = metrics
        # A worker that waits for Kafka has spent nothing: 0 would be an alert.
        metrics.dead_letter_budget.set(dead_letter_burst)
        self._gauges = LaneGauges(metrics)
        self._totals: dict[Total, int] = {}

    def assigned(self) -> None:
        """Count the assignment. The worker is now a member of its group, with or without partitions."""
        self.status.joined = True
        self.metrics.rebalances.inc()

    def lane_changed(self, lane: LaneView, state: LaneState, detail: str) -> None:
        """Update the lane's status, and log when it runs."""
        shown = self._status_of(lane)
        shown.state = state
        self._gauges.opened(_name(lane), _inputs(lane), time.time())
        if state is LaneState.RUNNING:
            shown.restore_remaining = None
            shown.next_offsets = {at.topic: offset for at, offset in lane.next_offsets.items()}
            self._gauges.input_reset(_name(lane), False)
        elif detail:
            shown.last_error = detail
        if state is LaneState.CLOSED:
            self._gauges.closed(_name(lane))
            self.status.lanes.pop(shown.name, None)
        super().lane_changed(lane, state, detail)

    def lane_restoring(self, lane: LaneView, at: Partition, remaining: int) -> None:
        """Update the progress of the restoration."""
        shown = self._status_of(lane)
        before = shown.restore_remaining if shown.restore_remaining is not None else remaining
        shown.restored(max(0, before - remaining), remaining, time.monotonic())
        self._gauges.restoring(_name(lane), at, remaining)

    def batch_committed(self, lane: LaneView, report: BatchReport) -> None:
        """Count records, outputs, decisions and dead letters, and observe the times of the stages."""
        metrics, agent = self.metrics, lane.agent
        shown = self._status_of(lane)
        shown.committed(report.records, time.monotonic())
        shown.next_offsets[report.at.topic] = report.next_offset
        metrics.records_consumed.labels(report.at.topic).inc(report.records)
        metrics.batch_records.labels(agent).observe(report.records)
        metrics.batch_bytes.labels(agent).observe(report.size)
        metrics.batch_stage.labels(agent, "process").observe(report.process_s)
        metrics.batch_stage.labels(agent, "commit").observe(report.commit_s)
        metrics.transactions.labels(agent, "committed").inc()
        self._gauges.committed(_name(lane), report.at, time.time())
        metrics.end_to_end.labels(agent).observe(max(0.0, time.time() - report.last_timestamp / 1000))
        self._count_outputs(report.outputs)
        self._count_outcomes(report)

    def caught_up(self, lane: LaneView, outputs: Sequence[Output]) -> None:
        """Count what was written between two batches."""
        if outputs:
            self.metrics.transactions.labels(lane.agent, "committed").inc()
            self._count_outputs(outputs)

    def _count_outputs(self, outputs: Sequence[Output]) -> None:
        for topic, count in Counter(output.topic for output in outputs).items():
            self.metrics.records_produced.labels(topic).inc(count)

    def records_expired(self, lane: LaneView, at: Partition, count: int) -> None:
        """Count and log records that are lost, and warn until somebody acknowledges it."""
        self.metrics.records_expired.labels(at.topic).inc(count)
        self.status.expired[str(at)] = self.status.expired.get(str(at), 0) + count
        super().records_expired(lane, at, count)

    def partitions_added(self, added: Mapping[str, int], partitions: int) -> None:
        """Warn while partitions are not read, and count them."""
        self.metrics.unread_partitions.clear()
        for topic, count in added.items():
            self.metrics.unread_partitions.labels(topic).set(count - partitions)
        self.status.added_partitions = [added_partitions(topic, added[topic], partitions) for topic in added]
        super().partitions_added(added, partitions)

    def batch_rolled_back(self, lane: LaneView, records: int, seconds: float) -> None:
        """Count and log the lost work."""
        self.metrics.transactions.labels(lane.agent, "aborted").inc()
        self.metrics.rolled_back_records.labels(lane.agent).inc(records)
        self.metrics.rolled_back_seconds.labels(lane.agent).inc(seconds)
        super().batch_rolled_back(lane, records, seconds)

    def batch_failed(self, lane: LaneView, error: BaseException) -> None:
        """Count and log the failure. The lane reads the batch again."""
        agent = lane.agent
        self.metrics.transactions.labels(agent, "aborted").inc()
        self.metrics.retries.labels(type(error).__name__).inc()
        if isinstance(error, Fenced):
            self.metrics.fenced.labels(agent).inc()
        elif isinstance(error, InputReset):
            self._gauges.input_reset(_name(lane), True)
        super().batch_failed(lane, error)

    def stopping(self, failure: BaseException | None = None) -> None:
        """The worker stops: it is no longer ready. With a failure it is no longer alive either."""
        self.status.stopping = True
        if failure is not None:
            self.status.fatal = str(failure) or type(failure).__name__

    def watch_broker(self, unreachable: str | None) -> None:
        """Take over why Kafka is unreachable, or None, and log when that changes."""
        before, self.status.broker_error = self.status.broker_error, unreachable
        if before is None and unreachable is not None:
            log.error("Kafka is unreachable, the worker waits", reason=unreachable)
        elif before is not None and unreachable is None:
            log.info("Kafka answers again")
        self.metrics.kafka_reachable.set(unreachable is None)
        self.metrics.ready.set(not self.status.unready_reasons(time.monotonic()))

    def watch_membership(self, absent_s: float) -> None:
        """Take over for how many seconds the worker has not been a member of its group."""
        self.status.absent_s = absent_s

    def watch_lanes(self, misplaced: Iterable[Partition]) -> None:
        """Count the lanes by state, and take over the assigned partitions that have none."""
        self.status.misplaced = tuple(sorted(map(str, misplaced)))
        lanes = self.status.lanes.values()
        self._gauges.states(self.status.agents, ((lane.agent, lane.state) for lane in lanes))

    def watch_dead_letters(self, budget: TokenBucket) -> None:
        """Update the remaining dead-letter budget."""
        left = budget.left(time.monotonic())
        self.metrics.dead_letter_budget.set(left)
        self.status.dead_letter_ceiling = left <= 0
        for fields in self.status.dead_letter_rates.due_lines(time.monotonic()):
            log.warning("records cannot be processed", **fields)

    def watch_buffers(self, size: int) -> None:
        """Update the size of fetched records that are not processed yet, in bytes."""
        self.metrics.in_flight.set(size)

    def watch_models(self, report: ModelReport) -> None:
        """Update the models' versions, and add to the counters what came since the last report."""
        metrics, shadow = self.metrics, report.shadow_totals
        self.status.update_models(report)
        metrics.versions.clear()
        metrics.versions.labels(self.status.version, report.model_version, report.taxonomy_version).set(1)
        metrics.canary_share.clear()
        if report.candidate_version:
            metrics.canary_share.labels(report.candidate_version).set(report.canary_share)
        metrics.model_trouble.set(report.trouble is not None)
        self._count_up_to(metrics.model_swaps, report.swaps)
        self._count_up_to(metrics.model_failures, report.failures)
        self._count_up_to(metrics.model_restarts, report.restarts)
        self._count_up_to(metrics.model_hangs, report.hangs)
        self._count_up_to(metrics.cache_requests.labels("hit"), report.cache_hits)
        self._count_up_to(metrics.cache_requests.labels("miss"), report.cache_misses)
        self._count_up_to(metrics.shadow_listings.labels("compared"), shadow.compared)
        self._count_up_to(metrics.shadow_listings.labels("dropped"), shadow.dropped)
        for aspect, count in shadow.differing.items():
            self._count_up_to(metrics.shadow_differences.labels(aspect), count)
        if report.drift is not None:
            self.watch_drift(report.drift)

    def watch_agents(self, totals: AgentTotals) -> None:
        """Add to the counters what agents counted since the last call."""
        self._count_up_to(self.metrics.unknown_withdrawals, totals.unknown_withdrawals)
        for labels, count in totals.ignored_fields.copy().items():
            self._count_up_to(self.metrics.ignored_fields.labels(*labels), count)
        for labels, count in totals.misspelled_fields.copy().items():
            self._count_up_to(self.metrics.misspelled_fields.labels(*labels), count)
        self._count_up_to(self.metrics.replayed, totals.replayed)
        for reason, count in totals.without_pairs.copy().items():
            self._count_up_to(self.metrics.without_pairs.labels(reason), count)

    def watch_drift(self, report: "DriftReport") -> None:
        """Update the drift of each feature. The report has no features while too few listings came."""
        self.metrics.drift_psi.clear()
        for each in report.features:
            self.metrics.drift_psi.labels(each.feature).set(each.index)
        self.metrics.drift_listings.set(report.listings)
        self.status.drift = DriftStatus(
            round(report.listings),
            report.unavailable_reason,
            {each.feature: (round(each.index, 4), each.level) for each in report.features},
        )

    def watch_state(self, lane: LaneView) -> None:
        """Update the sizes of the lane's tables."""
        self._gauges.table_sizes(_name(lane), lane.table_sizes())

    def watch_lag(self, lane: LaneView, lags: Mapping[Partition, int | None]) -> None:
        """Update the lag of each of the lane's inputs. None values are unknown."""
        known = {at: lag for at, lag in lags.items() if lag is not None}
        self._status_of(lane).lag = sum(known.values()) if known else None
        self._gauges.lags(_name(lane), known)

    def _count_up_to(self, counter: Total, total: int) -> None:
        """Raise a counter by the growth of a total since the last call."""
        counter.inc(total - self._totals.get(counter, 0))
        self._totals[counter] = total

    def _status_of(self, lane: LaneView) -> LaneStatus:
        return self.status.lane(lane.agent, lane.topics[-1], lane.partition)

    def _count_outcomes(self, report: BatchReport) -> None:
        reasons: Counter[str] = Counter()
        for output in report.outputs:
            if output.topic == DEAD_LETTER:
                reason = _header(output, REASON)
                reasons[reason] += 1
                self.metrics.dead_letters.labels(report.at.topic, reason).inc()
                self.status.dead_letters[reason] = self.status.dead_letters.get(reason, 0) + 1
            elif output.topic == PRODUCT_ENRICHED and output.value is not None:
                outcome = output.summary if output.summary in _OUTCOMES else "unknown"
                self.metrics.decisions.labels(outcome).inc()
        self.status.dead_letter_rates.committed(report.at.topic, report.records, reasons, time.monotonic())


def _header(output: Output, name: str) -> str:
    return next((value.decode() for header, value in output.headers if header == name), "unknown")


def _name(lane: LaneView) -> LaneName:
    return lane.agent, lane.partition


def _inputs(lane: LaneView) -> list[Partition]:
    return [Partition(topic, lane.partition) for topic in lane.topics]
