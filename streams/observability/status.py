"""What a worker is doing now, as plain data: lanes fill it, health and the live view read it."""

import math
from dataclasses import dataclass, field
from typing import Any

from streams.inference.model_report import ModelReport
from streams.lanes.observer import LaneState


class Rate:
    """Events per second, the recent ones weighing more: a weight halves every `half_life_s` seconds."""

    def __init__(self, half_life_s: float = 5.0) -> None:
        self._decay = math.log(2) / half_life_s
        self._weight = 0.0
        self._since: float | None = None
        self._at = 0.0

    def add(self, count: int, now: float) -> None:
        """Count events. `now` is any clock in seconds that never goes back."""
        if self._since is None:
            self._since = self._at = now
        self._weight = self._weight * math.exp(-self._decay * (now - self._at)) + count
        self._at = now

    def per_second(self, now: float) -> float:
        """The rate at `now`; 0 before anything was counted."""
        if self._since is None:
            return 0.0
        # The weight that a steady stream of 1 a second would have by now; the first second counts as whole,
        # or the first batch would look like a flood.
        steady = (1 - math.exp(-self._decay * max(now - self._since, 1.0))) / self._decay
        return self._weight * math.exp(-self._decay * (now - self._at)) / steady


@dataclass
class LaneStatus:
    """One lane: one agent on one partition of its input. Counts are records."""

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
        """How people call it, such as `enrich product-created-3`."""
        return f"{self.agent} {self.topic}-{self.partition}"

    def committed(self, records: int, now: float) -> None:
        """A batch of `records` was committed at `now` (monotonic seconds)."""
        self.state = LaneState.RUNNING
        self.records += records
        self.rate.add(records, now)
        self.last_error = None

    def restored(self, records: int, remaining: int, now: float) -> None:
        """`records` of the changelog were read; `remaining` are left."""
        self.state = LaneState.RESTORING
        self.restore_remaining = remaining
        self.restore_rate.add(records, now)

    def why_unready(self, now: float) -> str | None:
        """Why this lane does not do its work; None when it does."""
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
    """How far this worker's listings are from what the model was made for.

    `silent_why` says why nothing can be said; `features` are index and plain word by name, the worst first.
    """

    listings: int
    silent_why: str | None
    features: dict[str, tuple[float, str]]

    def warnings(self) -> list[str]:
        """A sentence for each feature that has drifted."""
        return [
            f"{name} has drifted from the training: population stability index {index:.2f}"
            for name, (index, word) in self.features.items()
            if word == "drifted"
        ]


@dataclass
class WorkerStatus:
    """The whole worker."""

    worker_id: str = ""
    version: str = ""
    agents: tuple[str, ...] = ()
    model_version: str = ""
    taxonomy_version: str = ""
    candidate_version: str = ""
    canary_share: float = 0.0
    shadow: dict[str, int] | None = None
    model_trouble: str | None = None
    started_at: str = ""
    joined: bool = False
    stopping: bool = False
    broker_error: str | None = None
    fatal: str | None = None
    dead_letter_ceiling: bool = False
    dead_letters: dict[str, int] = field(default_factory=dict)
    drift: DriftStatus | None = None
    lanes: dict[str, LaneStatus] = field(default_factory=dict)

    def lane(self, agent: str, topic: str, partition: int) -> LaneStatus:
        """The status of a lane; made at its first use."""
        lane = LaneStatus(agent, topic, partition)
        return self.lanes.setdefault(lane.name, lane)

    def judged_by(self, report: ModelReport) -> None:
        """What judges now."""
        self.model_version = report.model_version
        self.taxonomy_version = report.taxonomy_version
        self.candidate_version = report.candidate_version
        self.canary_share = report.canary_share
        self.shadow = None if report.shadow is None else report.shadow.as_dict()
        self.model_trouble = report.trouble

    def unready(self, now: float) -> list[str]:
        """Why the worker does not do its work; empty when it is ready. `now` in monotonic seconds."""
        reasons = [
            reason
            for holds, reason in (
                (self.fatal is not None, f"the worker failed: {self.fatal}"),
                (self.stopping, "the worker is stopping"),
                (self.broker_error is not None, f"Kafka is away: {self.broker_error}"),
                (not self.joined, "the worker has not joined its consumer group yet"),
                (
                    self.dead_letter_ceiling,
                    "too many dead letters, the worker slows down: look at `shelfstream dead-letters list`",
                ),
            )
            if holds
        ]
        return reasons + [why for lane in self.lanes.values() if (why := lane.why_unready(now))]

    def warnings(self) -> list[str]:
        """What somebody should look at although the worker does its work."""
        trouble = [] if self.model_trouble is None else [self.model_trouble]
        return trouble + ([] if self.drift is None else self.drift.warnings())

    def as_json(self, now: float) -> dict[str, Any]:
        """Everything, as data for JSON, with rates at `now`."""
        lanes = []
        for lane in self.lanes.values():
            shown = {name: value for name, value in vars(lane).items() if not isinstance(value, Rate)}
            lanes.append(shown | {"rate": round(lane.rate.per_second(now), 1)})
        own = {name: value for name, value in vars(self).items() if name != "lanes"}
        own["drift"] = None if self.drift is None else vars(self.drift)
        reasons = self.unready(now)
        return own | {"ready": not reasons, "reasons": reasons, "warnings": self.warnings(), "lanes": lanes}
