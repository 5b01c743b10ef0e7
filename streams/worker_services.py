"""What a worker runs beside its lanes: HTTP server, broker probe, product view, models, membership watch."""

import asyncio
import signal
import time
from contextlib import suppress

import structlog
from mode import Service

from schemas.errors import RetryLater, ShelfstreamError
from streams.admission import verify_admission
from streams.agents.factory import WorkerAgents
from streams.agents.view_follower import ViewFollower
from streams.app import LaneApp
from streams.backoff import Backoff, TokenBucket
from streams.broker_probe import BrokerProbe
from streams.clients import consumer_options
from streams.connection_errors import NotAdmitted
from streams.credentials import read_api_token
from streams.faust_transport.membership import MembershipWatch
from streams.inference.model_report import NO_MODELS
from streams.lanes.committed_rows import LaneRows
from streams.observability.health import HealthServer
from streams.observability.logs import flush_repeated
from streams.observability.monitor import Monitor
from streams.observability.worker_record_writer import WorkerRecordWriter
from streams.pseudonym_keys import load_pseudonyms
from streams.reading.api import ReadApi, Source
from streams.reading.owners import Owners
from streams.replay.broker_admin import can_move_shoppers, verify_topics
from streams.replay.worker_records import WorkerRecord
from streams.settings import Settings
from streams.topics import workers

log = structlog.get_logger()

_TICK_S = 1.0
_START_PAUSE_MAX_S = 2.0


class GroupLost(ShelfstreamError):
    """The worker has left its consumer group and does not rejoin. A new process must replace it."""


class HealthServices:
    """What answers before the application starts and until the process ends: HTTP server and broker probe.

    Args:
        settings: The validated settings.
        monitor: Receives the observations.
    """

    def __init__(self, settings: Settings, monitor: Monitor) -> None:
        self._settings = settings
        self._monitor = monitor
        self.probe = BrokerProbe(settings)
        self.read_api: ReadApi | None = None
        if settings.has_read_api:
            self.read_api = ReadApi(lambda: read_api_token(settings))
        routes = () if self.read_api is None else self.read_api.routes()
        self.server = HealthServer(monitor.status, monitor.metrics, routes=routes)
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to answer.

        Raises:
            StopWorker: The address is in use or not available, or the token of the read API cannot be read.
        """
        if self.read_api is not None:
            read_api_token(self._settings)
        port = await self.server.start(self._settings.http_host, self._settings.http_port)
        if port is not None:
            log.info("status page", url=f"http://{self._settings.http_host}:{port}/")
        self.probe.start()
        self._watching = asyncio.create_task(self._watch_broker(), name="broker watch")

    async def wait_for_topics(self) -> bool:
        """Verify the topics. Wait without limit, until a signal, for a broker that lets the worker in.

        Returns:
            Whether there is the topic in which lanes of `sessions` move shoppers.

        Raises:
            StopWorker: Topics are missing or wrong, or a file of the settings cannot be used.
            asyncio.CancelledError: A signal came.
        """
        loop = asyncio.get_running_loop()
        waiting = asyncio.current_task()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, lambda: None if waiting is None else waiting.cancel())
        try:
            return await self._verify_topics()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def _verify_topics(self) -> bool:
        # Each attempt waits for an answer itself, so that the pauses can be short.
        backoff = Backoff(self._settings.retry_backoff_min_s, _START_PAUSE_MAX_S)
        while True:
            try:
                await asyncio.to_thread(verify_admission, self._settings)
                await asyncio.to_thread(verify_topics, self._settings)
                moves = "sessions" in self._settings.agents and await asyncio.to_thread(
                    can_move_shoppers, self._settings
                )
            except (RetryLater, NotAdmitted) as error:
                self._monitor.status.connection_problem = str(error)
                wait_s = backoff.next()
                log.warning("waiting for Kafka before the start", error=str(error), wait_s=round(wait_s, 1))
                await asyncio.sleep(wait_s)
            else:
                self._monitor.status.connection_problem = None
                return moves

    async def _watch_broker(self) -> None:
        while True:
            self._monitor.watch_broker(self.probe.reachability.unreachable_reason(time.monotonic()))
            flush_repeated()
            await asyncio.sleep(_TICK_S)

    async def stop_watching(self) -> None:
        """End the tasks of the event loop. The HTTP server answers until the process ends."""
        self.probe.stop()
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class WorkerServices(Service):
    """The services that start after the application and stop before it.

    Args:
        app: The application.
        settings: The validated settings.
        agents: The worker's agents.
        follower: Keeps the views up to date. None if no agent reads one.
        monitor: Receives the observations.
        dead_letter_budget: Dead letters that can be written now.
        health: The HTTP server and the probe, which run already.
    """

    def __init__(
        self,
        app: LaneApp,
        settings: Settings,
        agents: WorkerAgents,
        follower: ViewFollower | None,
        monitor: Monitor,
        dead_letter_budget: TokenBucket,
        health: HealthServices,
    ) -> None:
        super().__init__()
        self._dead_letter_budget = dead_letter_budget
        self._app = app
        self._settings = settings
        self._agents = agents
        self._follower = follower
        self._monitor = monitor
        self._health = health
        health.server.before_scrape = self._observe
        timeout_s = 4 * settings.session_timeout_s + settings.rebalance_timeout_s
        self._membership = MembershipWatch(timeout_s, time.monotonic())

    async def on_start(self) -> None:
        """Start the background tasks."""
        if self._follower is not None:
            self.add_future(self._follower.run())
        serving = self._agents.serving
        if serving is not None and serving.follow is not None:
            self.add_future(serving.follow())
        self._serve_reads()
        self.add_future(WorkerRecordWriter(self._settings, self._record).run())
        self.add_future(self._tick())

    async def on_stop(self) -> None:
        """Report that the worker stops, and why if it failed. Close the agents."""
        self._monitor.stopping(self._app.crash_reason)
        await self._health.stop_watching()
        self._agents.close()

    def _serve_reads(self) -> None:
        """Let the read API answer from this worker's lanes, and from those of others."""
        settings, api, queries = self._settings, self._health.read_api, self._agents.queries
        if api is None:
            return
        owners = Owners()
        records = ViewFollower({workers(settings): owners}, consumer_options(settings), settings.partitions)
        self.add_future(records.run())
        pseudonyms = load_pseudonyms(settings)
        api.source = Source(
            queries,
            self._rows,
            owners,
            settings.partitions,
            lambda name: (name,) if pseudonyms is None else pseudonyms.names(name),
        )

    def _rows(self, agent: str, partition: int) -> LaneRows | None:
        """Return the rows of a lane; None if another worker has it."""
        lane = self._app.lanes.find(agent, partition)
        return None if lane is None else LaneRows(lane)

    def _partitions(self) -> dict[str, list[int]]:
        """Return the partitions of this worker by agent."""
        partitions: dict[str, list[int]] = {}
        for lane in self._app.lanes:
            partitions.setdefault(lane.agent, []).append(lane.partition)
        return {agent: sorted(numbers) for agent, numbers in sorted(partitions.items())}

    def _record(self) -> WorkerRecord:
        """Return what other programs are to know about this worker."""
        serving, status = self._agents.serving, self._monitor.status
        models = NO_MODELS if serving is None else serving.report()
        return WorkerRecord(
            worker_id=status.worker_id,
            member_id=self._app.member_id(),
            agents=status.agents,
            model_version=models.model_version,
            candidate_version=models.candidate_version,
            trouble=models.trouble,
            partitions=self._partitions() if self._settings.has_read_api else {},
            url=self._settings.advertised_url or "",
        )

    async def _tick(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(_TICK_S)
            self._observe()
            await self._watch_membership(time.monotonic())

    async def _watch_membership(self, now: float) -> None:
        """Crash a worker that cannot rejoin its group although Kafka answers. A new process will join."""
        failure = self._app.consumer_failure()
        if failure is not None:
            await self._app.crash(GroupLost(f"{failure}; a restart helps"))
            return
        if self._health.probe.reachability.unreachable_reason(now) is not None:
            self._membership.reset(now)
        lost = self._membership.lost(self._app.is_member(), now)
        self._monitor.watch_membership(self._membership.absent_s(now))
        if lost:
            await self._app.crash(
                GroupLost(
                    f"not a member of the group {self._settings.app_id} for"
                    f" {self._membership.timeout_s:.0f} s, although Kafka answers; a restart helps, unless"
                    " the broker refuses the worker's settings: see the log above"
                )
            )

    def _observe(self) -> None:
        """Update the gauges of the dead-letter budget, the models, agents, lanes, lag and state."""
        self._monitor.watch_dead_letters(self._dead_letter_budget)
        if self._agents.serving is not None:
            self._monitor.watch_models(self._agents.serving.report())
        self._monitor.watch_agents(self._agents.totals)
        self._monitor.watch_buffers(self._app.buffered_bytes)
        self._monitor.watch_lanes(self._app.lanes.misplaced)
        for lane, lags in self._app.lags():
            self._monitor.watch_lag(lane, lags)
            self._monitor.watch_state(lane)
