"""Inputs that were deleted, truncated or expired: nothing is lost or counted twice in silence."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import orjson
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.test_flow import BOUND, assert_rows_are_exact, baskets, keyed
from tests.support.broker import StartableKafka
from tests.support.deployment import PARTITIONS, Deployment
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

TOPIC = "user-behavior"
GROUP = "shelfstream"
AGENTS = "sessions,affinity"


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path, affinity_bound=BOUND, batch_max_records=500) as running:
        yield running


def admin(deployment: Deployment) -> AdminClient:
    return AdminClient({"bootstrap.servers": deployment.bootstrap, "log_level": 0})


def behavior(name: str, count: int) -> list[tuple[bytes, bytes]]:
    """One view each of `count` shoppers."""
    return [
        (
            f"{name}{number}".encode(),
            orjson.dumps(
                {
                    "event_id": f"{name}{number}",
                    "user_id": f"{name}{number}",
                    "product_id": f"p{number % 50}",
                    "action": "view",
                    "occurred_at": "2026-11-01T00:00:00Z",
                }
            ),
        )
        for number in range(count)
    ]


def shoppers(deployment: Deployment, name: str) -> int:
    """Count the shoppers of this name that were published."""
    found = {message.key() for message in deployment.read("shopper-updated")}
    return sum(1 for key in found if key is not None and key.decode().startswith(name))


def reasons(worker: WorkerProcess) -> list[str]:
    """Why the worker is not ready; empty if it is."""
    try:
        worker.get("ready")
    except HTTPError as error:
        return list(orjson.loads(error.read())["reasons"])
    except OSError:
        return []
    return []


def recreate(deployment: Deployment) -> None:
    client = admin(deployment)
    client.delete_topics([TOPIC])[TOPIC].result(60)
    while True:
        config = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(1024 * 1024),
            "retention.ms": str(30 * 86_400_000),
        }
        try:
            client.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=config)])[TOPIC].result(60)
        except KafkaException:
            time.sleep(0.05)
        else:
            return


def committed(deployment: Deployment) -> list[int]:
    consumer = Consumer({"bootstrap.servers": deployment.bootstrap, "group.id": GROUP, "log_level": 0})
    found = consumer.committed([TopicPartition(TOPIC, number) for number in range(PARTITIONS)], 60)
    consumer.close()
    return [each.offset for each in found]


def stopped(deployment: Deployment, agents: str = AGENTS) -> None:
    """Let a worker process all that is there, and stop it."""
    worker = deployment.worker(agents)
    worker.wait_ready()
    deployment.wait_until_processed()
    assert worker.stop() == 0


def test_a_topic_that_is_recreated_under_a_worker_stops_its_lanes_until_a_choice(
    deployment: Deployment,
) -> None:
    """The new topic has records at the old offsets, so that every fetch succeeds."""
    worker = deployment.worker(AGENTS)
    worker.wait_ready()
    deployment.produce(TOPIC, behavior("old", 400))
    deployment.wait_until_processed()
    recreate(deployment)
    deployment.produce(TOPIC, behavior("new", 1_200))
    wait_until(lambda: any("was deleted and created again" in reason for reason in reasons(worker)))
    assert "shelfstream_inputs_reset" in worker.get("metrics")
    assert worker.stop() == 0
    deployment.environment["SHELFSTREAM_ON_TOPIC_RECREATED"] = "earliest"
    worker = deployment.worker(AGENTS)
    worker.wait_ready()
    wait_until(lambda: shoppers(deployment, "new") == 1_200)
    assert worker.stop() == 0


def test_an_offset_beyond_the_end_of_the_log_stops_the_lane(deployment: Deployment) -> None:
    """A log that was truncated, or a broker that was restored, has fewer records than were processed."""
    deployment.produce(TOPIC, behavior("old", 400))
    stopped(deployment)
    consumer = Consumer(
        {"bootstrap.servers": deployment.bootstrap, "group.id": GROUP, "enable.auto.commit": False}
    )
    ahead = [
        TopicPartition(TOPIC, number, offset + 300) for number, offset in enumerate(committed(deployment))
    ]
    consumer.commit(offsets=ahead, asynchronous=False)
    consumer.close()
    worker = deployment.worker(AGENTS)
    wait_until(lambda: any("its log was truncated" in reason for reason in reasons(worker)))
    assert worker.stop() == 0


def test_a_state_directory_of_another_life_is_set_aside(deployment: Deployment, tmp_path: Path) -> None:
    """Its checkpoint fits the new changelog by chance, and its rows are of topics that are gone."""
    deployment.produce(TOPIC, behavior("old", 400))
    stopped(deployment)
    client = admin(deployment)
    names = [name for name in client.list_topics(timeout=60).topics if not name.startswith("__")]
    for future in client.delete_topics(names).values():
        future.result(60)
    for future in client.delete_consumer_groups([GROUP]).values():
        future.result(60)
    wait_until(lambda: TOPIC not in client.list_topics(timeout=60).topics)
    deployment.run("topics", "create")
    events = baskets(2_000)
    deployment.environment["SHELFSTREAM_DATA_DIR"] = str(tmp_path / "other")
    deployment.produce(TOPIC, keyed(events[:1_500]))
    stopped(deployment)
    deployment.environment["SHELFSTREAM_DATA_DIR"] = str(tmp_path / "state")
    deployment.produce(TOPIC, keyed(events[1_500:]))
    stopped(deployment)
    assert_rows_are_exact(deployment, events)
    log = deployment.workers[-1].log.read_text()
    assert "the local state is of another changelog topic" in log
    assert [path for path in (tmp_path / "state").rglob("*-set-aside") if path.is_dir()]


def test_state_is_not_counted_twice_where_the_group_lost_its_offsets(deployment: Deployment) -> None:
    """Offsets expire while nobody works; the state says what it contains."""
    events = baskets(1_500)
    deployment.produce(TOPIC, keyed(events))
    stopped(deployment)
    client = admin(deployment)
    for future in client.delete_consumer_groups([GROUP]).values():
        future.result(60)
    assert set(committed(deployment)) == {-1001}
    stopped(deployment)
    assert_rows_are_exact(deployment, events)


def test_records_that_expired_unread_are_counted_and_warned_about(deployment: Deployment) -> None:
    """Retention removed them while no worker was there."""
    deployment.produce(TOPIC, behavior("old", 200))
    stopped(deployment)
    before = committed(deployment)
    deployment.produce(TOPIC, behavior("lost", 800))
    client = admin(deployment)
    consumer = Consumer({"bootstrap.servers": deployment.bootstrap, "group.id": "ends"})
    ends = [
        consumer.get_watermark_offsets(TopicPartition(TOPIC, number), 60)[1] for number in range(PARTITIONS)
    ]
    consumer.close()
    removed = [TopicPartition(TOPIC, number, end) for number, end in enumerate(ends)]
    for future in client.delete_records(removed).values():
        future.result(60)
    deployment.produce(TOPIC, behavior("kept", 100))
    worker = deployment.worker(AGENTS)
    worker.wait_ready()
    deployment.wait_until_processed()
    lost = sum(ends) - sum(before)
    assert f'shelfstream_records_expired_total{{topic="{TOPIC}"}} {float(lost)}' in worker.get("metrics")
    assert sum("they are lost" in each for each in worker.status()["warnings"]) == PARTITIONS
    address = worker.url("").rstrip("/")
    assert deployment.run("status", "--acknowledge", "--url", address).returncode == 0
    assert not worker.status()["warnings"]
    assert shoppers(deployment, "kept") == 100
    assert worker.stop() == 0
