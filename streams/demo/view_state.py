"""The state that the demo displays."""

from dataclasses import dataclass, field
from datetime import datetime

from streams.demo.counters import DemoCounters
from streams.demo.worker_metrics import WorkerMetrics


@dataclass
class ViewState:
    """Everything that the live view and the plain output show.

    Attributes:
        counters: What the demo wrote and read.
        worker_metrics: The worker's latest report.
        now: Present time in seconds, of the clock of `counters`.
        elapsed_s: Seconds since the first record was sent.
        seconds: Planned duration in seconds; None if the demo runs until it is stopped.
        shop_time: Event time of the latest record sent.
        stage: What the demo does at present, such as "streaming".
    """

    counters: DemoCounters
    worker_metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    now: float = 0.0
    elapsed_s: float = 0.0
    seconds: float | None = None
    shop_time: datetime | None = None
    stage: str = ""
