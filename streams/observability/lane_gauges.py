"""Gauges per partition. They appear when a lane appears, and go when it closes.

A gauge that stays after its partition moved to another worker shows an old lag forever, and alerts on it are
false. A lane that never ran has gauges too, so that alerts see it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import Gauge

from streams.observability.metrics import Metrics
from streams.records import Partition

LaneName = tuple[str, int]
"""An agent and a partition number."""


class LaneGauges:
    """Sets the gauges of lanes, and removes those of closed lanes.

    Args:
        metrics: The worker's metrics.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._series: dict[LaneName, set[tuple[Gauge, tuple[str, ...]]]] = {}

    def opened(self, lane: LaneName, inputs: Iterable[Partition], now_s: float) -> None:
        """Create the gauges of a lane that is new here. Its last commit counts as now, in Unix time."""
        if lane in self._series:
            return
        self.set(self._metrics.inputs_reset, lane, (lane[0], str(lane[1])), 0)
        for at in inputs:
            self.committed(lane, at, now_s)

    def closed(self, lane: LaneName) -> None:
        """Remove all gauges of a lane."""
        for gauge, labels in self._series.pop(lane, ()):
            gauge.remove(*labels)

    def committed(self, lane: LaneName, at: Partition, now_s: float) -> None:
        """Record a commit at a Unix time."""
        self.set(self._metrics.last_commit, lane, (at.topic, str(at.partition)), now_s)

    def lags(self, lane: LaneName, lags: Mapping[Partition, int]) -> None:
        """Record the lag of inputs in offsets."""
        for at, lag in lags.items():
            self.set(self._metrics.consumer_lag, lane, (at.topic, str(at.partition)), lag)

    def restoring(self, lane: LaneName, at: Partition, remaining: int) -> None:
        """Record how many records of a changelog are still to be read."""
        self.set(self._metrics.restore_remaining, lane, (at.topic, str(at.partition)), remaining)

    def table_sizes(self, lane: LaneName, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Record rows and bytes of the lane's tables."""
        for table, (rows, size) in sizes.items():
            self.set(self._metrics.state_rows, lane, (table, str(lane[1])), rows)
            self.set(self._metrics.state_bytes, lane, (table, str(lane[1])), size)

    def input_reset(self, lane: LaneName, waits: bool) -> None:
        """Record whether the lane waits because an input is another log."""
        self.set(self._metrics.inputs_reset, lane, (lane[0], str(lane[1])), waits)

    def states(self, agents: Iterable[str], lanes: Iterable[tuple[str, str]]) -> None:
        """Record how many lanes are in which state.

        Args:
            agents: The worker's agents; those without a lane count 0.
            lanes: Agent and state of each lane.
        """
        counts = Counter(lanes)
        self._metrics.lanes.clear()
        for agent in agents:
            self._metrics.lanes.labels(agent, "running").set(0)
        for (agent, state), count in counts.items():
            self._metrics.lanes.labels(agent, state).set(count)

    def set(self, gauge: Gauge, lane: LaneName, labels: tuple[str, ...], value: float) -> None:
        """Set a gauge, and remember that it is the lane's."""
        gauge.labels(*labels).set(value)
        self._series.setdefault(lane, set()).add((gauge, labels))
