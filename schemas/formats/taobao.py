"""Taobao's UserBehavior.csv (Tianchi): user, item, category, action and second, without a header."""

from collections.abc import Iterator
from typing import BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, time_of_epoch
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row

_HEADER = ["user", "item", "category", "action", "seconds"]
_ACTIONS = {"pv": Action.VIEW, "cart": Action.CART, "fav": Action.FAVORITE, "buy": Action.PURCHASE}


class Taobao(Format):
    """The file UserBehavior.csv."""

    name = "taobao"
    kind = Kind.BEHAVIOR
    title = "Taobao UserBehavior.csv: pv, cart, fav and buy"

    def matches(self, head: Head) -> float:
        """Five cells, the fourth an action of the format."""
        cells = head.header
        return 0.9 if len(cells) == len(_HEADER) and cells[3] in _ACTIONS and cells[4].isdecimal() else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per line."""
        return csv_rows(stream, header=_HEADER, delimiter=",")

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action. Lines that are the same in all columns are one event."""
        user, item, name, time = (row.text(each) for each in ("user", "item", "action", "seconds"))
        action = _ACTIONS.get(name)
        if action is None:
            raise invalid_row("action", f"is none of {', '.join(_ACTIONS)}")
        yield behavior(
            action,
            time_of_epoch(time, 1),
            "seconds",
            options,
            "taobao", user, item, name, time,
            product_id=item,
            user_id=user,
        )  # fmt: skip
