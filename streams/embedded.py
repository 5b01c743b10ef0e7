"""A Kafka broker inside the process: librdkafka's mock cluster, for demos and fast tests."""

from types import TracebackType
from typing import Self

from confluent_kafka import Producer

EMBEDDED_PARTITIONS = 4
"""Partitions of every topic of the embedded broker; it cannot be told otherwise."""


class EmbeddedBroker:
    """A broker that speaks Kafka's protocol on a local port and lives as long as its `with` block.

    It serves producers, consumers, groups and transactions to any client on this machine. Its limits:

    - Nothing is kept on disk: what it holds ends with the process.
    - Topics cannot be created or configured. Each appears when first used, with `EMBEDDED_PARTITIONS`.
    - A partition holds about 5 MB or 100,000 records; then the oldest go. There is no compaction.
    - `read_committed` filters nothing: aborted records are seen.

    So it shows and tests the way of the data, and proves nothing about loss or duplicates.

    Example:
        >>> with EmbeddedBroker() as broker:
        ...     broker.bootstrap.startswith("127.0.0.1:")
        True
    """

    def __init__(self) -> None:
        self._owner: Producer | None = None
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """The address, `host:port`. Raises `RuntimeError` unless the broker runs."""
        if self._owner is None:
            raise RuntimeError(
                "the embedded broker does not run: use it as a context manager, or call start()"
            )
        return self._bootstrap

    def start(self) -> None:
        """Start it; does nothing if it runs."""
        if self._owner is not None:
            return
        # The client that asks for the mock cluster owns it: the cluster ends with that client.
        owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = owner.list_topics(timeout=10).brokers
        self._bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())
        self._owner = owner

    def stop(self) -> None:
        """End it, and forget all that it held; does nothing if it does not run."""
        self._owner = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
