"""Micro-batches: collects items up to a number of tokens, a number of rows, or an age.

A pure state machine. The caller passes the time, in any unit and from any origin; it must not go back.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass
class MicroBatcher(Generic[Item]):
    """Groups items into batches and keeps their order.

    A batch has at most `max_rows` items and `max_tokens` tokens, except that a larger item is a batch by
    itself. No item waits longer than `max_age` if `poll` is called in time.

    Attributes:
        max_tokens: The most tokens of a batch, at least 1.
        max_rows: The most items of a batch, at least 1.
        max_age: The longest wait of an item, at least 0, in the caller's unit of time.

    Raises:
        ValueError: A limit is too small.
    """

    max_tokens: int
    max_rows: int
    max_age: float
    _items: list[Item] = field(default_factory=list, init=False)
    _tokens: int = field(default=0, init=False)
    _oldest: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.max_rows < 1 or self.max_age < 0:
            raise ValueError(
                "a batch needs room for at least one token and one row, and an age of at least 0"
            )

    def __len__(self) -> int:
        """The number of waiting items."""
        return len(self._items)

    def add(self, item: Item, tokens: int, now: float) -> list[list[Item]]:
        """Add an item.

        Args:
            item: The item.
            tokens: The item's number of tokens.
            now: The time.

        Returns:
            The batches that are now complete: none, one or two.
        """
        batches = []
        if self._items and self._tokens + tokens > self.max_tokens:
            batches.append(self._flush())
        if not self._items:
            self._oldest = now
        self._items.append(item)
        self._tokens += tokens
        if len(self._items) >= self.max_rows or self._tokens >= self.max_tokens:
            batches.append(self._flush())
        return batches

    def poll(self, now: float) -> list[list[Item]]:
        """Return the waiting batch if its oldest item has waited for `max_age`, else no batch."""
        if self._items and now - self._oldest >= self.max_age:
            return [self._flush()]
        return []

    def deadline(self) -> float | None:
        """The time at which `poll` will return a batch; None if no item waits."""
        return self._oldest + self.max_age if self._items else None

    def drain(self) -> list[list[Item]]:
        """Return the waiting batch, if any, whatever its age."""
        return [self._flush()] if self._items else []

    def _flush(self) -> list[Item]:
        batch, self._items, self._tokens = self._items, [], 0
        return batch
