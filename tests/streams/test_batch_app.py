"""A program of batch agents: what it declares, what it creates, and on which topics it refuses to run."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.errors import RetryLater, StopWorker
from streams.batch_agent import AgentTester, BatchApp, Batches
from tests.support.broker import Kafka


class Viewed(msgspec.Struct, frozen=True):
    """An event."""

    brand: str


def program(app_id: str = "brands", **settings: object) -> BatchApp:
    """A program with an agent that counts in a table."""
    app = BatchApp(app_id, **settings)
    viewed, counts = app.topic(f"{app_id}-viewed", Viewed), app.table("counts", int)

    @app.agent(viewed, tables=[counts])
    async def count(batches: Batches) -> None:
        async for batch in batches:
            table = batch.table(counts)
            for record, _ in batch.items(viewed):
                table.put(record.key or b"", (table.get(record.key or b"") or 0) + 1)

    return app


def test_settings_come_from_the_program_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program precedes the environment, which precedes the defaults."""
    monkeypatch.setenv("SHELFSTREAM_PARTITIONS", "7")
    assert BatchApp("brands").settings.partitions == 7
    assert BatchApp("brands", partitions=2).settings.partitions == 2
    with pytest.raises(StopWorker, match="partitons"):
        BatchApp("brands", partitons=2)


def test_two_agents_cannot_share_a_name_or_an_input() -> None:
    """Their lanes would have one transactional id, or an input would have two owners."""
    app = program()

    async def count(batches: Batches) -> None:
        """Never called."""

    with pytest.raises(ValueError, match="share"):
        app.agent("another-topic")(count)
    with pytest.raises(ValueError, match="share"):
        app.agent("brands-viewed", name="another")(count)
    assert app.agent("another-topic", name="another")(count).topics == ("another-topic",)


async def test_an_agent_that_raises_retry_later_changes_nothing() -> None:
    """`AgentTester` passes the error on, as a lane would receive it, and the batch can be processed again."""
    app = BatchApp("brands")
    counts = app.table("counts", int)
    failures = iter([True])

    @app.agent("in", tables=[counts])
    async def count(batches: Batches) -> None:
        async for batch in batches:
            batch.table(counts).put(b"k", (batch.table(counts).get(b"k") or 0) + len(batch))
            if next(failures, False):
                raise RetryLater("not yet")

    tester = AgentTester(count)
    with pytest.raises(RetryLater):
        await tester.process("in", [(b"k", b"v")])
    assert tester.table(counts).get(b"k") is None
    await tester.process("in", [(b"k", b"v")])
    assert tester.table(counts).get(b"k") == 1


@pytest.mark.kafka
def test_it_refuses_missing_topics_and_creates_them(
    kafka: Kafka, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("brands")
    app = program(name, bootstrap_servers=kafka.bootstrap, partitions=3, data_dir=tmp_path)
    with pytest.raises(StopWorker, match=f"missing topics: .*{name}-viewed.*{name}-counts-changelog"):
        app.run()
    app.create_topics()
    app.create_topics()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    topics = admin.list_topics(timeout=30).topics
    assert [len(topics[f"{name}-{each}"].partitions) for each in ("viewed", "counts-changelog")] == [3, 3]
    resource = ConfigResource(ResourceType.TOPIC, f"{name}-counts-changelog")
    config = admin.describe_configs([resource])[resource].result(30)
    assert config["cleanup.policy"].value == "compact"


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("topic", "partitions", "policy", "complaint"),
    [("viewed", 2, "delete", "partitions"), ("counts-changelog", 3, "delete", "cleanup.policy")],
)
def test_it_refuses_topics_that_do_not_fit(
    kafka: Kafka,
    unique: Callable[[str], str],
    tmp_path: Path,
    topic: str,
    partitions: int,
    policy: str,
    complaint: str,
) -> None:
    """A changelog that deletes old records would lose rows."""
    name = unique(f"brands-{topic}")
    new = NewTopic(f"{name}-{topic}", partitions, 1, config={"cleanup.policy": policy})
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([new])[f"{name}-{topic}"].result(30)
    app = program(name, bootstrap_servers=kafka.bootstrap, partitions=3, data_dir=tmp_path)
    app.create_topics()
    with pytest.raises(StopWorker, match=f"{name}-{topic}: {complaint}"):
        app.run()
