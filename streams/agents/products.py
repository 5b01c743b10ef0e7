"""The table of enriched products: the rows of the agent `enrich`."""

from datetime import datetime
from typing import NamedTuple, Self

import msgspec

from schemas.events import DecisionOutcome, Source, TagSource
from streams.state.tables import TableSpec
from streams.topics import PRODUCT_ENRICHED


class _Decision(msgspec.Struct, gc=False):
    outcome: DecisionOutcome


class _Tagged(msgspec.Struct, gc=False):
    name: str
    source: str = ""


class _Decided(msgspec.Struct, gc=False):
    """The part of a product-enriched event that every row needs decoded."""

    decision: _Decision
    source: Source | None = None
    listing: Source | None = None
    listed_at: datetime | None = None
    shop_id: str | msgspec.UnsetType | None = msgspec.UNSET
    tags: list[_Tagged] = []


_DECODER = msgspec.json.Decoder(_Decided)


class ProductRow(NamedTuple):
    """A product's row: the published event, and who decided its category.

    Attributes:
        event: The encoded product-enriched event. It is the row's only stored form.
        outcome: The event's decision; None if another program wrote the row and it has no decision.
        listing: The position of the listing that made the row; None if it is not known.
        listed_at: The event time of that listing; None if it had none.
        shop_id: The shop of that listing; unset if an earlier release wrote the row without it.
        signals: The event's tags by behavior, in ascending order. The next listing keeps them.
    """

    event: bytes
    outcome: DecisionOutcome | None
    listing: Source | None = None
    listed_at: datetime | None = None
    shop_id: str | msgspec.UnsetType | None = msgspec.UNSET
    signals: tuple[str, ...] = ()

    @classmethod
    def from_bytes(cls, event: bytes) -> Self:
        """Read a stored row. Nothing is raised: a row of another program gets the outcome None."""
        try:
            decided = _DECODER.decode(event)
        except (ValueError, RecursionError):
            return cls(event, None)
        listing = decided.listing
        if listing is None and decided.decision.outcome is not DecisionOutcome.PERSON:
            # An event of an earlier version: its source is the listing.
            listing = decided.source
        signals = tuple(sorted(tag.name for tag in decided.tags if tag.source == TagSource.BEHAVIOR))
        return cls(event, decided.decision.outcome, listing, decided.listed_at, decided.shop_id, signals)

    def is_newer_than(self, listing: Source, listed_at: datetime | None) -> bool:
        """Return whether the row is from a newer listing.

        Within a partition the offset decides, as it did when the listings first came. Between partitions the
        event times decide, if both are known.

        Args:
            listing: The position at which the other listing was first written.
            listed_at: Its event time; None if it has none.
        """
        if self.listing is None:
            return False
        if (self.listing.topic, self.listing.partition) == (listing.topic, listing.partition):
            return self.listing.offset > listing.offset
        return self.listed_at is not None and listed_at is not None and self.listed_at > listed_at

    def may_be_of(self, shop_id: str | None) -> bool:
        """Return whether the product is of a shop, as far as the row says. No shop is a shop of its own."""
        return self.shop_id is msgspec.UNSET or (self.shop_id or None) == (shop_id or None)

    def to_bytes(self) -> bytes:
        """Return the stored form."""
        return self.event


def products_table() -> TableSpec[ProductRow]:
    """Describe the table of enriched products. Its changelog is the output topic product-enriched."""
    return TableSpec("products", PRODUCT_ENRICHED, ProductRow.to_bytes, ProductRow.from_bytes, is_output=True)
