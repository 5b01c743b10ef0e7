"""The constrained field types of the events, and their patterns."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

# The patterns are part of the JSON Schemas only, and `schemas.rules` checks them. msgspec would run Python's
# `re` for each such field, which made decoding a behavior event three times as slow.
IDENTIFIER_PATTERN = r"^[^\x00-\x1f\x7f]+$"
CURRENCY_PATTERN = "^[A-Z]{3}$"

Identifier = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description="1 to 256 characters, no control characters",
        extra_json_schema={"pattern": IDENTIFIER_PATTERN},
    ),
]
Currency = Annotated[str, Meta(min_length=3, max_length=3, extra_json_schema={"pattern": CURRENCY_PATTERN})]
Quantity = Annotated[
    float,
    Meta(
        ge=0.001,
        le=2**31 - 1,
        description="number of units, or of kilograms and the like; what comes back has the action `return`, "
        "and a purchase below 0 is rejected",
    ),
]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Version = Literal[1]
Timestamp = Annotated[
    datetime,
    Meta(
        description="RFC 3339, UTC (`2024-05-01T12:30:00Z`)",
        extra_json_schema={"format": "date-time"},
    ),
]
