"""The constrained field types that the events share, and their patterns."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

# The patterns stand in the JSON Schemas only, and the codec checks them itself: msgspec runs Python's `re`
# for each field that has one, which made decoding a behaviour event three times as slow.
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
    int, Meta(ge=1, le=2**31 - 1, description="units, at least 1; a return is its own action")
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
