"""RetailRocket's open log (events.csv): views, carts and transactions of visitors."""

from collections.abc import Iterator
from typing import BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, time_of_epoch
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row

_COLUMNS = {"timestamp", "visitorid", "event", "itemid"}
_ACTIONS = {"view": Action.VIEW, "addtocart": Action.CART, "transaction": Action.PURCHASE}


class RetailRocket(Format):
    """The file events.csv of RetailRocket's recommender data set."""

    name = "retailrocket"
    kind = Kind.BEHAVIOR
    title = "RetailRocket events.csv: views, carts and transactions"

    def matches(self, head: Head) -> float:
        """The columns of the table."""
        return 0.95 if head.columns >= _COLUMNS else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per line."""
        return csv_rows(stream, required=("timestamp", "visitorid", "event", "itemid"))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action. A visitor is a guest; the file names no users and no sessions."""
        name, time = row.text("event"), row.text("timestamp")
        action = _ACTIONS.get(name)
        if action is None:
            raise invalid_row("event", f"is none of {', '.join(_ACTIONS)}")
        visitor, item, transaction = (row.text(each) for each in ("visitorid", "itemid", "transactionid"))
        yield behavior(
            action,
            time_of_epoch(time, 1000),
            "timestamp",
            options,
            "retailrocket", time, name, visitor, item, transaction,
            product_id=item,
            anonymous_id=visitor,
        )  # fmt: skip
