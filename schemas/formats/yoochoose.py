"""The RecSys Challenge 2015 (Yoochoose): clicks and purchases of anonymous sessions, without a header."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, quantity, time_of_epoch
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import price, utc_time

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_CLICKS = ["session", "time", "item", "category"]
_PURCHASES = ["session", "time", "item", "price", "quantity"]
_DERIVED = {"SessionId", "ItemId", "Time"}
_START = 4096


class Yoochoose(Format):
    """yoochoose-clicks.dat and yoochoose-buys.dat, and the table that papers derive from them."""

    name = "yoochoose"
    kind = Kind.BEHAVIOR
    title = "RecSys Challenge 2015: yoochoose-clicks.dat, yoochoose-buys.dat, or SessionId/ItemId/Time"

    def matches(self, head: Head) -> float:
        """A line of session, time, item and one or two more cells; or the header of the derived table."""
        if head.columns >= _DERIVED:
            return 0.9
        cells = head.header
        shaped = len(cells) in (4, 5) and cells[0].isdecimal() and cells[2].isdecimal()
        return 0.8 if shaped and _TIME.match(cells[1]) else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per line."""
        start = stream.read(_START)
        cells = Head(start).header
        if set(cells) >= _DERIVED:
            return csv_rows(joined(start, stream), rename=_renamed, required=("session", "item", "seconds"))
        header = _PURCHASES if len(cells) == len(_PURCHASES) else _CLICKS
        return csv_rows(joined(start, stream), header=header)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """A click is a view of the product's page; a line of the purchases is a purchase."""
        session, item, time = row.text("session"), row.text("item"), row.first("time", "seconds")
        bought = "quantity" in row.fields
        yield behavior(
            Action.PURCHASE if bought else Action.VIEW,
            time_of_epoch(time, 1) if "seconds" in row.fields else utc_time(time),
            "time",
            options,
            "yoochoose", session, time, item, bought,
            product_id=item,
            session_id=session,
            # Price and quantity are 0 where the shop did not say them.
            quantity=quantity(row.get("quantity")) if bought else None,
            price=price(row.get("price"), options.currency) if row.text("price") != "0" else None,
        )  # fmt: skip


def _renamed(column: str) -> str:
    return {"SessionId": "session", "ItemId": "item", "Time": "seconds"}.get(column.strip(), column.strip())
