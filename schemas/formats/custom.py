"""Files of any other system, read with a mapping file: JSON objects, or rows of a table with a header."""

from collections.abc import Iterator
from typing import BinaryIO

from schemas.events import ProductCreated
from schemas.formats.behavior_event import row_id
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import json_rows
from schemas.formats.mapping import Mapping
from schemas.formats.row import Fields, ImportOptions, Row

_START = 64 * 1024


class Custom(Format):
    """What a mapping file describes.

    Args:
        mapping: The mapping.
    """

    name = "custom"
    title = "JSON or CSV of any other system, with --mapping FILE"

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        # A class variable of the other formats; here the mapping says it.
        self.kind = Kind.PRODUCTS if mapping.topic == ProductCreated.topic else Kind.BEHAVIOR  # type: ignore[misc]

    def matches(self, head: Head) -> float:
        """Nothing: a mapping is named, not recognized."""
        return 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """JSON objects, or rows of a table."""
        start = stream.read(_START)
        whole = joined(start, stream)
        return json_rows(whole) if Head(start).is_json else csv_rows(whole)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """The events of the mapping. Behavior without an `event_id` gets one that depends on the event."""
        row.used |= self._mapping.names & row.fields.keys()
        for number, event in enumerate(self._mapping.events(dict(row.fields))):
            if options.shop_id is not None:
                event.setdefault("shop_id", options.shop_id)
            if self.kind is Kind.PRODUCTS and options.language is not None:
                event.setdefault("language", options.language)
            if self.kind is Kind.BEHAVIOR and "event_id" not in event:
                event["event_id"] = row_id("custom", number, sorted(event.items(), key=_name))
            yield self._mapping.topic, event


def _name(item: tuple[str, object]) -> str:
    return item[0]
