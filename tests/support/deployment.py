"""A deployment as an operator would have one: a Kafka, topics by command, workers as processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.support.committed import committed_reader

SHELFSTREAM = Path(sys.executable).with_name("shelfstream")
PARTITIONS = 4
SESSION_TIMEOUT_S = 3
# Written by producers without transactions: their last offsets are records.
INPUTS = ("category-feedback", "product-created", "user-behavior")


class WorkerProcess:
    """A worker as its own process, its log in a file."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._address: str | None = None
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )

    def url(self, path: str) -> str:
        """The address of a page of this worker's HTTP server, which chose its port itself."""
        found = re.findall(r"http://127\.0\.0\.1:\d+/", self.log.read_text())
        if found:
            self._address = str(found[-1])
        if self._address is None:
            raise ConnectionError("the worker does not listen yet")
        return self._address + path

    def roll_log(self) -> None:
        """Begin the log file anew; what it said goes to a file beside it."""
        with suppress(OSError):
            self.url("")
        with self.log.with_suffix(".old").open("ab") as old:
            old.write(self.log.read_bytes())
        os.truncate(self.log, 0)

    def get(self, path: str) -> str:
        """Fetch a page; raises OSError if it is not served or not successful."""
        with urllib.request.urlopen(self.url(path), timeout=5) as answer:
            return str(answer.read().decode())

    def wait_ready(self, within_s: float = 60) -> None:
        """Wait until the worker says that it is ready."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.get("ready")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"not ready: {self.log.read_text()[-4000:]}") from None
                time.sleep(0.1)
            else:
                return

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = 30) -> int:
        """Ask it to stop, and wait; returns its exit code."""
        self.process.terminate()
        return self.process.wait(within_s)


class Deployment:
    """Topics on a broker, and workers that end with the `with` block.

    Args:
        bootstrap: the broker's address.
        folder: for state and logs.
        settings: SHELFSTREAM_ settings by their names without the prefix, in lower case.
    """

    def __init__(self, bootstrap: str, folder: Path, **settings: object) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        quick: dict[str, object] = {
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
            **{f"SHELFSTREAM_{name.upper()}": str(value) for name, value in quick.items()},
        }
        self.workers: list[WorkerProcess] = []
        # Never joins: it asks where the group is. An AdminClient crashes where the coordinator refuses.
        self._offsets = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "shelfstream",
                "enable.auto.commit": False,
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
            if worker.process.poll() is None:
                worker.kill()
        self._offsets.close()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shelfstream command against this deployment."""
        return subprocess.run(
            [str(SHELFSTREAM), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def worker(self, agents: str | None = None) -> WorkerProcess:
        """Start one more worker."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        command = [str(SHELFSTREAM), "worker", *(["--agents", agents] if agents else [])]
        worker = WorkerProcess(command, self.environment, log)
        self.workers.append(worker)
        return worker

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """Write (key, value) records as a catalogue system would, keys by murmur2; returns how many."""
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
        """All committed records of a topic, as a read_committed consumer sees them."""
        consumer = committed_reader(self.bootstrap, topic, [0] * PARTITIONS)
        messages: list[Message] = []
        ended = 0
        while ended < PARTITIONS:
            for message in consumer.consume(10_000, 0.5):
                if message.error():
                    ended += 1
                else:
                    messages.append(message)
        consumer.close()
        return messages

    def lag(self) -> int | None:
        """How many records wait, in topics and in lanes; None while a lane cannot tell."""
        partitions = [TopicPartition(topic, number) for topic in INPUTS for number in range(PARTITIONS)]
        committed = self._offsets.committed(partitions, 10.0)
        ends = [self._offsets.get_watermark_offsets(each, 10.0)[1] for each in partitions]
        behind: int = sum(end - max(0, each.offset) for end, each in zip(ends, committed, strict=True))
        for worker in self.workers:
            if worker.process.poll() is None:
                # One that starts anew, or waits for its group, shows no lanes and so no lag.
                worker.get("ready")
                for lane in json.loads(worker.get("status.json"))["lanes"]:
                    if lane["lag"] is None or lane["state"] != "running":
                        return None
                    behind += lane["lag"]
        return behind

    def settle(self, within_s: float = 120) -> None:
        """Wait until the workers have committed everything that was written."""
        deadline = time.monotonic() + within_s
        quiet = 0
        while quiet < 3:
            try:
                behind = self.lag()
            except (OSError, KafkaException):
                behind = None
            quiet = quiet + 1 if behind == 0 else 0
            if time.monotonic() > deadline:
                logs = "\n".join(worker.log.read_text()[-1500:] for worker in self.workers)
                raise AssertionError(f"{behind} records behind after {within_s} s\n{logs}")
            time.sleep(0.3)
