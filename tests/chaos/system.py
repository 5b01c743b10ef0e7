"""The interface of a system under test in a campaign."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

from confluent_kafka import Message

from tests.chaos.audit import AuditResult
from tests.chaos.faults import Fault
from tests.chaos.feed import Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.inputs import Input


class System(Protocol):
    """A system that reads inputs and writes outputs.

    Attributes:
        name: The name in the report.
        kinds: The faults that apply to it.
        fleet: Its workers.
        inputs: What to feed: pairs of an endless stream of inputs and its rate in records per second.
        watched: The output topic whose records name the input that they came from.
    """

    name: str
    watched: str
    fleet: Fleet

    @property
    def kinds(self) -> Sequence[Fault]: ...
    @property
    def inputs(self) -> Sequence[tuple[Iterator[Input], float]]: ...

    def input_id(self, receipt: Receipt) -> Hashable:
        """The id of an input. None if no watched output is expected of it."""
        ...

    def input_id_of(self, message: Message) -> Hashable:
        """The id of the input that a watched output came from."""
        ...

    def processed(self, receipts: Sequence[Receipt]) -> bool:
        """Whether the system has processed everything that was fed."""
        ...

    def audit(self, receipts: Sequence[Receipt]) -> AuditResult:
        """Compare everything committed so far with everything fed so far."""
        ...

    def close(self) -> None:
        """End the system."""
        ...
