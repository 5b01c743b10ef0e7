"""`shelfstream demo`: a real shop through a real worker on the embedded broker, with a live view."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.live import Live

from schemas.errors import ShelfstreamError, StopWorker
from schemas.events import ProductCreated, UserBehavior
from streams.demo.counters import Tally
from streams.demo.feed import Feed, Group, Pace, later, scattered, shop_groups
from streams.demo.injected_events import make_incidents
from streams.demo.kafka_io import Wire
from streams.demo.live_view import LiveView
from streams.demo.plain_output import EVERY_S, line
from streams.demo.process import DemoWorker
from streams.demo.reconciliation import accounts, settled
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.demo.summary import summary
from streams.demo.view_state import Scene
from streams.embedded import EmbeddedBroker

SETTLE_S = 60.0
"""How long after the stream's end everything may take to come out, in seconds."""

_HURRIED_S = 10.0
_LOOK_EVERY_S = 1.0
_DRAW_EVERY_S = 0.25
_AT_ONCE = 2000
_PLAIN_WIDTH = 120
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Shop:
    """The sample shop as groups of records; told from the beginning, as often as wanted."""

    def __init__(self) -> None:
        self.products: Sequence[ProductCreated] = list(iter_products())
        self.purchases: Sequence[UserBehavior] = list(iter_baskets())
        self._incidents = make_incidents(self.products, self.purchases).records
        self.records = len(self.products) + len(self.purchases) + len(self._incidents)

    def groups(self, for_ever: bool) -> Iterator[Group]:
        """The shop and its incidents; then, if `for_ever`, the shop again and again, later each time."""
        groups = len(self.products) + len({each.session_id for each in self.purchases})
        start, step = groups * 7 // 10, max(1, groups // 30)
        yield from scattered(shop_groups(self.products, self.purchases), self._incidents, start, step)
        turn = 1
        while for_ever:
            yield from shop_groups(*later(self.products, self.purchases, turn))
            turn += 1


class Demo:
    """One run of the demo.

    Args:
        console: where everything is shown.
        worker: the worker, running.
        wire: the ends of the topics.
        scene: what is shown.
    """

    def __init__(self, console: Console, worker: DemoWorker, wire: Wire, scene: Scene) -> None:
        self.stops = 0
        self._console = console
        self._worker = worker
        self._wire = wire
        self._scene = scene
        self._live: Live | None = None
        self._looked_at = self._drawn_at = float("-inf")

    def stop(self) -> None:
        """End the stream; called again, end the waiting too."""
        self.stops += 1

    def run(self, feed: Feed) -> bool:
        """Stream and wait until everything came out.

        Returns:
            Whether everything came out and adds up.

        Raises:
            StopWorker: the worker or the broker failed.
        """
        with ExitStack() as stack:
            if self._console.is_terminal and not self._console.is_dumb_terminal:
                live = Live(LiveView(self._scene), console=self._console, auto_refresh=False, transient=True)
                self._live = stack.enter_context(live)
            self._stream(feed)
            return self._settle()

    def _stream(self, feed: Feed) -> None:
        self._scene.stage = "streaming"
        start = time.monotonic()
        while not feed.finished and not self.stops:
            now = time.monotonic()
            self._scene.elapsed_s = now - start
            for record in feed.due(self._scene.elapsed_s, _AT_ONCE):
                self._wire.write(record, now)
                self._scene.shop_time = record.occurred_at or self._scene.shop_time
            self._turn(0.03)
        self._scene.elapsed_s = time.monotonic() - start
        self._wire.flush()

    def _settle(self) -> bool:
        """Wait for what is still under way; less patiently if somebody asked to stop."""
        self._scene.stage = "waiting for the rest"
        hurried = self.stops
        deadline = time.monotonic() + (_HURRIED_S if hurried else SETTLE_S)
        while not settled(self._scene.tally, self._scene.reading):
            if time.monotonic() > deadline or self.stops > hurried:
                return False
            self._turn(0.1)
        self._show(time.monotonic())
        return True

    def _turn(self, wait_s: float) -> None:
        """Read, look at the worker, and show, each when it is time."""
        now = time.monotonic()
        self._wire.read(wait_s, now)
        scene = self._scene
        scene.now = now
        scene.tally.pairs.tick(now)
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._worker.check()
            scene.reading = self._worker.reading() or scene.reading
        if now - self._drawn_at >= (EVERY_S if self._live is None else _DRAW_EVERY_S):
            self._show(now)

    def _show(self, now: float) -> None:
        self._drawn_at = now
        if self._live is not None:
            self._live.refresh()
        else:
            print_line(self._console, line(self._scene))


def print_line(console: Console, text: str) -> None:
    """Print a line as it is, however long."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def on_signals(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the signals that ask to stop, instead of ending at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        act()

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_console() -> Console:
    """The console on standard output; what its encoding cannot say is replaced, and files get room."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def run_demo(console: Console, seconds: float, keep_running: bool) -> bool:
    """Run the demo.

    Args:
        console: where everything is shown.
        seconds: how long the shop takes to stream.
        keep_running: whether to stream it again and again until a signal comes.

    Returns:
        Whether everything came out and adds up.

    Raises:
        ShelfstreamError: the worker or the broker failed; the message names the kept log.
    """
    with tempfile.TemporaryDirectory(prefix="shelfstream-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            return _run_in(folder, console, seconds, keep_running)
        except ShelfstreamError as error:
            raise StopWorker(f"{error}{_kept(folder)}") from error


def _run_in(folder: Path, console: Console, seconds: float, keep_running: bool) -> bool:
    print_line(console, "starting a broker inside this process, and a worker ...")
    began = time.monotonic()
    scene = Scene(Tally(), seconds=None if keep_running else seconds)
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        wire = stack.enter_context(Wire(broker.bootstrap, scene.tally))
        worker = stack.enter_context(DemoWorker(broker.bootstrap, folder))
        demo = Demo(console, worker, wire, scene)
        stack.enter_context(on_signals(demo.stop))
        shop = Shop()
        if not _ready(worker, demo, console):
            return True
        print_line(
            console,
            f"ready after {time.monotonic() - began:.0f} s: {len(shop.products):,} listings and"
            f" {len(shop.purchases):,} purchases of a real shop",
        )
        print_line(console, f"the worker's status page: {worker.url}")
        complete = demo.run(Feed(shop.groups(keep_running), Pace(shop.records, seconds)))
        if not complete and demo.stops < 2:
            scene.reading = worker.reading() or scene.reading
        sums = accounts(scene.tally, scene.reading)
        console.print(summary(scene.tally, sums, scene.elapsed_s, scene.reading.cpu_s, console.width))
        if not complete and not demo.stops:
            raise StopWorker(
                f"Not everything had come out {SETTLE_S:.0f} s after the stream's end: see the sums marked ✗."
            )
        return True


def _ready(worker: DemoWorker, demo: Demo, console: Console) -> bool:
    """Wait for the worker; False if somebody asked to stop meanwhile."""

    def meanwhile() -> None:
        if demo.stops:
            raise KeyboardInterrupt

    try:
        worker.wait_ready(meanwhile)
    except KeyboardInterrupt:
        print_line(console, "stopped before anything was streamed")
        return False
    return True


def _kept(folder: Path) -> str:
    """Keep the worker's log where it can be read after the demo; says where."""
    log = folder / "worker.log"
    if not log.exists():
        return ""
    with tempfile.NamedTemporaryFile(prefix="shelfstream-demo-", suffix=".log", delete=False) as kept:
        shutil.copyfile(log, kept.name)
    return f"\nThe worker's whole log: {kept.name}"


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1, max=3600),
    default=45.0,
    show_default=True,
    help="How long the shop takes to stream.",
)
@click.option("--keep-running", is_flag=True, help="Stream it again and again, until Ctrl-C.")
def demo(seconds: float, keep_running: bool) -> None:
    """Stream a real shop through a real worker, and watch. Needs no Kafka; ends by itself."""
    try:
        run_demo(make_console(), seconds, keep_running)
    except ShelfstreamError as error:
        raise click.ClickException(str(error)) from error
