"""`shelfstream worker`: runs agents until SIGTERM or SIGINT. The composition root of a worker."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NoReturn

import click
import msgspec
import structlog

from streams.admission import AdmissionWatch
from streams.agents.factory import AGENTS, WorkerAgents, create_agents
from streams.agents.view_follower import ViewFollower
from streams.app import LaneApp, build_app, exit_without_leaving
from streams.clients import consumer_options
from streams.inference.model_report import NO_MODELS
from streams.lane_runtime import agent_context
from streams.observability.logs import configure_logs, flush_repeated
from streams.observability.metrics import Metrics
from streams.observability.monitor import Monitor
from streams.observability.status import WorkerStatus
from streams.open_files import prepare as prepare_open_files
from streams.options import with_settings
from streams.program import new_loop, run_program
from streams.settings import Settings
from streams.state.worker_directory import WorkerDirectory
from streams.worker_services import GroupLost, HealthServices, WorkerServices
from streams.wrapping.processor import Adapter, unwrapping

log = structlog.get_logger()


def run_worker(settings: Settings, announce: Callable[[str], Any] = lambda line: None) -> None:
    """Run a worker until SIGTERM or SIGINT.

    The status page answers from the start: `/ready` says that the worker waits for Kafka.

    Args:
        settings: The validated settings.
        announce: Called with one line about the worker before it starts.

    Raises:
        StopWorker: Topics, model, library versions or directories are not usable; says what to do.
        GroupLost: The worker must be replaced by a new process.
    """
    with WorkerDirectory(settings.data_dir) as directory:
        worker_id = f"{socket.gethostname()}-{directory.number}"
        configure_logs(settings.log_format, settings.log_level, worker_id=worker_id)
        prepare_open_files(settings)
        status = WorkerStatus(
            worker_id=worker_id,
            version=version("shelfstream"),
            agents=settings.agents,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        monitor = Monitor(status, Metrics(), settings.dead_letter_burst)
        monitor.watch_models(NO_MODELS)
        for agent in settings.agents:
            monitor.metrics.partitions.labels(agent).set(settings.partitions)
        loop = new_loop()
        health = HealthServices(settings, monitor)
        try:
            moves = loop.run_until_complete(_wait_for_kafka(health))
        except asyncio.CancelledError:
            log.info("stopped while waiting for Kafka")
            return
        adapt = unwrapping(settings)
        agents = create_agents(settings, moves)
        if agents.serving is not None:
            monitor.watch_models(agents.serving.report())
        announce(f"worker {worker_id} runs {', '.join(settings.agents)} on {settings.bootstrap_servers}")
        _run(loop, settings, agents, adapt, directory, monitor, health)


async def _wait_for_kafka(health: HealthServices) -> bool:
    await health.start()
    return await health.wait_for_topics()


def _run(
    loop: asyncio.AbstractEventLoop,
    settings: Settings,
    agents: WorkerAgents,
    adapt: Adapter,
    directory: WorkerDirectory,
    monitor: Monitor,
    health: HealthServices,
) -> None:
    """Compose the application and run it in this thread until a signal or an error."""
    follower = None
    if agents.views:
        follower = ViewFollower(agents.views, consumer_options(settings), settings.partitions)
    context = agent_context(
        settings,
        agents.agents,
        state_dir=directory.path,
        observer=monitor,
        adapt=adapt,
        **({} if follower is None else {"before_restore": follower.ready}),
    )
    app = build_app(context, exit_or_restart)
    services = WorkerServices(app, settings, agents, follower, monitor, context.dead_letter_budget, health)
    run_program(loop, app, services, AdmissionWatch(settings, monitor.status, app.is_member))


def _restart(reason: GroupLost) -> NoReturn:
    """Execute the program again in the same process id. Locks and sockets are released."""
    log.error("restarting", reason=str(reason))
    flush_repeated(everything=True)
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
