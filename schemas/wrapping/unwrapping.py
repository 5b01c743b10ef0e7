"""Unwraps the key and the value of a record to those of the contract, as the topic's setting says.

Nothing here reads from Kafka or a registry: the decoder of Confluent's wire format is passed in.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.behavior import UserBehavior
from schemas.errors import InvalidEvent
from schemas.listings import Change, ProductCreated
from schemas.wrapping import keys
from schemas.wrapping.cloudevents import cloud_event, fill, filled_from_headers, header_attributes
from schemas.wrapping.connect_json import payload_of
from schemas.wrapping.debezium import CREATED, DELETED, UPDATED, RowChange, row_change
from schemas.wrapping.recognition import Recognized, is_envelope, is_with_schema, misread_as, not_as_set

Headers = Iterable[tuple[str, bytes | None]]
FrameDecoder = Callable[[bytes, bool, Headers], Any]
"""Decodes bytes of Confluent's wire format: the bytes, whether they are a key, and the record's headers.
Raises InvalidEvent, or RetryLater while the registry does not answer."""
EventMapping = Callable[[Any], Sequence[dict[str, Any]]]
"""Maps a document to events of the contract. Raises InvalidEvent."""

_IDENTIFIERS = (
    *("product_id", "event_id", "user_id", "session_id", "anonymous_id"),
    *("shop_id", "group_id", "sku", "gtin"),
)


class KeyValue(NamedTuple):
    """A key and a value of the contract."""

    key: bytes | None
    value: bytes | None


class Unwrapper:
    """Unwraps the records of one input topic.

    Args:
        topic: The topic.
        setting: How its values are wrapped: a value of the setting.
        decode_frame: Decodes Confluent's wire format; needed for `confluent` settings.
        mapping: Maps unwrapped documents to events; None if they are events.
    """

    def __init__(
        self,
        topic: str,
        setting: str = "plain",
        decode_frame: FrameDecoder | None = None,
        mapping: EventMapping | None = None,
    ) -> None:
        self._topic = topic
        self._setting = setting
        self._decode_frame = decode_frame if "confluent" in setting else None
        self._mapping = mapping
        self._has_changes = "debezium" in setting
        self._has_products = topic == ProductCreated.topic
        self._has_actions = topic == UserBehavior.topic

    @property
    def reads_plain(self) -> bool:
        """Whether values are those of the contract, so that only headers can add to them."""
        return self._setting == "plain" and self._mapping is None

    def unwrap(self, key: bytes | None, value: bytes | None, headers: Headers) -> list[KeyValue]:
        """Unwrap a record.

        Args:
            key: The record's key.
            value: The record's value.
            headers: The record's headers.

        Returns:
            The events: usually one. None if the record says nothing that matters, such as the deletion of an
            action's row.

        Raises:
            InvalidEvent: The record cannot be unwrapped.
            RetryLater: The schema registry does not answer.
        """
        if self.reads_plain:
            return [KeyValue(key, filled_from_headers(value, headers))]
        key_document = self._key_document(key, headers)
        if value is None:
            return self._of_tombstone(key_document)
        document, has_schema = self._document(value, headers)
        change = self._change(document, value, has_schema)
        if change is None:
            events = self._events(document, value, headers)
        elif change.operation == DELETED:
            return self._of_deletion(key_document, change)
        elif change.operation == UPDATED and self._has_actions:
            return []  # the row of an action that happened before
        else:
            events = self._events_of_row(change)
        return [KeyValue(self._key(key_document, event), _encode(event)) for event in events]

    def _key_document(self, key: bytes | None, headers: Headers) -> Any:
        if key is None or self._setting in ("plain", "cloudevents"):
            return key
        if self._decode_frame is not None and is_framed(key, ()):
            return self._decode_frame(key, True, headers)
        return keys.key_document(key)

    def _document(self, value: bytes, headers: Headers) -> tuple[Any, bool]:
        """Decode a value. Return it without its schema, and whether it came with one."""
        if self._decode_frame is not None:
            if not is_framed(value, headers):
                raise self._not_as_set(value, "Confluent's wire format (magic byte 0 and a schema id)")
            return self._decode_frame(value, False, headers), True
        try:
            document = msgspec.json.decode(value)
        except (ValueError, RecursionError) as error:
            raise self._not_as_set(value, "valid JSON") from error
        if self._has_changes and is_with_schema(document):
            return payload_of(document), True
        return document, False

    def _change(self, document: Any, value: bytes, has_schema: bool) -> RowChange | None:
        """Return the change of a row that a document is. None if it is an event or a row itself."""
        if self._has_changes:
            change = row_change(document)
            # A row with a schema is what ExtractNewRecordState and other connectors write.
            if change is None and not (isinstance(document, dict) and has_schema):
                raise self._not_as_set(value, "a Debezium change event or a row with its schema", document)
            return change
        if self._setting == "confluent" and is_envelope(document):
            found = Recognized("debezium-envelope", "a Debezium change event", "confluent+debezium")
            raise misread_as(self._topic, found, self._setting)
        return None

    def _events_of_row(self, change: RowChange) -> list[dict[str, Any]]:
        events = self._mapped(change.row)
        if not self._has_actions or change.operation == CREATED:
            for each in events:
                fill(each, None, change.changed_at)
        return events

    def _events(self, document: Any, value: bytes, headers: Headers) -> list[dict[str, Any]]:
        """Return the events of a document, with the id and the time that its wrapping knows."""
        event_id, occurred_at = header_attributes(headers)
        if self._setting == "cloudevents":
            event = cloud_event(document)
            if event is not None:
                document, event_id, occurred_at = event
            elif not any(name == "ce_specversion" for name, _ in headers):
                raise self._not_as_set(value, "a CloudEvent, in structured or binary mode", document)
        events = self._mapped(document)
        for each in events:
            fill(each, event_id if len(events) == 1 else None, occurred_at)
        return events

    def _mapped(self, document: Any) -> list[dict[str, Any]]:
        if self._mapping is not None:
            events = [_without_nulls(each) for each in self._mapping(document)]
        elif isinstance(document, dict):
            events = [_without_nulls(document)]
        else:
            raise InvalidEvent("invalid-field", "$: the unwrapped value is no object; fix the producer", "$")
        if len(events) > 1:
            self._check_several(events)
        return events

    def _check_several(self, events: Sequence[dict[str, Any]]) -> None:
        """Raise InvalidEvent if several events of one record cannot be processed together."""
        shoppers = {keys.named(each, keys.SHOPPER_FIELDS) for each in events}
        if self._has_actions and len(shoppers) == 1:
            return
        of_several = ", of several shoppers" if self._has_actions else ""
        raise InvalidEvent(
            "several-events",
            f"the mapping makes {len(events)} events of this record{of_several}, but a record of "
            f"{self._topic} belongs to one partition; write each as a record of its own "
            "(`shelfstream import --to-kafka`)",
        )

    def _key(self, document: Any, event: dict[str, Any]) -> bytes | None:
        """Return the record's key for an event. None if the key names a row, and the event its product."""
        if document is None:
            return None
        if self._has_actions:
            return keys.shopper_key(document, event)
        return None if isinstance(document, dict) else keys.scalar_key(document)

    def _of_tombstone(self, key_document: Any) -> list[KeyValue]:
        if not self._has_products:
            return [] if self._has_changes else [KeyValue(keys.scalar_key(key_document), None)]
        product = keys.named(self._mapped_key(key_document), keys.PRODUCT_FIELDS)
        product = product or keys.product_key(key_document)
        if product is None and key_document is not None:
            raise _unnamed(key_document)
        return [KeyValue(product, None)]

    def _of_deletion(self, key_document: Any, change: RowChange) -> list[KeyValue]:
        """Return the withdrawal of a product. Actions and decisions are not undone by deleting their rows."""
        if not self._has_products:
            return []
        for fields in (self._mapped_key(change.row), change.row, self._mapped_key(key_document)):
            product = keys.named(fields, keys.PRODUCT_FIELDS)
            if product is not None:
                break
        else:
            product = keys.product_key(key_document)
        if product is None:
            raise _unnamed(key_document)
        event = {"product_id": product.decode("utf-8", "replace"), "change": Change.WITHDRAWN.value}
        fill(event, None, change.changed_at)
        return [KeyValue(product, _encode(event))]

    def _mapped_key(self, document: Any) -> Any:
        """Return what the mapping makes of the columns of a key. None if it makes nothing of them."""
        if self._mapping is None or not isinstance(document, dict):
            return None
        try:
            events = self._mapping(document)
        except InvalidEvent:
            return None
        return events[0] if len(events) == 1 else None

    def _not_as_set(self, value: bytes, expected: str, document: Any = None) -> InvalidEvent:
        return not_as_set(self._topic, value, self._setting, expected, document)


def is_framed(value: bytes, headers: Headers) -> bool:
    """Whether bytes are of Confluent's wire format: with a schema id before them, or in the headers."""
    return (value[:1] == b"\x00" and len(value) > 5) or any(name == VALUE_SCHEMA_ID for name, _ in headers)


VALUE_SCHEMA_ID = "__value_schema_id"
"""The header in which Confluent's newer serializers write the id of a value's schema."""


def _without_nulls(event: dict[str, Any]) -> dict[str, Any]:
    """Leave out null columns, and write numbers that are ids as text."""
    event = {name: value for name, value in event.items() if value is not None}
    for name in _IDENTIFIERS:
        if isinstance(event.get(name), int) and not isinstance(event[name], bool):
            event[name] = str(event[name])
    return event


def _encode(event: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (ValueError, TypeError, RecursionError) as error:
        why = f"$: the unwrapped value cannot be written as JSON: {error}"
        raise InvalidEvent("invalid-field", why, "$") from error


def _unnamed(key_document: Any) -> InvalidEvent:
    has = ", ".join(sorted(map(str, key_document)))[:200] if isinstance(key_document, dict) else "nothing"
    return InvalidEvent(
        "invalid-key",
        f"the deleted product is not named: the key has {has}, and neither product_id nor one column alone; "
        "key the topic by the product's id (Debezium: `message.key.columns`)",
    )
