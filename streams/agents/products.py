"""The table of enriched products: the rows of the agent `enrich`."""

from typing import NamedTuple, Self

import msgspec

from schemas.events import DecisionOutcome
from streams.state.tables import TableSpec
from streams.topics import PRODUCT_ENRICHED


class _Decision(msgspec.Struct, gc=False):
    outcome: DecisionOutcome


class _Decided(msgspec.Struct, gc=False):
    """The part of a product-enriched event that every row needs decoded."""

    decision: _Decision


_DECODER = msgspec.json.Decoder(_Decided)


class ProductRow(NamedTuple):
    """A product's row: the published event, and who decided its category.

    Attributes:
        event: The encoded product-enriched event. It is the row's only stored form.
        outcome: The event's decision; None if another program wrote the row and it has no decision.
    """

    event: bytes
    outcome: DecisionOutcome | None

    @classmethod
    def from_bytes(cls, event: bytes) -> Self:
        """Read a stored row. Nothing is raised: a row of another program gets the outcome None."""
        try:
            outcome = _DECODER.decode(event).decision.outcome
        except (ValueError, RecursionError):
            return cls(event, None)
        return cls(event, outcome)

    def to_bytes(self) -> bytes:
        """Return the stored form."""
        return self.event


def products_table() -> TableSpec[ProductRow]:
    """Describe the table of enriched products. Its changelog is the output topic product-enriched."""
    return TableSpec("products", PRODUCT_ENRICHED, ProductRow.to_bytes, ProductRow.from_bytes, is_output=True)
