"""One run of the demo: streams the feed, waits until everything is processed, and updates the display."""

import time
from contextlib import ExitStack

from rich.console import Console
from rich.live import Live

from streams.demo.feed import Feed
from streams.demo.kafka_io import DemoKafka
from streams.demo.live_view import LiveView
from streams.demo.plain_output import EVERY_S, status_line
from streams.demo.process import DemoWorker
from streams.demo.reconciliation import all_processed
from streams.demo.terminal import print_line
from streams.demo.view_state import ViewState

DRAIN_S = 60.0
"""Seconds after the end of the stream within which everything must be processed."""

_INTERRUPTED_DRAIN_S = 10.0
_METRICS_EVERY_S = 1.0
_DRAW_EVERY_S = 0.25
_RECORDS_AT_ONCE = 2000


class DemoSession:
    """Streams a feed through a running worker.

    Args:
        console: Console for the live view or the plain output.
        worker: Running worker.
        kafka: Writer of the inputs and reader of the outputs.
        state: State to update and display.

    Attributes:
        stops: Number of calls of `stop`.
    """

    def __init__(self, console: Console, worker: DemoWorker, kafka: DemoKafka, state: ViewState) -> None:
        self.stops = 0
        self._console = console
        self._worker = worker
        self._kafka = kafka
        self._state = state
        self._live: Live | None = None
        self._metrics_read_at = self._drawn_at = float("-inf")

    def stop(self) -> None:
        """End the stream. A second call ends the waiting for the rest too."""
        self.stops += 1

    def run(self, feed: Feed) -> bool:
        """Stream the feed and wait until everything is processed.

        Args:
            feed: Records to send.

        Returns:
            Whether everything was processed and all balances are correct.

        Raises:
            StopWorker: The worker or the broker failed.
        """
        with ExitStack() as stack:
            if self._console.is_terminal and not self._console.is_dumb_terminal:
                live = Live(LiveView(self._state), console=self._console, auto_refresh=False, transient=True)
                self._live = stack.enter_context(live)
            self._stream(feed)
            return self._drain()

    def _stream(self, feed: Feed) -> None:
        self._state.stage = "streaming"
        start = time.monotonic()
        while not feed.finished and not self.stops:
            now = time.monotonic()
            self._state.elapsed_s = now - start
            for record in feed.due(self._state.elapsed_s, _RECORDS_AT_ONCE):
                self._kafka.write(record, now)
                self._state.shop_time = record.occurred_at or self._state.shop_time
            self._update(0.03)
        self._state.elapsed_s = time.monotonic() - start
        self._kafka.flush()

    def _drain(self) -> bool:
        """Wait for the records in flight, for a shorter time if the demo was stopped."""
        self._state.stage = "waiting for the rest"
        stops = self.stops
        deadline = time.monotonic() + (_INTERRUPTED_DRAIN_S if stops else DRAIN_S)
        while not all_processed(self._state.counters, self._state.worker_metrics):
            if time.monotonic() > deadline or self.stops > stops:
                return False
            self._update(0.1)
        self._show(time.monotonic())
        return True

    def _update(self, wait_s: float) -> None:
        """Read outputs, and read the worker's metrics and draw when it is time."""
        now = time.monotonic()
        self._kafka.read(wait_s, now)
        state = self._state
        state.now = now
        state.counters.pairs.tick(now)
        if now - self._metrics_read_at >= _METRICS_EVERY_S:
            self._metrics_read_at = now
            self._worker.check()
            state.worker_metrics = self._worker.metrics() or state.worker_metrics
        if now - self._drawn_at >= (EVERY_S if self._live is None else _DRAW_EVERY_S):
            self._show(now)

    def _show(self, now: float) -> None:
        self._drawn_at = now
        if self._live is not None:
            self._live.refresh()
        else:
            print_line(self._console, status_line(self._state))
