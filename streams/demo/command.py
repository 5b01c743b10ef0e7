"""`shelfstream demo`: stream a sample shop through a worker on the embedded broker, with a live view."""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from schemas.errors import ShelfstreamError, StopWorker
from streams.demo.counters import DemoCounters
from streams.demo.feed import Feed, Pace
from streams.demo.kafka_io import DemoKafka
from streams.demo.process import DemoWorker
from streams.demo.reconciliation import reconcile
from streams.demo.session import DRAIN_S, DemoSession
from streams.demo.shop_feed import ShopFeed
from streams.demo.summary import summary
from streams.demo.terminal import make_console, on_stop_signals, print_line
from streams.demo.view_state import ViewState
from streams.embedded import EmbeddedBroker


def run_demo(console: Console, seconds: float, keep_running: bool) -> None:
    """Run the demo in a temporary directory, which is removed at the end.

    Args:
        console: Console for all output.
        seconds: Seconds in which the shop is streamed.
        keep_running: Whether to repeat the shop until a signal comes.

    Raises:
        ShelfstreamError: The worker or the broker failed, or records are missing. The message names a copy of
            the worker's log.
    """
    with tempfile.TemporaryDirectory(prefix="shelfstream-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            _run_in(folder, console, seconds, keep_running)
        except ShelfstreamError as error:
            raise StopWorker(f"{error}{_keep_log(folder)}") from error


def _run_in(folder: Path, console: Console, seconds: float, keep_running: bool) -> None:
    print_line(console, "starting an embedded broker and a worker ...")
    started = time.monotonic()
    state = ViewState(DemoCounters(), seconds=None if keep_running else seconds)
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        kafka = stack.enter_context(DemoKafka(broker.bootstrap, state.counters))
        worker = stack.enter_context(DemoWorker(broker.bootstrap, folder))
        session = DemoSession(console, worker, kafka, state)
        stack.enter_context(on_stop_signals(session.stop))
        shop = ShopFeed()
        if not _wait_ready(worker, session, console):
            return
        print_line(
            console,
            f"ready after {time.monotonic() - started:.0f} s: {len(shop.products):,} listings and"
            f" {len(shop.purchases):,} purchases of a real shop",
        )
        print_line(console, f"the worker's status page: {worker.url}")
        complete = session.run(Feed(shop.groups(keep_running), Pace(shop.records, seconds)))
        if not complete and session.stops < 2:
            state.worker_metrics = worker.metrics() or state.worker_metrics
        balances = reconcile(state.counters, state.worker_metrics)
        cpu_s = state.worker_metrics.cpu_s
        console.print(summary(state.counters, balances, state.elapsed_s, cpu_s, console.width))
        if not complete and not session.stops:
            raise StopWorker(
                f"Records are missing {DRAIN_S:.0f} s after the end of the stream: see the topics marked ✗."
            )


def _wait_ready(worker: DemoWorker, session: DemoSession, console: Console) -> bool:
    """Wait until the worker is ready. Return False if the demo is stopped before."""

    def raise_if_stopped() -> None:
        if session.stops:
            raise KeyboardInterrupt

    try:
        worker.wait_ready(raise_if_stopped)
    except KeyboardInterrupt:
        print_line(console, "stopped before anything was streamed")
        return False
    return True


def _keep_log(folder: Path) -> str:
    """Copy the worker's log out of the temporary directory. Return a line that names the copy."""
    log = folder / "worker.log"
    if not log.exists():
        return ""
    with tempfile.NamedTemporaryFile(prefix="shelfstream-demo-", suffix=".log", delete=False) as copy:
        shutil.copyfile(log, copy.name)
    return f"\nThe worker's whole log: {copy.name}"


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1, max=3600),
    default=45.0,
    show_default=True,
    help="Seconds in which the shop is streamed.",
)
@click.option("--keep-running", is_flag=True, help="Repeat the shop until Ctrl-C.")
def demo(seconds: float, keep_running: bool) -> None:
    """Stream a real shop through a worker, with a live view. Needs no Kafka and ends by itself."""
    try:
        run_demo(make_console(), seconds, keep_running)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
