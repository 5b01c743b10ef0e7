"""`shelfstream worker`: runs agents until SIGTERM or SIGINT. The composition root of a worker."""

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
    """The worker has left its consumer group and does not rejoin. A new process must replace it."""


class WorkerServices(Service):
    """The services beside the lanes: HTTP server, product view, model reloader, and the membership watch.

    Args:
        app: The application.
        settings: The validated settings.
        agents: The worker's agents.
        follower: Keeps the product view up to date. None if no agent reads it.
        monitor: Receives the observations.
        dead_letter_budget: Dead letters that can be written now.
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
        self._health = HealthServer(monitor.status, monitor.metrics, self._observe)
        timeout_s = 4 * settings.session_timeout_s + settings.rebalance_timeout_s
        self._membership = MembershipWatch(timeout_s, time.monotonic())

    async def on_start(self) -> None:
        """Start the HTTP server and the background tasks."""
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
        """Stop the HTTP server and close the agents."""
        self._monitor.stopping()
        await self._health.stop()
        self._agents.close()

    async def _tick(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(1.0)
            self._observe()
            await self._watch_membership()

    async def _watch_membership(self) -> None:
        """Crash a worker that does not rejoin its group although Kafka answers. A new process will join."""
        if not self._membership.lost(self._app.is_member(), time.monotonic()):
            return
        try:
            await asyncio.to_thread(verify_topics, self._settings)
        except RetryLater as error:
            self._monitor.broker_unreachable(error)
            self._membership.reset(time.monotonic())
        else:
            await self._app.crash(
                GroupLost(
                    f"not a member of the group {self._settings.app_id} for"
                    f" {self._membership.timeout_s:.0f} s, although Kafka answers; a restart helps, unless"
                    " the broker refuses the worker's settings: see the log above"
                )
            )

    def _observe(self) -> None:
        """Update the gauges of the dead-letter budget, the models, lag and state."""
        self._monitor.watch_dead_letters(self._dead_letter_budget)
        if self._agents.serving is not None:
            self._monitor.watch_models(self._agents.serving.report())
        self._monitor.watch_buffers(self._app.buffered_bytes)
        for lane, lags in self._app.lags():
            self._monitor.watch_lag(lane, lags)
            self._monitor.watch_state(lane)


def run_worker(settings: Settings, announce: Callable[[str], Any] = lambda line: None) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Args:
        settings: The validated settings.
        announce: Called with one line about the worker before it starts.

    Raises:
        StopWorker: Topics, model, library versions or directories are not usable; says what to do.
        GroupLost: The worker must be replaced by a new process.
    """
    _verify_topics(settings)
    agents = create_agents(settings)
    with WorkerDirectory(settings.data_dir) as directory:
        worker_id = f"{socket.gethostname()}-{directory.number}"
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
        _run(settings, agents, directory, monitor)


def _verify_topics(settings: Settings) -> None:
    """Verify the topics. Waits without limit for a broker that does not answer."""
    backoff = Backoff(settings.retry_backoff_min_s, settings.retry_backoff_max_s)
    while True:
        try:
            verify_topics(settings)
        except RetryLater as error:
            wait_s = backoff.next()
            log.warning("Kafka is unreachable, waiting", error=str(error), wait_s=round(wait_s, 1))
            time.sleep(wait_s)
        else:
            return


def _run(settings: Settings, agents: WorkerAgents, directory: WorkerDirectory, monitor: Monitor) -> None:
    """Compose the application and run it in this thread until a signal or an error."""
    loop = new_loop()
    follower = None
    if agents.product_view is not None:
        follower = ProductViewFollower(agents.product_view, consumer_options(settings), settings.partitions)
    context = agent_context(
        settings,
        agents.agents,
        state_dir=directory.path,
        observer=monitor,
        **({} if follower is None else {"before_restore": follower.ready}),
    )
    app = build_app(context, exit_or_restart)
    services = WorkerServices(app, settings, agents, follower, monitor, context.dead_letter_budget)
    run_program(loop, app, services)


def _restart(reason: GroupLost) -> NoReturn:
    """Execute the program again in the same process id. Locks and sockets are released."""
    log.error("restarting", reason=str(reason))
    os.execv(sys.executable, [sys.executable, "-m", "streams", *sys.argv[1:]])


def exit_or_restart(app: LaneApp) -> None:
    """End a worker whose shutdown timed out. Restarts it if its group lost it, and exits otherwise."""
    if isinstance(app.crash_reason, GroupLost):
        _restart(app.crash_reason)
    exit_without_leaving(app)


def _with_agents(settings: Settings, names: str) -> Settings:
    chosen = tuple(name.strip() for name in names.split(","))
    unknown = [name for name in chosen if name not in AGENTS]
    if unknown:
        raise click.BadParameter(f"unknown agents: {', '.join(unknown)}; known agents: {', '.join(AGENTS)}")
    return msgspec.structs.replace(settings, agents=tuple(name for name in AGENTS if name in chosen))


@click.command("worker")
@with_settings
@click.option("--agents", "names", help="Agents to run, comma-separated. Default: the setting `agents`.")
def worker(settings: Settings, names: str | None) -> None:
    """Run agents until SIGTERM or Ctrl-C."""
    if names is not None:
        settings = _with_agents(settings, names)
    configure_logs(settings.log_format, settings.log_level, worker_id=str(os.getpid()))
    try:
        run_worker(settings, lambda line: click.echo(line, file=sys.stderr))
    except GroupLost as error:
        _restart(error)
