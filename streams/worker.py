"""`shelfstream worker`: runs agents until it is told to stop."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NoReturn

import click
import msgspec
import structlog
from mode import Service

from schemas.errors import RetryLater, ShelfstreamError
from streams.agents.factory import AGENTS, WorkerAgents, create_agents
from streams.agents.product_view import ProductViewFollower
from streams.app import LaneApp, build_app, exit_without_leaving
from streams.backoff import Backoff, TokenBucket
from streams.clients import consumer_options
from streams.faust_transport.membership import MembershipWatch
from streams.inference.model_report import NO_MODELS
from streams.lane_runtime import agent_context
from streams.observability.health import HealthServer
from streams.observability.logs import configure_logs
from streams.observability.metrics import Metrics
from streams.observability.monitor import Monitor
from streams.observability.status import WorkerStatus
from streams.options import with_settings
from streams.program import new_loop, run_program
from streams.replay.broker_admin import verify_topics
from streams.settings import Settings
from streams.state.worker_directory import WorkerDirectory

log = structlog.get_logger()


class GroupLost(ShelfstreamError):
    """The consumer group has lost this worker for good; a new program must take its place."""


class Surroundings(Service):
    """What runs beside the lanes: the HTTP server, the product_view view and the watch over lag and budget.

    Args:
        app: the application.
        settings: the validated settings.
        agents: the worker's agents.
        follower: keeps the product_view view up to date, where an agent reads it.
        monitor: where observations go.
        dead_letter_budget: How many dead letters may be written.
    """

    def __init__(
        self,
        app: LaneApp,
        settings: Settings,
        agents: WorkerAgents,
        follower: ProductViewFollower | None,
        monitor: Monitor,
        dead_letter_budget: TokenBucket,
    ) -> None:
        super().__init__()
        self._dead_letter_budget = dead_letter_budget
        self._app = app
        self._settings = settings
        self._agents = agents
        self._follower = follower
        self._monitor = monitor
        self._health = HealthServer(monitor.status, monitor.metrics, self._watch)
        patience_s = 4 * settings.session_timeout_s + settings.rebalance_timeout_s
        self._membership = MembershipWatch(patience_s, time.monotonic())

    async def on_start(self) -> None:
        """Listen, and begin to follow the product_view."""
        settings = self._settings
        port = await self._health.start(settings.http_host, settings.http_port)
        if port is not None:
            log.info("status page", url=f"http://{settings.http_host}:{port}/")
        if self._follower is not None:
            self.add_future(self._follower.run())
        serving = self._agents.serving
        if serving is not None and serving.follow is not None:
            self.add_future(serving.follow())
        self.add_future(self._tick())

    async def on_stop(self) -> None:
        """Stop listening."""
        self._monitor.status.stopping = True
        await self._health.stop()
        self._agents.close()

    async def _tick(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(1.0)
            self._watch()
            await self._watch_membership()

    async def _watch_membership(self) -> None:
        """Stop a worker that its group has lost although Kafka answers: started anew, it will join again."""
        if not self._membership.lost(self._app.is_member(), time.monotonic()):
            return
        try:
            await asyncio.to_thread(verify_topics, self._settings)
        except RetryLater as error:
            self._monitor.status.broker_error = str(error)
            self._membership.forgive(time.monotonic())
        else:
            await self._app.crash(
                GroupLost(
                    f"no member of the group {self._settings.app_id} for {self._membership.patience_s:.0f} s,"
                    " although Kafka answers; starting the worker anew helps, unless the broker refuses its"
                    " settings: see the log above"
                )
            )

    def _watch(self) -> None:
        self._monitor.watch_dead_letters(self._dead_letter_budget)
        if self._agents.serving is not None:
            self._monitor.watch_models(self._agents.serving.report())
        self._monitor.metrics.in_flight.set(self._app.buffered_bytes)
        for lane, lags in self._app.lags():
            self._monitor.watch_lag(lane, lags)
            self._monitor.watch_state(lane)


def run_worker(settings: Settings, announce: Callable[[str], Any] = lambda line: None) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Args:
        settings: the validated settings.
        announce: told in one line what the worker is about to do.

    Raises:
        StopWorker: topics, model, versions or folders don't fit; the message says what to do.
    """
    _verify_topics(settings)
    agents = create_agents(settings)
    with WorkerDirectory(settings.data_dir) as slot:
        worker_id = f"{socket.gethostname()}-{slot.number}"
        configure_logs(settings.log_format, settings.log_level, worker_id=worker_id)
        status = WorkerStatus(
            worker_id=worker_id,
            version=version("shelfstream"),
            agents=settings.agents,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        monitor = Monitor(status, Metrics())
        monitor.watch_models(agents.serving.report() if agents.serving is not None else NO_MODELS)
        announce(f"worker {worker_id} runs {', '.join(settings.agents)} on {settings.bootstrap_servers}")
        _run(settings, agents, slot, monitor)


def _verify_topics(settings: Settings) -> None:
    """Check the topics, waiting for a broker that is not there yet for as long as it takes."""
    backoff = Backoff(settings.retry_backoff_min_s, settings.retry_backoff_max_s)
    while True:
        try:
            verify_topics(settings)
        except RetryLater as error:
            wait_s = backoff.next()
            log.warning("Kafka is away; waiting", error=str(error), wait_s=round(wait_s, 1))
            time.sleep(wait_s)
        else:
            return


def _run(settings: Settings, agents: WorkerAgents, slot: WorkerDirectory, monitor: Monitor) -> None:
    """Wire the application and give it this thread until a signal or an error ends it."""
    loop = new_loop()
    follower = None
    if agents.product_view is not None:
        follower = ProductViewFollower(agents.product_view, consumer_options(settings), settings.partitions)
    context = agent_context(
        settings,
        agents.agents,
        state_dir=slot.path,
        observer=monitor,
        **({} if follower is None else {"before_restore": follower.ready}),
    )
    app = build_app(context, leave_or_start_anew)
    surroundings = Surroundings(app, settings, agents, follower, monitor, context.dead_letter_budget)
    run_program(loop, app, surroundings)


def _start_anew(reason: GroupLost) -> NoReturn:
    """Run the program again in the same process: a supervisor sees no failure; locks and sockets end."""
    log.error("starting anew", reason=str(reason))
    os.execv(sys.executable, [sys.executable, "-m", "streams", *sys.argv[1:]])


def leave_or_start_anew(app: LaneApp) -> None:
    """A lost worker starts anew even where its client hangs while it stops; any other leaves."""
    if isinstance(app.crash_reason, GroupLost):
        _start_anew(app.crash_reason)
    exit_without_leaving(app)


def _with_agents(settings: Settings, names: str) -> Settings:
    chosen = tuple(name.strip() for name in names.split(","))
    unknown = [name for name in chosen if name not in AGENTS]
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(AGENTS)}")
    return msgspec.structs.replace(settings, agents=tuple(name for name in AGENTS if name in chosen))


@click.command("worker")
@with_settings
@click.option(
    "--agents", "names", help="Comma-separated: enrich, sessions, affinity. The setting `agents` by default."
)
def worker(settings: Settings, names: str | None) -> None:
    """Run agents until told to stop (SIGTERM or Ctrl-C)."""
    if names is not None:
        settings = _with_agents(settings, names)
    configure_logs(settings.log_format, settings.log_level, worker_id=str(os.getpid()))
    try:
        run_worker(settings, lambda line: click.echo(line, file=sys.stderr))
    except GroupLost as error:
        _start_anew(error)
