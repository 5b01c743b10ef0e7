"""The current status of a worker as plain data. The monitor fills it; health and the status page read it."""

from dataclasses import dataclass, field
from typing import Any

from streams.inference.model_report import ModelReport
from streams.lanes.observer import LaneState
from streams.observability.dead_letter_rates import DeadLetterRates
from streams.observability.rate import Rate

# Seconds without membership that are no news: each rebalance has some.
_ABSENCE_S = 10.0


@dataclass
class LaneStatus:
    """The status of a lane. Counts are records."""

    agent: str
    topic: str
    partition: int
    state: LaneState = LaneState.OPENING
    records: int = 0
    lag: int | None = None
    restore_remaining: int | None = None
    last_error: str | None = None
    next_offsets: dict[str, int] = field(default_factory=dict)
    rate: Rate = field(default_factory=Rate)
    restore_rate: Rate = field(default_factory=Rate)

    @property
    def name(self) -> str:
        """Name of the lane, such as `enrich product-created-3`."""
        return f"{self.agent} {self.topic}-{self.partition}"

    def committed(self, records: int, now: float) -> None:
        """Record that a batch of `records` was committed at `now`, in monotonic seconds."""
        self.state = LaneState.RUNNING
        self.records += records
        self.rate.add(records, now)
        self.last_error = None

    def restored(self, records: int, remaining: int, now: float) -> None:
        """Record the progress of the restoration.

        Args:
            records: Changelog records read since the last call.
            remaining: Changelog records still to be read.
            now: Current time in monotonic seconds.
        """
        self.state = LaneState.RESTORING
        self.restore_remaining = remaining
        self.restore_rate.add(records, now)

    def unready_reason(self, now: float) -> str | None:
        """Return why the lane does not process records. None if it does. `now` is in monotonic seconds."""
        if self.state in (LaneState.RUNNING, LaneState.PAUSED, LaneState.CLOSED):
            return None
        if self.state is LaneState.RESTORING and self.restore_remaining is not None:
            rate = self.restore_rate.per_second(now)
            eta = f", ready in about {self.restore_remaining / rate:.0f} s" if rate > 0 else ""
            return f"{self.name} is restoring its state: {self.restore_remaining:,} records left{eta}"
        because = f": {self.last_error}" if self.last_error else ""
        return f"{self.name} is {self.state}{because}"


@dataclass
class DriftStatus:
    """The drift of this worker's listings and decisions from the model's reference.

    Attributes:
        listings: Decayed number of listings in the statistics.
        silent_why: Why no index is available. None if there are indices.
        features: Index and "stable", "moving" or "drifted" by feature, the largest index first.
    """

    listings: int
    silent_why: str | None
    features: dict[str, tuple[float, str]]

    def warnings(self) -> list[str]:
        """Return a sentence for each feature that has drifted."""
        return [
            f"{name} has drifted from the reference: population stability index {index:.2f}"
            for name, (index, level) in self.features.items()
            if level == "drifted"
        ]


@dataclass
class WorkerStatus:
    """The status of a worker. The fields are those of `/status.json`."""

    worker_id: str = ""
    version: str = ""
    agents: tuple[str, ...] = ()
    model_version: str = ""
    taxonomy_version: str = ""
    candidate_version: str = ""
    canary_share: float = 0.0
    shadow: dict[str, int] | None = None
    model_trouble: str | None = None
    model_unavailable: str | None = None
    started_at: str = ""
    joined: bool = False
    absent_s: float = 0.0
    misplaced: tuple[str, ...] = ()
    stopping: bool = False
    broker_error: str | None = None
    connection_problem: str | None = None
    fatal: str | None = None
    dead_letter_ceiling: bool = False
    dead_letters: dict[str, int] = field(default_factory=dict)
    dead_letter_rates: DeadLetterRates = field(default_factory=DeadLetterRates)
    expired: dict[str, int] = field(default_factory=dict)
    added_partitions: list[str] = field(default_factory=list)
    drift: DriftStatus | None = None
    lanes: dict[str, LaneStatus] = field(default_factory=dict)

    def lane(self, agent: str, topic: str, partition: int) -> LaneStatus:
        """Return the status of a lane. It is created at the first call."""
        lane = LaneStatus(agent, topic, partition)
        return self.lanes.setdefault(lane.name, lane)

    def update_models(self, report: ModelReport) -> None:
        """Take over the versions and the trial of a report."""
        self.model_version = report.model_version
        self.taxonomy_version = report.taxonomy_version
        self.candidate_version = report.candidate_version
        self.canary_share = report.canary_share
        self.shadow = None if report.shadow is None else report.shadow.as_dict()
        self.model_trouble = report.trouble
        self.model_unavailable = report.unavailable

    def unready_reasons(self, now: float) -> list[str]:
        """Return why the worker is not ready. Empty if it is. `now` is in monotonic seconds."""
        reasons = [reason for holds, reason in self._problems() if holds]
        return reasons + [reason for lane in self.lanes.values() if (reason := lane.unready_reason(now))]

    def _problems(self) -> tuple[tuple[bool, str], ...]:
        """Return what may be wrong with the worker as a whole, and whether it is."""
        misplaced = (
            f"no lane can work on {', '.join(self.misplaced)}: other inputs of the same lane were assigned"
            " to another worker; see the log"
        )
        absent = f"the worker is not a member of its consumer group since {self.absent_s:.0f} s"
        return (
            (self.fatal is not None, f"the worker failed: {self.fatal}"),
            (self.stopping, "the worker is stopping"),
            (self.connection_problem is not None, str(self.connection_problem)),
            (
                self.broker_error is not None and self.connection_problem is None,
                f"Kafka is unreachable: {self.broker_error}",
            ),
            (not self.joined, "the worker has not joined its consumer group yet"),
            (self.joined and self.absent_s > _ABSENCE_S, f"{absent}; it joins again by itself"),
            (bool(self.misplaced), misplaced),
            (self.model_unavailable is not None, str(self.model_unavailable)),
            (
                self.dead_letter_ceiling,
                "too many dead letters, the worker slows down: see `shelfstream dead-letters list`",
            ),
        )

    def warnings(self, now: float) -> list[str]:
        """Return problems that an operator should look at although the worker is ready.

        Args:
            now: Current time in monotonic seconds.
        """
        trouble = [] if self.model_trouble is None else [self.model_trouble]
        expired = [
            f"retention removed up to {count:,} records of {at} before they were read, and they are lost; to "
            "acknowledge: `shelfstream status --acknowledge`"
            for at, count in self.expired.items()
        ]
        letters = self.dead_letter_rates.warnings(now)
        drift = [] if self.drift is None else self.drift.warnings()
        return trouble + self.added_partitions + expired + letters + drift

    def as_json(self, now: float) -> dict[str, Any]:
        """Return all fields, readiness and lanes as data for JSON. `now` is in monotonic seconds."""
        lanes = []
        for lane in self.lanes.values():
            shown = {name: value for name, value in vars(lane).items() if not isinstance(value, Rate)}
            lanes.append(shown | {"rate": round(lane.rate.per_second(now), 1)})
        own = {name: value for name, value in vars(self).items() if name != "lanes"}
        own["dead_letter_rates"] = self.dead_letter_rates.rows(now)
        own["drift"] = None if self.drift is None else vars(self.drift)
        reasons = self.unready_reasons(now)
        return own | {
            "ready": not reasons,
            "reasons": reasons,
            "warnings": self.warnings(now),
            "lanes": lanes,
        }
