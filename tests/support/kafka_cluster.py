"""Three Apache Kafka brokers as Java processes, each of which can be killed, stopped, stalled, restarted."""

import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import orjson
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from tests.support.broker import BROKER_CONFIG, READY_WITHIN_S, KafkaUnavailable, free_ports, wait_until_ready
from tests.support.kafka_process import JARS, QUICK_START, KafkaProcess

SIZE = 3
_JAVA_OPTIONS = ("-Xmx256m", *QUICK_START)
_CLUSTER_CONFIG = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # Three Java processes share two cores: a broker that is slow for a moment is not dead.
    "broker.session.timeout.ms": "6000",
    "controller.quorum.election.timeout.ms": "2000",
    "controller.quorum.fetch.timeout.ms": "4000",
    # A stalled broker leaves the in-sync replicas soon, so that its partitions can be written.
    "replica.lag.time.max.ms": "6000",
}


class ClusterBroker:
    """One process of a cluster: broker and controller in one.

    Args:
        number: Its node id.
        folder: The directory of its data, configuration and log.
        address: The address for clients.
        config: Its configuration.
    """

    def __init__(self, number: int, folder: Path, address: str, config: dict[str, str]) -> None:
        self.number = number
        self.address = address
        self.process = KafkaProcess(
            folder, f"broker-{number}", config | {"node.id": str(number)}, _JAVA_OPTIONS
        )

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.pid is not None

    def stall(self) -> None:
        """Stop the process where it is; its connections stay open."""
        self.process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stalled process run again."""
        self.process.send(signal.SIGCONT)

    def elected_controller(self) -> tuple[int, int]:
        """Return the epoch and the node id of the controller, as this broker knows it; (-1, -1) if not."""
        with suppress(OSError, ValueError, KeyError):
            known = orjson.loads((self.process.data / "__cluster_metadata-0" / "quorum-state").read_bytes())
            if known["leaderId"] >= 0:
                return int(known["leaderEpoch"]), int(known["leaderId"])
        return -1, -1


class KafkaCluster:
    """Three brokers with replication factor 3 and at least two replicas in sync for a write.

    Raises:
        KafkaUnavailable: There is no Java, or neither the broker's jars nor Maven.

    Attributes:
        bootstrap: The addresses of all brokers.
        brokers: The brokers.
    """

    def __init__(self) -> None:
        if not shutil.which("java") or not (JARS.exists() or shutil.which("mvn")):
            raise KafkaUnavailable("a cluster of three brokers needs Java 17 and Maven")
        self._folder = Path(tempfile.mkdtemp(prefix="shelfstream-cluster-"))
        self._id = uuid.uuid4().hex[:22]
        ports = free_ports(2 * SIZE)
        numbers = range(1, SIZE + 1)
        voters = ",".join(f"{number}@127.0.0.1:{ports[SIZE + number - 1]}" for number in numbers)
        self.brokers = tuple(
            self._broker(number, ports[number - 1], ports[SIZE + number - 1], voters) for number in numbers
        )
        self.bootstrap = ",".join(broker.address for broker in self.brokers)
        self.admin = self._admin_client()

    def new_admin(self) -> None:
        """Forget the admin client, which may ask leaders that are none any more."""
        self.admin = self._admin_client()

    def _admin_client(self) -> AdminClient:
        return AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
        )

    def _broker(self, number: int, port: int, controller_port: int, voters: str) -> ClusterBroker:
        address = f"127.0.0.1:{port}"
        listeners = {
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{address}",
        }
        return ClusterBroker(number, self._folder, address, BROKER_CONFIG | _CLUSTER_CONFIG | listeners)

    def start(self, brokers: Collection[ClusterBroker] = ()) -> None:
        """Start those brokers that do not run, or all of them, and wait until every replica is in sync.

        Where some brokers stay away, the method waits for those that it starts only.

        Raises:
            KafkaUnavailable: They did not get there in time.
        """
        started = [broker for broker in brokers or self.brokers if not broker.running]
        with ThreadPoolExecutor(SIZE) as pool:
            list(pool.map(lambda broker: broker.process.start(self._id), started))
        for broker in started:
            # Until it has registered again, metadata may list it as it was before its end.
            wait_until_ready(broker.address, broker.process.why_ended)
        if all(broker.running for broker in self.brokers):
            self.wait_in_sync()

    def kill(self, brokers: Collection[ClusterBroker] = ()) -> None:
        """End brokers with SIGKILL, or all of them. The data stay."""
        for broker in brokers or self.brokers:
            broker.process.end(signal.SIGKILL)

    def stop(self, brokers: Collection[ClusterBroker] = ()) -> None:
        """Shut brokers down, or all of them. The data stay."""
        for broker in brokers or self.brokers:
            broker.process.end(signal.SIGTERM)

    def restart(self) -> None:
        """Shut all brokers down and start them with the same ports and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End all brokers and delete their data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def leader(self, topic: str, partition: int) -> ClusterBroker:
        """Return the broker that leads a partition."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            with suppress(KafkaException, KeyError):
                metadata = self.admin.list_topics(topic, timeout=10).topics[topic]
                found = int(metadata.partitions[partition].leader)
                if found > 0:
                    return self.brokers[found - 1]
            time.sleep(0.2)
        raise KafkaUnavailable(f"{topic}-{partition} has no leader")

    def controller(self) -> ClusterBroker:
        """Return the broker that is the controller."""
        _, number = max(broker.elected_controller() for broker in self.brokers)
        return self.brokers[number - 1]

    def group_coordinator(self, group: str) -> ClusterBroker:
        """Return the broker that coordinates a consumer group."""
        return self._leader_of_hash("__consumer_offsets", group)

    def transaction_coordinator(self, transactional_id: str) -> ClusterBroker:
        """Return the broker that coordinates the transactions of an id."""
        return self._leader_of_hash("__transaction_state", transactional_id)

    def _leader_of_hash(self, topic: str, name: str) -> ClusterBroker:
        count = len(self.admin.list_topics(topic, timeout=10).topics[topic].partitions)
        return self.leader(topic, java_hash(name) % count)

    def in_sync_replicas(self, topic: str, partition: int) -> list[int]:
        """Return the brokers that have all records of a partition, or the last ones that had."""
        with suppress(KafkaException, KeyError):
            return list(self.admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].isrs)
        return []

    def wait_in_sync(self) -> None:
        """Wait until all brokers are there, and every partition has a leader and all its replicas in sync.

        Raises:
            KafkaUnavailable: They did not get there in time.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._in_sync():
            ended = [broker for broker in self.brokers if not broker.running]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(broker.process.end_of_log() for broker in ended or self.brokers)
                raise KafkaUnavailable(f"the cluster is not in sync: {logs}")
            time.sleep(0.2)

    def _in_sync(self) -> bool:
        with suppress(KafkaException):
            metadata = self.admin.list_topics(timeout=3)
            return len(metadata.brokers) == SIZE and all(
                partition.leader > 0 and len(partition.isrs) == len(partition.replicas)
                for topic in metadata.topics.values()
                for partition in topic.partitions.values()
            )
        return False

    def delete_everything(self, group: str) -> None:
        """Delete all topics but Kafka's own, and a group without members; wait until they are gone."""
        names = [name for name in self.admin.list_topics(timeout=60).topics if not name.startswith("__")]
        for deleted in self.admin.delete_topics(names).values() if names else ():
            deleted.result(60)
        self.delete_group(group)
        for name in names:
            self._wait_gone(name)

    def delete_group(self, group: str) -> None:
        """Delete a consumer group without members, and its offsets.

        Raises:
            KafkaUnavailable: It is still there after a while.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                # A new client: an older one may wait for a coordinator that is gone.
                admin = self._admin_client()
                admin.delete_consumer_groups([group])[group].result(30)
            except TimeoutError:
                continue
            except KafkaException as error:
                # A coordinator that has moved, or still waits for members that were killed, refuses.
                if error.args[0].name() == "GROUP_ID_NOT_FOUND":
                    return
            time.sleep(0.5)
        raise KafkaUnavailable(f"the group {group} is still there")

    def _wait_gone(self, topic: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                self.admin.describe_topics(TopicCollection([topic]))[topic].result(60)
            except KafkaException as error:
                if error.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                    return
            time.sleep(0.2)
        raise KafkaUnavailable(f"{topic} is still there")


def java_hash(text: str) -> int:
    """The hash by which Kafka chooses a group's or transaction's partition: Java's, without its sign."""
    value = 0
    for unit in text:
        value = (31 * value + ord(unit)) & 0xFFFFFFFF
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return 0 if signed == -(1 << 31) else abs(signed)
