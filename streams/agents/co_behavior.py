"""Records of the internal topic co-behavior: columnar deltas, one record per target partition."""

from collections import Counter

from models.behavior.delta_codec import encode_deltas
from models.behavior.deltas import DeltaBuilder
from schemas.envelope import output_headers, output_id
from schemas.keys import partition_for
from streams.provenance import source_of
from streams.records import Output, Record
from streams.topics import CO_BEHAVIOR


class CoBehaviorOutputs:
    """A batch's pairs, written as records before they become too many: a crawler's may be millions."""

    def __init__(self, partitions: int, cause: Record, agent: str) -> None:
        self._partitions, self._cause, self._agent = partitions, cause, agent
        self._parts: Counter[int] = Counter()
        self.builder = DeltaBuilder()
        self.outputs: list[Output] = []

    def flush(self, beyond: int = 0) -> None:
        """Write what was collected, if it is more than `beyond` deltas."""
        if len(self.builder) > beyond:
            self.outputs += co_behavior(self.builder, self._partitions, self._cause, self._agent, self._parts)
            self.builder = DeltaBuilder()


def co_behavior(
    pairs: DeltaBuilder, partitions: int, cause: Record, agent: str, parts: Counter[int] | None = None
) -> list[Output]:
    """The deltas as records, one for each partition of products that gets any (more if it were too large).

    Args:
        pairs: the deltas.
        partitions: of every topic.
        cause: the record that brought them about.
        agent: the agent's name.
        parts: how many records `cause` has brought about for each partition, counted on; None: none before.
    """
    parts = Counter() if parts is None else parts
    outputs = []
    for partition, deltas in pairs.build().by_partition(partitions, partition_for).items():
        for value in encode_deltas(deltas):
            headers = output_headers(
                CO_BEHAVIOR,
                event_id=output_id(source_of(cause), "", "", CO_BEHAVIOR, f"{partition}/{parts[partition]}"),
                source=f"/shelfstream/{agent}",
                subject=str(partition),
            )
            parts[partition] += 1
            outputs.append(Output(CO_BEHAVIOR, partition, None, value, headers))
    return outputs
