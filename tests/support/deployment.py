"""A deployment as an operator runs it: a Kafka, topics created by command, workers as processes."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.support.committed import committed_records
from tests.support.worker_process import Status, WorkerProcess

SHELFSTREAM = Path(sys.executable).with_name("shelfstream")
PARTITIONS = 4
SESSION_TIMEOUT_S = 3
INPUTS = ("category-feedback", "product-created", "user-behavior")


def unowned_lanes(statuses: Iterable[Status]) -> set[tuple[str, int]]:
    """The agents' partitions that do not run in exactly one of the workers.

    Between two owners a partition has no lane, and a page that lists lanes shows no lag for it.

    Args:
        statuses: The status of each live worker.
    """
    statuses = list(statuses)
    agents = {agent for status in statuses for agent in status["agents"]}
    owners = Counter(
        (lane["agent"], lane["partition"])
        for status in statuses
        for lane in status["lanes"]
        if lane["state"] == "running"
    )
    return {lane for lane in product(agents, range(PARTITIONS)) if owners[lane] != 1}


class Deployment:
    """Topics on a broker, and workers that end with the `with` block.

    Args:
        bootstrap: The broker's address.
        folder: The directory for state and logs.
        settings: Values of SHELFSTREAM_ settings. A name is in lower case and without the prefix.
    """

    def __init__(self, bootstrap: str, folder: Path, **settings: object) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        values: dict[str, object] = {
            "bootstrap_servers": bootstrap,
            "data_dir": folder / "state",
            "http_port": 0,
            "session_timeout_s": SESSION_TIMEOUT_S,
            "heartbeat_interval_s": 0.5,
            "rebalance_timeout_s": 10,
            "log_format": "json",
            **settings,
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHELFSTREAM_")},
            **{f"SHELFSTREAM_{name.upper()}": str(value) for name, value in values.items()},
        }
        self.workers: list[WorkerProcess] = []
        # Reads the group's committed offsets and never joins. An AdminClient crashes where the coordinator
        # refuses.
        self._offsets = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "shelfstream",
                "enable.auto.commit": False,
                "metadata.max.age.ms": 1_000,  # A leader that moved is found at once.
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        self.run("topics", "create")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            if worker.alive:
                worker.kill()
        self._offsets.close()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shelfstream command against this deployment.

        Args:
            arguments: The command and its options.
            check: Whether a non-zero exit code raises `CalledProcessError`.
        """
        return subprocess.run(
            [str(SHELFSTREAM), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=240,
        )

    def worker(self, agents: str | None = None, shelfstream: Path = SHELFSTREAM) -> WorkerProcess:
        """Start one more worker.

        Args:
            agents: The agents to run, separated by commas. If None, those of the settings.
            shelfstream: The program. Another installation of shelfstream may take turns with this one.
        """
        log = self.folder / f"worker-{len(self.workers)}.log"
        command = [str(shelfstream), "worker", *(["--agents", agents] if agents else [])]
        environment = dict(self.environment)
        if shelfstream != SHELFSTREAM:
            environment.pop("PYTHONPATH", None)  # It would lead the other installation to this one's modules.
        worker = WorkerProcess(command, environment, log)
        self.workers.append(worker)
        return worker

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """Write records as a catalog system does: the key's murmur2 hash chooses the partition.

        Args:
            topic: The topic.
            records: Key and value of each record.

        Returns:
            The number of records.
        """
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random", "linger.ms": 20}
        )
        count = 0
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value=value, key=key)
                    break
                except BufferError:
                    producer.poll(0.1)
            count += 1
            producer.poll(0)
        producer.flush()
        return count

    def read(self, topic: str) -> list[Message]:
        """Read all committed records that are in a topic at the time of the call.

        Raises:
            KafkaException: The broker reported an error that does not pass by itself.
        """
        return list(committed_records(self.bootstrap, topic, [0] * PARTITIONS))

    def lag(self) -> int | None:
        """Count the records that wait, in topics and in lanes.

        Returns:
            None while a worker is not ready, or a partition of an agent has no owner that knows its lag.

        Raises:
            OSError: A worker does not answer.
            KafkaException: The broker does not answer.
        """
        lag = self._input_lag()
        statuses = self._statuses()
        lanes = [lane for status in statuses for lane in status["lanes"]]
        # A worker that restarts, or waits for its group, is not ready.
        if unowned_lanes(statuses) or not all(status["ready"] for status in statuses):
            return None
        if any(lane["lag"] is None for lane in lanes):
            return None
        return lag + int(sum(lane["lag"] for lane in lanes))

    def processed(self) -> bool:
        """Whether the workers have committed everything that was written before the call.

        A worker measures its lag now and then. Where that says 0, the topics themselves are read from the
        offsets that the lanes have committed. The inputs are looked at first and the topics' ends last: what
        an agent writes for the next one is not missed in between.
        """
        try:
            if self.lag() != 0:
                return False
            committed: dict[str, list[int]] = {}
            for status in self._statuses():
                for lane in status["lanes"]:
                    for topic, offset in lane["next_offsets"].items():
                        committed.setdefault(topic, [0] * PARTITIONS)[lane["partition"]] = offset
            return not any(
                True
                for topic, offsets in committed.items()
                for _ in committed_records(self.bootstrap, topic, offsets)
            )
        except (OSError, KafkaException):
            return False

    def wait_until_processed(self, within_s: float = 600) -> None:
        """Wait until the workers have committed everything that was written.

        Raises:
            AssertionError: It takes longer than `within_s`.
        """
        deadline = time.monotonic() + within_s
        while not self.processed():
            if time.monotonic() > deadline:
                logs = "\n".join(worker.log.read_text()[-1500:] for worker in self.workers)
                raise AssertionError(f"records wait after {within_s} s\n{logs}")
            time.sleep(0.3)

    def _input_lag(self) -> int:
        """Count the records of the input topics behind the group's committed offsets.

        The markers of transactions also take offsets, so offsets that wait are read.
        """
        count = 0
        for topic in INPUTS:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            offsets = [max(0, each.offset) for each in self._offsets.committed(partitions, 10.0)]
            ends = [self._offsets.get_watermark_offsets(each, 10.0)[1] for each in partitions]
            if ends != offsets:
                count += sum(1 for _ in committed_records(self.bootstrap, topic, offsets))
        return count

    def _statuses(self) -> list[Status]:
        return [worker.status() for worker in self.workers if worker.alive]
