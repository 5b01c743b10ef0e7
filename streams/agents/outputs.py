"""Building output records: the same key, partition, headers and id for every agent."""

from typing import Any

from schemas.codec import encode
from schemas.envelope import output_headers, output_id, traceparent_of
from schemas.events import Event
from schemas.keys import partition_for
from streams.provenance import source_of
from streams.records import MemoryRecord, Output, Record
from streams.state.tables import Table


class OutputBuilder:
    """Builds the outputs of an agent.

    Args:
        agent: The agent's name, a part of `ce_source`.
        partitions: The number of partitions of every topic.
        model_version: The model's version, a part of the output's id. Empty if the agent has no model.
        taxonomy_version: The taxonomy's version, likewise.
    """

    def __init__(
        self, agent: str, partitions: int, model_version: str = "", taxonomy_version: str = ""
    ) -> None:
        self._source = f"/shelfstream/{agent}"
        self._partitions = partitions
        self._model_version = model_version
        self._taxonomy_version = taxonomy_version

    def event(self, event: Event, subject: str, cause: Record) -> Output:
        """Build the record of an event. `subject` is a product or shopper id, `cause` the input record."""
        return self.record(event.topic, subject, encode(event), cause)

    def tombstone(self, topic: str, subject: str, cause: Record) -> Output:
        """Build the tombstone that deletes `subject` from a compacted topic."""
        return self.record(topic, subject, None, cause)

    def again(self, event: Event, subject: str, table: Table[Any], partition: int) -> Output:
        """Build the record of an event that no input record causes, once in a transaction for each subject.

        Its id derives from where the changelog ended before the transaction. Each transaction writes to it,
        so that what is said, taken back and said again has three ids.

        Args:
            event: The event.
            subject: A product or shopper id: the key.
            table: The lane's table with a changelog.
            partition: The table's partition.
        """
        cause = MemoryRecord(table.spec.changelog, partition, changelog_end(table))
        return self.record(event.topic, subject, encode(event), cause)

    def record(
        self,
        topic: str,
        subject: str,
        value: bytes | None,
        cause: Record,
        model_version: str | None = None,
    ) -> Output:
        """Build a record.

        Args:
            topic: The topic.
            subject: A product or shopper id: the key.
            value: The value in bytes; None is a tombstone.
            cause: The input record from which the output's id and trace derive.
            model_version: The version for the output's id; None is the builder's.
        """
        key = subject.encode()
        model = self._model_version if model_version is None else model_version
        headers = output_headers(
            topic,
            event_id=output_id(source_of(cause), model, self._taxonomy_version, topic, subject),
            source=self._source,
            subject=subject,
            traceparent=traceparent_of(cause.headers) if cause.headers else None,
        )
        return Output(topic, partition_for(key, self._partitions), key, value, headers)


def changelog_end(table: Table[Any]) -> int:
    """Return the changelog offset after the rows of a table's last transaction, or 0. Each moves it."""
    checkpoint = table.store.checkpoint()
    return 0 if checkpoint is None else checkpoint.offset
