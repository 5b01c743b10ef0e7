"""UCI Online Retail: lines of invoices, with cancellations. Both the 2015 table and the 2019 one (II)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, quantity
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import price, utc_time

_NAMES = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
_COLUMNS = {"InvoiceNo", "StockCode", "Quantity", "InvoiceDate"}
_PRODUCT = re.compile(r"\d{5}[A-Za-z]*")
_DATES = ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M")


class OnlineRetail(Format):
    """The tables Online Retail and Online Retail II, as CSV."""

    name = "online-retail"
    kind = Kind.BEHAVIOR
    title = "UCI Online Retail and Online Retail II: lines of invoices"

    def matches(self, head: Head) -> float:
        """The columns of one of the tables."""
        return 0.95 if {_renamed(column) for column in head.columns} >= _COLUMNS else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per line."""
        return csv_rows(stream, rename=_renamed, required=sorted(_COLUMNS))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """A purchase, or a return where the invoice is a cancellation. Fees and corrections give no event.

        Codes of products are five digits and letters; postage, discounts and the like have others. A negative
        quantity without a cancellation is a correction of the stock.
        """
        code, invoice, time = (row.text(each) for each in ("StockCode", "InvoiceNo", "InvoiceDate"))
        count = row.text("Quantity")
        cancelled = invoice.upper().startswith("C")
        if not code:
            raise invalid_row("StockCode", "is missing")
        if not _PRODUCT.fullmatch(code) or (count.startswith("-") and not cancelled):
            return
        customer = row.text("CustomerID").removesuffix(".0")
        yield behavior(
            Action.RETURN if cancelled else Action.PURCHASE,
            _time(time),
            "InvoiceDate",
            options,
            "online-retail", invoice, code, count, time,
            product_id=code,
            user_id=customer,
            session_id=invoice,
            quantity=quantity(count.removeprefix("-")),
            price=price(row.get("UnitPrice"), options.currency or "GBP"),
        )  # fmt: skip


def _renamed(column: str) -> str:
    return _NAMES.get(column.strip(), column.strip())


def _time(text: str) -> str | None:
    """Read a time of the table: ISO 8601, or as a table program wrote it, months first if both fit."""
    found = utc_time(text)
    for form in _DATES if found is None else ():
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
        except ValueError:
            continue
    return found
