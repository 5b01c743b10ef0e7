"""The interface of what a campaign is run on."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

from confluent_kafka import Message

from tests.chaos.audit import Verdict
from tests.chaos.faults import Fault
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import Input


class System(Protocol):
    """Something that reads inputs and writes outputs exactly once, or says so.

    Attributes:
        name: for the report.
        kinds: the faults that make sense for it.
        fleet: its workers.
        inputs: what to feed: endless inputs and how many a second.
        watched: the output topic whose records tell which input they came from.
    """

    name: str
    watched: str
    fleet: Fleet

    @property
    def kinds(self) -> Sequence[Fault]: ...
    @property
    def inputs(self) -> Sequence[tuple[Iterator[Input], float]]: ...

    def mark(self, receipt: Receipt) -> Hashable:
        """An input of the watched outputs; None where it leads to no such output."""
        ...

    def mark_of(self, message: Message) -> Hashable:
        """The mark of the input that a watched output came from."""
        ...

    def settled(self, receipts: Sequence[Receipt]) -> bool:
        """Whether everything that was fed has been worked off."""
        ...

    def verdict(self, receipts: Sequence[Receipt]) -> Verdict:
        """Compare everything committed so far with everything fed so far."""
        ...

    def close(self) -> None:
        """End it."""
        ...
