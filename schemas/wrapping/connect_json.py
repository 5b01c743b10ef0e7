"""Kafka Connect's JSON: the payload of `{"schema": …, "payload": …}`, its values converted by the schema.

JsonConverter writes what a schema calls a time as a number, and a decimal as base64. The names of the types
are those of Kafka Connect (`org.apache.kafka.connect.data.*`) and of Debezium (`io.debezium.time.*`).
"""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEEPEST = 50
_UNAVAILABLE = "__debezium_unavailable_value"


def payload_of(document: dict[str, Any]) -> Any:
    """Return the payload of Connect's JSON, with times as RFC 3339 and decimals as text."""
    return convert(document["payload"], document["schema"])


def convert(value: Any, schema: Any, depth: int = 0) -> Any:
    """Convert a value by its schema. What the schema does not describe stays as it is.

    Args:
        value: A decoded JSON value.
        schema: A schema of Kafka Connect, decoded.
        depth: The number of schemas around this one.
    """
    if value is None or not isinstance(schema, dict) or depth > _DEEPEST:
        return value
    conversion = _CONVERSIONS.get(str(schema.get("name")))
    if conversion is not None:
        try:
            return conversion(value, schema)
        except (ValueError, TypeError, KeyError, OverflowError, ArithmeticError, binascii.Error):
            return value
    fields, items = schema.get("fields"), schema.get("items")
    if isinstance(value, dict) and isinstance(fields, list):
        named = {str(each.get("field")): each for each in fields if isinstance(each, dict)}
        return {name: convert(each, named.get(name), depth + 1) for name, each in value.items()}
    if isinstance(value, list) and items is not None:
        return [convert(each, items, depth + 1) for each in value]
    return value


def without_unavailable(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out columns that the database did not log, for which Debezium writes a placeholder."""
    return {name: value for name, value in row.items() if value != _UNAVAILABLE}


def _time(unit: timedelta) -> Callable[[Any, dict[str, Any]], str]:
    def convert_time(value: Any, schema: dict[str, Any]) -> str:
        return (_EPOCH + int(value) * unit).isoformat().replace("+00:00", "Z")

    return convert_time


def _nanoseconds(value: Any, schema: dict[str, Any]) -> str:
    return (_EPOCH + timedelta(microseconds=int(value) // 1000)).isoformat().replace("+00:00", "Z")


def _date(value: Any, schema: dict[str, Any]) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(value))).isoformat()


def _decimal(value: Any, schema: dict[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    return decimal_text(value, int(schema["parameters"]["scale"]))


def _variable_decimal(value: Any, schema: dict[str, Any]) -> Any:
    return decimal_text(value["value"], int(value["scale"]))


def decimal_text(encoded: str, scale: int) -> str:
    """Return a decimal as text, from its unscaled value as big-endian bytes in base64.

    Raises:
        ValueError: It is no base64, or the scale is absurd.
    """
    if abs(scale) > 1000:
        raise ValueError(scale)
    unscaled = int.from_bytes(base64.b64decode(encoded, validate=True), "big", signed=True)
    return f"{Decimal(unscaled).scaleb(-scale):f}"


_CONVERSIONS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "org.apache.kafka.connect.data.Timestamp": _time(timedelta(milliseconds=1)),
    "org.apache.kafka.connect.data.Date": _date,
    "org.apache.kafka.connect.data.Decimal": _decimal,
    "io.debezium.time.Timestamp": _time(timedelta(milliseconds=1)),
    "io.debezium.time.MicroTimestamp": _time(timedelta(microseconds=1)),
    "io.debezium.time.NanoTimestamp": _nanoseconds,
    "io.debezium.time.Date": _date,
    "io.debezium.data.VariableScaleDecimal": _variable_decimal,
}
