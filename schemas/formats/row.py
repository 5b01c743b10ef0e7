"""One unit of a file, and what a file may not say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.errors import InvalidEvent

Fields = dict[str, Any]
"""An event as the contract's JSON object."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a file may not say. Nothing here is guessed: a missing value stays missing in the events.

    Args:
        currency: ISO 4217 code of prices without one.
        language: Language of listings without one.
        shop_id: The shop of all events.
        shop_url: Address of the shop, for formats that name a product's page by its handle alone.
        variants: One listing per variant where the format keeps variants within a product.
        now: The time of the import, for sales that have a period.
    """

    currency: str | None = None
    language: str | None = None
    shop_id: str | None = None
    shop_url: str | None = None
    variants: bool = False
    now: datetime | None = None


class Row:
    """One unit of a file: a line of a table, a JSON object, an XML element, or lines that belong together.

    Args:
        place: Where it is, for messages: `line 7`, `item 3`.
        fields: Its values by column or key.
        used: The file's set of columns that were read; `get` adds to it.
        fault: What is wrong with the row itself, or None. A row with a fault has no fields to trust.
    """

    __slots__ = ("fault", "fields", "place", "used")

    def __init__(
        self, place: str, fields: Mapping[str, Any], used: set[str], fault: str | None = None
    ) -> None:
        self.place = place
        self.fields = fields
        self.used = used
        self.fault = fault

    def get(self, name: str) -> Any:
        """Return the value of a column, or None; the column counts as used."""
        self.used.add(name)
        return self.fields.get(name)

    def text(self, name: str) -> str:
        """Return the trimmed text of a column; empty if it is missing, null, or neither text nor number."""
        value = self.get(name)
        if isinstance(value, str):
            return value.strip()
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def first(self, *names: str) -> str:
        """Return the text of the first of these columns that has one; all of them count as used."""
        texts = [self.text(name) for name in names]
        return next((text for text in texts if text), "")


_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+")


def check_not_rounded(column: str, identifier: str) -> None:
    """Raise InvalidEvent if a table program rounded an id, as in `8.41E+12`: many products have it then."""
    if _ROUNDED.fullmatch(identifier):
        raise invalid_row(
            column, "a table program has rounded this id; export the column as text, or import the original"
        )


def invalid_row(column: str, problem: str) -> InvalidEvent:
    """Return the error for a row that cannot become an event.

    Args:
        column: The column or path at fault.
        problem: What is wrong and what to do, without the row's text.
    """
    return InvalidEvent("invalid-row", f"{column}: {problem}", column)
