"""Micro-batches: collect items until a budget of tokens, of rows, or of waiting is used up.

A pure state machine: time is passed in, any unit and origin, never going back.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass
class MicroBatcher(Generic[Item]):
    """Groups items in their order.

    A batch never has more than `max_rows` items nor more than `max_tokens` tokens, but that an item larger
    than the budget forms a batch alone. No item waits longer than `max_age` if `poll` is called in time.

    Attributes:
        max_tokens: Tokens per batch, at least 1.
        max_rows: Items per batch, at least 1.
        max_age: How long the oldest item may wait, at least 0.
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
        """Take an item of `tokens` tokens; returns the batches that are thereby complete, none to two."""
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
        """Returns the waiting batch if its oldest item has waited for `max_age`."""
        if self._items and now - self._oldest >= self.max_age:
            return [self._flush()]
        return []

    def deadline(self) -> float | None:
        """When `poll` will next have something to give; None if nothing waits."""
        return self._oldest + self.max_age if self._items else None

    def drain(self) -> list[list[Item]]:
        """Returns what waits, whatever its age."""
        return [self._flush()] if self._items else []

    def _flush(self) -> list[Item]:
        batch, self._items, self._tokens = self._items, [], 0
        return batch
