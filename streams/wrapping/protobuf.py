"""Protobuf messages of Confluent's wire format, decoded by the registry's schemas, without generated code."""

from typing import Any

from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.schema_registry.serde import SchemaId
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from schemas.errors import InvalidEvent

_WHOLE_NUMBERS = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}

_TEXT_ALONE = (
    "the schema registry gives this Protobuf schema as text alone, and not serialized (`format=serialized`), "
    "as Confluent's and Karapace do; use such a registry, or a producer that registers serialized schemas"
)


class MessageReader(ProtobufDeserializer):  # type: ignore[misc]
    """Reads messages of any type that the registry describes.

    confluent-kafka's deserializer wants a generated class. Its parser of schemas does not.

    Args:
        client: The client of a registry. It is asked for schemas in their serialized form only.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(Empty, {"use.deprecated.format": False}, client)
        self._classes: dict[tuple[Any, ...], Any] = {}

    def read(self, framed: bytes, context: Any) -> dict[str, Any]:
        """Decode a message.

        Args:
            framed: The bytes.
            context: The context with the header of the schema's id; None if the id stands before the message.

        Returns:
            The message as what JSON has, by the names of its fields in the schema.

        Raises:
            Exception: The bytes do not fit, or the registry does not answer.
        """
        schema_id = SchemaId("PROTOBUF")
        payload = self._schema_id_deserializer(framed, context, schema_id)
        indexes = tuple(schema_id.message_indexes or (0,))
        at = (schema_id.id, schema_id.guid, indexes)
        if at not in self._classes:
            schema = self._get_writer_schema(schema_id, None, fmt="serialized")
            if "{" in (schema.schema_str or ""):
                raise InvalidEvent("unreadable-schema", _TEXT_ALONE)
            file, pool = self._get_parsed_schema(schema)
            described = self._get_message_desc(pool, pool.FindFileByName(file.name), list(indexes))
            self._classes[at] = GetMessageClass(described)
        message = self._classes[at]()
        message.ParseFromString(payload.read())
        document: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
        _restore_numbers(document, message.DESCRIPTOR)
        return document


def _restore_numbers(document: dict[str, Any], described: Any) -> None:
    """Write whole numbers of 64 bits as numbers, in place. Protobuf's JSON has them as text."""
    for field in described.fields:
        value = document.get(field.name)
        if value is None or (field.message_type is not None and field.message_type.GetOptions().map_entry):
            continue
        each = value if isinstance(value, list) else [value]
        if field.type in _WHOLE_NUMBERS:
            numbers = [int(number) for number in each]
            document[field.name] = numbers if isinstance(value, list) else numbers[0]
        elif field.message_type is not None:
            for inner in each:
                if isinstance(inner, dict):
                    _restore_numbers(inner, field.message_type)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
