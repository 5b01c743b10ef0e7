"""The JSON Schemas of the forms that input values may have, as named types beside those of the events.

A value fits its schema if and only if the codec takes it without leaving anything out. Two things no schema
can say: the check digit of a GTIN, and which days a month has.
"""

from typing import Any

from schemas.events import CategoryFeedback, ProductCreated, UserBehavior
from schemas.fields import CURRENCY_PATTERN, IDENTIFIER_PATTERN
from schemas.forms import (
    AMOUNT_PATTERN,
    AVAILABILITY_PATTERN,
    GREATEST_IDENTIFIER,
    GREATEST_NUMBER,
    GTIN_PATTERN,
    LANGUAGE_PATTERN,
    LEAST_IDENTIFIER,
    PRICE_PATTERN,
)
from schemas.times import RFC_3339_PATTERN, SECONDS, TIME_PATTERN, UNITS

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}
_NUMBER: Schema = {"type": "number", "minimum": -GREATEST_NUMBER, "maximum": GREATEST_NUMBER}
_SCALAR: list[Schema] = [{"type": "string"}, _NUMBER, {"type": "boolean"}]


def _text(description: str, pattern: str) -> Schema:
    return {"type": "string", "description": description, "pattern": pattern}


DEFINITIONS: dict[str, Schema] = {
    "IdentifierText": {
        **_text("1 to 256 characters, no control characters", IDENTIFIER_PATTERN),
        "minLength": 1,
        "maxLength": 256,
    },
    "IdentifierNumber": {
        "type": "integer",
        "description": 'an identifier as a number, read as its digits: `42` is the same as `"42"`',
        "minimum": LEAST_IDENTIFIER,
        "maximum": GREATEST_IDENTIFIER,
    },
    "Time": {
        **_text("RFC 3339 (`2024-05-01T12:30:00Z`): the form to write", RFC_3339_PATTERN),
        "format": "date-time",
    },
    "TimeText": _text(
        "other forms of ISO 8601 with date and time, `2024-05-01 12:30:00 UTC`, and digits of `EpochTime`; "
        "without a zone the time is in UTC",
        TIME_PATTERN,
    ),
    "EpochTime": {
        "description": "seconds, milliseconds or microseconds since 1970, by magnitude, from September 2001 "
        "to May 2033",
        "anyOf": [
            {"type": "number", "minimum": SECONDS[0] * unit, "exclusiveMaximum": SECONDS[1] * unit}
            for unit in UNITS
        ],
    },
    "AmountText": _text("an amount with a decimal point, such as `19.99`", AMOUNT_PATTERN),
    "PriceWithTextAmount": {
        "type": "object",
        "description": "a price whose amount is written as text",
        "properties": {
            "amount": {
                "$ref": "AmountText",
                "description": "the amount, in units of the currency",
            },
            "currency": {
                "description": "ISO 4217 code, or null if it is not known",
                "anyOf": [{"type": "string", "pattern": CURRENCY_PATTERN}, NULL],
            },
        },
        "required": ["amount"],
    },
    "PriceText": _text(
        "an amount with a decimal point and a code of ISO 4217 in either order, such as `19.99 EUR`",
        PRICE_PATTERN,
    ),
    "LanguageTag": _text("a language tag of BCP 47, such as `en`, `de-AT` or `zh-Hant`", LANGUAGE_PATTERN),
    "Gtin": _text("GTIN-8, 12 (UPC), 13 (EAN) or 14 with a valid check digit", GTIN_PATTERN),
    "GtinNumber": {
        "description": "a GTIN as a number, read as its digits",
        "anyOf": [
            {"type": "integer", "minimum": 10**7, "maximum": 10**8 - 1},
            {"type": "integer", "minimum": 10**11, "maximum": 10**14 - 1},
        ],
    },
    "AvailabilityText": _text(
        "an availability in other words of Merchant Center or schema.org, such as `in stock` or "
        "`https://schema.org/InStock`",
        AVAILABILITY_PATTERN,
    ),
    "AttributeValue": {
        "description": "a text; numbers, booleans and lists become texts, and null is no value",
        "anyOf": [*_SCALAR, {"type": "array", "items": {"anyOf": [*_SCALAR, NULL]}}, NULL],
    },
}
"""The schemas of the forms by name. References among them are bare names."""


def _any_of(*names: str, null: bool = True) -> list[Schema]:
    return [*({"$ref": name} for name in names), *([NULL] if null else [])]


_ID = ("IdentifierText", "IdentifierNumber")
_TIME = ("Time", "TimeText", "EpochTime")
_PRICE = ("Price", "PriceWithTextAmount", "PriceText")
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": int(GREATEST_NUMBER)}

ALTERNATIVES: dict[str, dict[str, list[Schema]]] = {
    ProductCreated.__name__: {
        "product_id": _any_of(*_ID, null=False),
        "event_id": _any_of(*_ID),
        "group_id": _any_of(*_ID),
        "occurred_at": _any_of(*_TIME),
        "price": _any_of(*_PRICE),
        "sale_price": _any_of(*_PRICE),
        "language": _any_of("LanguageTag"),
        "gtin": _any_of("Gtin", "GtinNumber"),
        "sku": [{"type": "string"}, _WHOLE, NULL],
        "availability": _any_of("Availability", "AvailabilityText"),
    },
    UserBehavior.__name__: {
        "product_id": _any_of(*_ID),
        "event_id": _any_of(*_ID),
        "user_id": _any_of(*_ID),
        "session_id": _any_of(*_ID),
        "anonymous_id": _any_of(*_ID),
        "occurred_at": _any_of(*_TIME, null=False),
        "price": _any_of(*_PRICE),
    },
    CategoryFeedback.__name__: {
        "product_id": _any_of(*_ID, null=False),
        "event_id": _any_of(*_ID),
        "occurred_at": _any_of(*_TIME),
    },
}
"""The forms of the fields that have more than their type says, by event and field."""

NOT_NULL = frozenset({"schema_version"})
"""Optional fields that may be absent, but not null."""


def widen(types: dict[str, Schema], ref_template: str) -> None:
    """Let the schemas of input events say all that the codec takes.

    Args:
        types: JSON Schemas by type name, changed in place. The definitions of forms are added.
        ref_template: The form of a reference to a type, such as `#/$defs/{name}`.
    """
    for name, definition in DEFINITIONS.items():
        types[name] = _resolved(definition, ref_template) | {"title": name}
    for event, alternatives in ALTERNATIVES.items():
        schema = types[event]
        if "attributes" in schema["properties"]:
            schema["properties"]["attributes"]["additionalProperties"] = _resolved(
                {"$ref": "AttributeValue"}, ref_template
            )
        for field, choices in alternatives.items():
            schema["properties"][field] = _with_choices(
                schema["properties"][field], _resolved(choices, ref_template)
            )
        for field, property_ in schema["properties"].items():
            if field not in schema.get("required", ()) and field not in NOT_NULL:
                schema["properties"][field] = _nullable(property_)


def _resolved(node: Any, ref_template: str) -> Any:
    """Return a copy of a schema with full references."""
    if isinstance(node, list):
        return [_resolved(each, ref_template) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: ref_template.format(name=each) if name == "$ref" else _resolved(each, ref_template)
        for name, each in node.items()
    }


def _with_choices(schema: Schema, choices: list[Schema]) -> Schema:
    """Return a property with other alternatives. Its description and default stay."""
    kept = {name: schema[name] for name in ("description", "default") if name in schema}
    return kept | {"anyOf": choices}


def _nullable(schema: Schema) -> Schema:
    """Return a schema that takes null too."""
    if NULL in schema.get("anyOf", ()):
        return schema
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], NULL]}
    return _with_choices(
        schema,
        [{name: each for name, each in schema.items() if name not in ("description", "default")}, NULL],
    )
