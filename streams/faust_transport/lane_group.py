"""The lanes, as the transport calls them."""

from collections.abc import Iterable
from typing import Protocol

from streams.records import Partition


class LaneGroup(Protocol):
    """The lanes, as the transport calls them."""

    def ready_partitions(self, active: Iterable[Partition]) -> set[Partition]:
        """Return those of the active partitions whose lanes have capacity."""
        ...

    async def wait_for_capacity(self, timeout_s: float) -> None:
        """Wait until the capacity of a lane changes, for `timeout_s` seconds at most."""
        ...

    def reset_input(self, at: Partition, reason: str) -> None:
        """Let the lane of an input open again, because the input's log changed."""
        ...

    async def assign(self, partitions: Iterable[Partition], generation: int) -> None:
        """Own exactly these partitions, which the group assigned in this generation."""
        ...
