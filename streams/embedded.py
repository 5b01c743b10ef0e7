"""A Kafka broker inside the process, librdkafka's mock cluster, for demos and fast tests."""

from types import TracebackType
from typing import Self

from confluent_kafka import Producer

EMBEDDED_PARTITIONS = 4
"""Number of partitions of every topic of the embedded broker. It cannot be configured."""


class EmbeddedBroker:
    """A broker that speaks Kafka's protocol on a local port and runs as long as its `with` block.

    It serves producers, consumers, groups and transactions to any client on this machine. Its limits:

    - It stores nothing on disk: all records are lost when the process ends.
    - Topics cannot be created or configured. Each is created at its first use with `EMBEDDED_PARTITIONS`.
    - A partition holds about 5 MB or 100,000 records. Then the oldest are deleted. There is no compaction.
    - `read_committed` filters nothing: consumers read aborted records.

    It demonstrates and tests the data flow. It proves nothing about loss or duplicates.

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
        """The address, `host:port`.

        Raises:
            RuntimeError: The broker does not run.
        """
        if self._owner is None:
            raise RuntimeError(
                "the embedded broker does not run: use it as a context manager, or call start()"
            )
        return self._bootstrap

    def start(self) -> None:
        """Start the broker. Does nothing if it runs."""
        if self._owner is not None:
            return
        # The mock cluster belongs to the client that requests it, and ends with that client.
        owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = owner.list_topics(timeout=10).brokers
        self._bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())
        self._owner = owner

    def stop(self) -> None:
        """Stop the broker and delete its records. Does nothing if it does not run."""
        self._owner = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
