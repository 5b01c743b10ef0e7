"""All that the demo shows at one moment."""

from dataclasses import dataclass, field
from datetime import datetime

from streams.demo.counters import Tally
from streams.demo.worker_metrics import Reading


@dataclass
class Scene:
    """All that the view shows.

    Attributes:
        tally: what was sent and read.
        reading: what the worker said last.
        now: seconds of the tally's clock.
        elapsed_s: seconds since the stream began.
        seconds: how long the stream takes; None: until it is stopped.
        shop_time: the event time that the stream has come to.
        stage: what is going on, in some words.
    """

    tally: Tally
    reading: Reading = field(default_factory=Reading)
    now: float = 0.0
    elapsed_s: float = 0.0
    seconds: float | None = None
    shop_time: datetime | None = None
    stage: str = ""
