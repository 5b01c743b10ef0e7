"""Faults that change what Kafka holds, or what a worker remembers of it, one scene each."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic

from streams.topics import USER_BEHAVIOR
from tests.chaos.audit import AuditResult
from tests.chaos.cluster_scene import GROUP, ClusterScene
from tests.chaos.fault_result import FaultResult
from tests.chaos.model_faults import hung_model
from tests.support.deployment import PARTITIONS
from tests.support.kafka_cluster import SIZE, KafkaCluster
from tests.support.waiting import wait_until

_OLD, _NEW = 1_000, 1_600
_TOPIC_CONFIG = {
    "cleanup.policy": "delete",
    "max.message.bytes": str(1024 * 1024),
    "retention.ms": str(30 * 86_400_000),
}
_CREATED_AGAIN = "was deleted and created again"

Scene = Callable[[KafkaCluster, Path], FaultResult]
"""Injects a fault into new topics of a cluster, in a directory, and returns what became of it."""


def recreate(scene: ClusterScene, replicas: list[list[int]] | None = None, **config: str) -> None:
    """Delete the topic of behavior and create it again at once, as a script does.

    Args:
        scene: The scene.
        replicas: The brokers of each partition. If None, the cluster chooses.
        config: Further configuration of the topic. A name has `_` for `.`.
    """
    admin = scene.cluster.admin
    admin.delete_topics([USER_BEHAVIOR])[USER_BEHAVIOR].result(60)
    dotted = {name.replace("_", "."): value for name, value in config.items()}
    layout = {"replica_assignment": replicas} if replicas else {"replication_factor": SIZE}
    topic = NewTopic(USER_BEHAVIOR, PARTITIONS, config=_TOPIC_CONFIG | dotted, **layout)
    while True:
        try:
            admin.create_topics([topic])[USER_BEHAVIOR].result(60)
        except KafkaException:
            time.sleep(0.05)
        else:
            break
    scene.cluster.wait_in_sync()


def recreated_under_workers(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A topic is deleted and created again under a running worker; the operator reads all of the new one."""
    with ClusterScene(cluster, folder) as scene:
        scene.work(_OLD)
        scene.fault_begins()
        recreate(scene)
        scene.feed_expected(_NEW)
        scene.wait_reported(_CREATED_AGAIN)
        scene.stop_workers()
        scene.start_worker("earliest")
        return scene.result("topic created again under a worker", "earliest")


def _recreated_while_stopped(cluster: KafkaCluster, folder: Path, choice: str) -> FaultResult:
    with ClusterScene(cluster, folder) as scene:
        scene.work(_OLD)
        scene.stop_workers()
        scene.fault_begins()
        recreate(scene)
        if choice == "earliest":
            scene.feed_expected(_NEW)
        else:
            scene.removed = len(scene.feed(_NEW))
        scene.start_worker(ready=False)
        scene.wait_reported(_CREATED_AGAIN)
        scene.stop_workers()
        scene.start_worker(choice)
        scene.feed_expected(_OLD)
        return scene.result("topic created again while no worker runs", choice)


def recreated_read_from_start(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A topic is created again while no worker runs; the operator reads all of it."""
    return _recreated_while_stopped(cluster, folder, "earliest")


def recreated_read_from_end(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A topic is created again while no worker runs; the operator reads what comes from then on."""
    return _recreated_while_stopped(cluster, folder, "latest")


def truncated_by_election(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A replica that misses records becomes the leader: they are gone from Kafka, and in the state."""
    with ClusterScene(cluster, folder) as scene:
        layout = [[1, 2]] * PARTITIONS
        recreate(scene, layout, unclean_leader_election_enable="true", min_insync_replicas="1")
        scene.work(_OLD)
        one, two, _ = cluster.brokers
        cluster.kill([two])
        wait_until(lambda: cluster.in_sync_replicas(USER_BEHAVIOR, 0) == [1], 120)
        scene.feed_expected(_NEW)
        scene.wait_processed()
        scene.fault_begins()
        cluster.kill([one])
        cluster.start([two])
        scene.wait_reported("its log was truncated")
        scene.stop_workers()
        cluster.start()
        scene.removed = _NEW
        scene.start_worker("latest")
        scene.feed_expected(_OLD)
        return scene.result("log truncated by an unclean election", "latest")


def retention_passed(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """Retention removes records before a worker reads them."""
    with ClusterScene(cluster, folder) as scene:
        scene.work(_OLD)
        scene.stop_workers()
        scene.fault_begins()
        scene.removed = len(scene.feed(_NEW))
        ends = _ends(cluster)
        cluster.new_admin()
        for removal in cluster.admin.delete_records(ends).values():
            removal.result(60)
        scene.feed_expected(_OLD)
        scene.start_worker()
        scene.wait_reported("before they were read")
        return scene.result("retention passed unread records")


def group_offsets_deleted(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """The group's offsets are deleted while state is there."""
    with ClusterScene(cluster, folder) as scene:
        scene.work(_OLD)
        scene.stop_workers()
        scene.fault_begins()
        cluster.delete_group(GROUP)
        scene.feed_expected(_NEW)
        scene.start_worker()
        return scene.result("group's offsets deleted")


def state_of_another_life(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A state directory comes back whose topics are gone, and whose checkpoint fits the new ones."""
    state = folder / "old-state"
    with ClusterScene(cluster, folder, data_dir=state) as scene:
        scene.work(_OLD)
        scene.stop_workers()
    with ClusterScene(cluster, folder, data_dir=folder / "new-state") as scene:
        scene.shop.events(_OLD)
        scene.start_worker()
        scene.feed_expected(_NEW)
        scene.wait_processed()
        scene.stop_workers()
        scene.fault_begins()
        scene.deployment.environment["SHELFSTREAM_DATA_DIR"] = str(state)
        scene.start_worker()
        scene.feed_expected(_OLD)
        return scene.result("state directory of deleted topics")


def partitions_added(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """Partitions are added to an input, whose number cannot change."""
    with ClusterScene(cluster, folder) as scene:
        scene.work(_OLD)
        scene.fault_begins()
        more = [NewPartitions(USER_BEHAVIOR, PARTITIONS + 2)]
        cluster.admin.create_partitions(more)[USER_BEHAVIOR].result(60)
        scene.wait_reported("partitions")
        return scene.result("partitions added to an input")


SCENES: tuple[Scene, ...] = (
    recreated_under_workers,
    recreated_read_from_start,
    recreated_read_from_end,
    truncated_by_election,
    retention_passed,
    group_offsets_deleted,
    state_of_another_life,
    hung_model,
    partitions_added,
)


def play(scene: Scene, cluster: KafkaCluster) -> FaultResult:
    """Inject a scene's fault, with a directory of its own. A scene that fails is a result, too."""
    with tempfile.TemporaryDirectory(prefix="shelfstream-scene-", ignore_cleanup_errors=True) as folder:
        try:
            return scene(cluster, Path(folder))
        except Exception as error:
            name = scene.__name__.replace("_", " ")
            return FaultResult(name, AuditResult(examples=[repr(error)]), processed=False)
        finally:
            cluster.start()


def _ends(cluster: KafkaCluster) -> list[TopicPartition]:
    """The end of each partition of the topic of behavior."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "ends", "log_level": 0})
    try:
        places = [TopicPartition(USER_BEHAVIOR, number) for number in range(PARTITIONS)]
        return [
            TopicPartition(USER_BEHAVIOR, place.partition, consumer.get_watermark_offsets(place, 60)[1])
            for place in places
        ]
    finally:
        consumer.close()
