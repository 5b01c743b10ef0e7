"""Making output records: key, partition, headers and identity in one place, the same for every agent."""

from schemas.codec import encode
from schemas.envelope import output_headers, output_id, traceparent_of
from schemas.events import Event
from schemas.keys import partition_for
from streams.provenance import source_of
from streams.records import Output, Record


class OutputMaker:
    """Makes an agent's outputs.

    Args:
        agent: the agent's name, a part of `ce_source`.
        partitions: the number of partitions of every topic.
        model_version: what goes into the outputs' identity; empty where no model takes part.
        taxonomy_version: likewise.
    """

    def __init__(
        self, agent: str, partitions: int, model_version: str = "", taxonomy_version: str = ""
    ) -> None:
        self._source = f"/shelfstream/{agent}"
        self._partitions = partitions
        self._model_version = model_version
        self._taxonomy_version = taxonomy_version

    def event(self, event: Event, subject: str, cause: Record) -> Output:
        """The record of `event` about `subject` (a product or a shopper), brought about by `cause`."""
        return self.record(event.topic, subject, encode(event), cause)

    def tombstone(self, topic: str, subject: str, cause: Record) -> Output:
        """The record that withdraws `subject` from a compacted topic."""
        return self.record(topic, subject, None, cause)

    def record(
        self,
        topic: str,
        subject: str,
        value: bytes | None,
        cause: Record,
        model_version: str | None = None,
    ) -> Output:
        """A record with `subject` as its key; `model_version` is that of another model than the usual."""
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
