"""A record with its unwrapped key and value. It keeps the original, which dead letters are made of."""

from dataclasses import dataclass

from streams.records import Headers, Record


@dataclass(frozen=True, slots=True)
class UnwrappedRecord:
    """A record as an agent gets it.

    Attributes:
        original: The record as it was read.
        key: The key by the contract; None if the value alone names the product.
        value: The value by the contract.
    """

    original: Record
    key: bytes | None
    value: bytes | None

    @property
    def topic(self) -> str:
        """The topic of the original."""
        return self.original.topic

    @property
    def partition(self) -> int:
        """The partition of the original."""
        return self.original.partition

    @property
    def offset(self) -> int:
        """The offset of the original."""
        return self.original.offset

    @property
    def timestamp(self) -> int:
        """The timestamp of the original."""
        return self.original.timestamp

    @property
    def headers(self) -> Headers:
        """The headers of the original."""
        return self.original.headers


def original_of(record: Record) -> Record:
    """Return a record as it was read, also if it was unwrapped."""
    return record.original if isinstance(record, UnwrappedRecord) else record
