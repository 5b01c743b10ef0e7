"""Reads rows of a lane as they were last committed, whatever the batch in progress does."""

from typing import Protocol, TypeVar

from schemas.errors import RetryLater
from streams.state.tables import StateDamaged, Tables, TableSpec

V = TypeVar("V")


class RunningLane(Protocol):
    """A lane, as far as readers see it."""

    @property
    def tables(self) -> Tables | None:
        """The tables while the lane runs; None else."""
        ...


class LaneRows:
    """The committed rows of a lane.

    Args:
        lane: The lane.
    """

    def __init__(self, lane: RunningLane) -> None:
        self._lane = lane

    def committed_row(self, table: TableSpec[V], key: bytes) -> V | None:
        """Return a row as it was last committed. It is decoded anew: no batch has the same object.

        Raises:
            RetryLater: The lane does not run, so that its tables may lack commits.
            StateDamaged: The row cannot be read or decoded.
        """
        tables = self._lane.tables
        if tables is None:
            raise RetryLater("the lane does not run; it opens or restores its state")
        found = tables.of(table)
        try:
            # A store has what was committed; what a batch staged is in the table only.
            encoded = found.store.get(key)
            return None if encoded is None else found.spec.decode(encoded)
        except Exception as error:
            raise StateDamaged(f"table {table.name}, key {key!r}: {error}") from error
