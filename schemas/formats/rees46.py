"""REES46's open logs of shops: a table with a header, one action per line."""

from collections.abc import Iterator
from typing import BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import price, utc_time

_COLUMNS = {"event_time", "event_type", "product_id", "user_id", "user_session"}
_ACTIONS = {
    "view": Action.VIEW,
    "cart": Action.CART,
    "remove_from_cart": Action.REMOVE_FROM_CART,
    "purchase": Action.PURCHASE,
}


class Rees46(Format):
    """The open data of REES46 Marketing Platform."""

    name = "rees46"
    kind = Kind.BEHAVIOR
    title = "REES46 open data: CSV of views, carts and purchases"

    def matches(self, head: Head) -> float:
        """The columns of the table."""
        return 0.95 if head.columns >= _COLUMNS else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per line."""
        return csv_rows(stream, required=("event_time", "event_type", "product_id"))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action. Lines that are the same in all columns are one event."""
        name, time = row.text("event_type"), row.text("event_time")
        action = _ACTIONS.get(name)
        if action is None:
            raise invalid_row("event_type", f"is none of {', '.join(_ACTIONS)}")
        product, user, session = (row.text(each) for each in ("product_id", "user_id", "user_session"))
        yield behavior(
            action,
            utc_time(time.removesuffix(" UTC")),
            "event_time",
            options,
            "rees46", time, name, product, user, session,
            product_id=product,
            user_id=user,
            session_id=session,
            price=price(row.get("price"), options.currency),
        )  # fmt: skip
