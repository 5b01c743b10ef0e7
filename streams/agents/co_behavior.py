"""Records of the internal topic co-behavior: columnar deltas, at least one record per target partition."""

from collections import Counter

from models.behavior.delta_codec import encode_deltas
from models.behavior.deltas import DeltaBuilder
from schemas.envelope import output_headers, output_id
from schemas.keys import partition_for
from streams.provenance import source_of
from streams.records import Output, Record
from streams.topics import CO_BEHAVIOR


class CoBehaviorOutputs:
    """Collects the deltas of a batch and encodes them in parts, because a crawler may cause millions.

    Args:
        partitions: The number of partitions of every topic.
        cause: The input record from which the outputs' ids derive.
        agent: The agent's name.
    """

    def __init__(self, partitions: int, cause: Record, agent: str) -> None:
        self._partitions, self._cause, self._agent = partitions, cause, agent
        self._parts: Counter[int] = Counter()
        self.builder = DeltaBuilder()
        self.outputs: list[Output] = []

    def flush(self, beyond: int = 0) -> None:
        """Encode the collected deltas as outputs if there are more than `beyond`."""
        if len(self.builder) > beyond:
            self.outputs += co_behavior(self.builder, self._partitions, self._cause, self._agent, self._parts)
            self.builder = DeltaBuilder()


def co_behavior(
    pairs: DeltaBuilder, partitions: int, cause: Record, agent: str, parts: Counter[int] | None = None
) -> list[Output]:
    """Encode deltas as records of the partitions of their products.

    Args:
        pairs: The deltas.
        partitions: The number of partitions of every topic.
        cause: The input record from which the outputs' ids derive.
        agent: The agent's name.
        parts: How many records `cause` has caused per partition so far; it is updated. None means none.

    Returns:
        One record for each partition with deltas, or several if one would be too large.
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
