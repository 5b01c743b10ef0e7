"""A deployment on a cluster whose topics, offsets and state are damaged on purpose."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from models.behavior.parameters import BehaviorParameters
from schemas.events import UserBehavior
from streams.topics import SHOPPER_UPDATED, USER_BEHAVIOR
from tests.chaos.audit import AuditResult
from tests.chaos.fault_result import FaultResult
from tests.chaos.readiness_log import ReadinessLog
from tests.chaos.shop_visits import Shop, audit_visits, keyed
from tests.support.deployment import Deployment
from tests.support.kafka_cluster import SIZE, KafkaCluster
from tests.support.worker_process import WorkerProcess

GROUP = "shelfstream"
BOUND = 3_000
PARAMETERS = BehaviorParameters(neighbors=BOUND)
WITHIN_S = 240.0


class SilentFault(Exception):
    """No worker reported the fault in time."""


class ClusterScene:
    """New topics on a cluster, and workers, until the `with` block ends.

    Args:
        cluster: The running cluster. All its topics are deleted.
        folder: The directory for state and logs.
        agents: The agents of the workers.
        settings: Further settings of the workers.

    Attributes:
        shop: The source of events.
        fed: The events that must be processed, in order.
        removed: Events that need not be: Kafka removed them, or the operator chose so.
    """

    def __init__(
        self, cluster: KafkaCluster, folder: Path, agents: str = "sessions,affinity", **settings: object
    ) -> None:
        cluster.delete_everything(GROUP)
        self.cluster = cluster
        self.shop = Shop()
        self.fed: list[UserBehavior] = []
        self.removed = 0
        self._agents = agents
        self._telling = ""
        self.deployment = Deployment(
            cluster.bootstrap,
            folder,
            affinity_bound=BOUND,
            batch_max_records=200,
            replication_factor=SIZE,
            cascade=False,
            **settings,
        )
        self._readiness = ReadinessLog(lambda: [worker for worker in self.deployment.workers if worker.alive])

    def __enter__(self) -> Self:
        self.deployment.__enter__()
        self._readiness.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readiness.finish()
        self.deployment.__exit__(kind, error, trace)

    def feed(self, count: int) -> list[UserBehavior]:
        """Write the next events of the shop."""
        events = self.shop.events(count)
        self.deployment.produce(USER_BEHAVIOR, keyed(events))
        return events

    def feed_expected(self, count: int) -> None:
        """Write the next events of the shop, and expect that they are processed."""
        self.fed += self.feed(count)

    def start_worker(self, on_topic_recreated: str = "stop", *, ready: bool = True) -> WorkerProcess:
        """Start a worker.

        Args:
            on_topic_recreated: The operator's choice.
            ready: Whether to wait until it is ready.
        """
        self.deployment.environment["SHELFSTREAM_ON_TOPIC_RECREATED"] = on_topic_recreated
        worker = self.deployment.worker(self._agents)
        if ready:
            worker.wait_ready()
        return worker

    def work(self, count: int) -> None:
        """Start a worker, and let it process the next events of the shop."""
        self.start_worker()
        self.feed_expected(count)
        self.wait_processed()

    def stop_workers(self) -> None:
        """Stop all workers in good order."""
        for worker in self.deployment.workers:
            if worker.alive:
                worker.stop()

    def wait_processed(self) -> bool:
        """Wait until everything that is in the topics is processed. Returns False if that takes too long."""
        deadline = time.monotonic() + WITHIN_S
        while not self.deployment.processed():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
        return True

    def fault_begins(self) -> None:
        """Forget what workers said until now."""
        self._readiness.clear()

    def wait_reported(self, words: str) -> None:
        """Wait until a worker's `/ready` says these words.

        Raises:
            SilentFault: No worker says them in time.
        """
        deadline = time.monotonic() + WITHIN_S
        while not any(words in line for line in self._readiness.lines()):
            if time.monotonic() > deadline:
                raise SilentFault(f"no worker said {words!r}, but: {self._readiness.lines()}")
            time.sleep(0.2)
        self._telling = words

    def result(self, fault: str, choice: str = "") -> FaultResult:
        """Wait until everything is processed, and compare."""
        processed = self.wait_processed()
        # What was waited for comes first: the table shows one line.
        reported = sorted(self._readiness.lines(), key=lambda line: self._telling not in line)
        return FaultResult(fault, self.audit(), self.removed, choice, reported=reported, processed=processed)

    def audit(self) -> AuditResult:
        """Compare what was published and stored with the events that must have been processed."""
        read = self.deployment.read
        return audit_visits(
            read(SHOPPER_UPDATED),
            read(f"{GROUP}-affinities-changelog"),
            read(f"{GROUP}-shoppers-changelog"),
            self.fed,
            PARAMETERS,
        )
