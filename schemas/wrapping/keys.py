"""The identity that a wrapped key names: a product or a shopper."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.errors import InvalidEvent
from schemas.wrapping.connect_json import payload_of
from schemas.wrapping.recognition import is_with_schema

PRODUCT_FIELDS = ("product_id",)
SHOPPER_FIELDS = ("user_id", "anonymous_id", "session_id")


def key_document(key: bytes) -> Any:
    """Decode a key that may be JSON: a string, a number, or an object with or without a schema.

    Returns:
        The decoded key: a dict for an object, else the identity as text. Bytes that are no JSON stay.
    """
    if key[:1] not in (b"{", b'"'):
        return key
    try:
        document = msgspec.json.decode(key)
    except (ValueError, RecursionError):
        return key
    if is_with_schema(document):
        document = payload_of(document)
    return document


def product_key(document: Any) -> bytes | None:
    """Return the product that a decoded key names.

    Args:
        document: The decoded key.

    Returns:
        The product's id. None if the key has several columns, none of which is `product_id`.
    """
    if not isinstance(document, dict):
        return scalar_key(document)
    product = named(document, PRODUCT_FIELDS)
    if product is None and len(document) == 1:
        product = scalar_key(next(iter(document.values())))
    return product


def shopper_key(document: Any, event: dict[str, Any]) -> bytes | None:
    """Return the key of a behavior event, if the decoded key is the shopper and nothing else.

    Args:
        document: The decoded key.
        event: The unwrapped event.

    Returns:
        The shopper's id, for the contract's check.

    Raises:
        InvalidEvent: `key-mismatch`: The key is another one, such as that of the row.
    """
    if not isinstance(document, dict):
        return scalar_key(document)
    shoppers = {scalar_key(event.get(name)) for name in SHOPPER_FIELDS} - {None}
    keys = {scalar_key(value) for value in document.values()}
    if len(document) == 1 and keys <= shoppers:
        return keys.pop()
    raise InvalidEvent(
        "key-mismatch",
        f"the key has the columns {', '.join(sorted(map(str, document)))[:200]}, but it must be the shopper "
        "alone, whose events must be in one partition; key the topic by user_id (Debezium: "
        "`message.key.columns`; Kafka Connect: the transforms ValueToKey and ExtractField$Key), and write "
        "the topic again",
        "$.user_id",
    )


def scalar_key(value: Any) -> bytes | None:
    """Return an identity as a record's key: text, a whole number, or bytes. None for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass") or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode()
    return None


def named(fields: Any, names: Iterable[str]) -> bytes | None:
    """Return the first identity that a document has under one of these names. None if it has none."""
    if not isinstance(fields, dict):
        return None
    return next((found for name in names if (found := scalar_key(fields.get(name))) is not None), None)
