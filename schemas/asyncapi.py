"""Builds the AsyncAPI 3 document, which holds all that a producer or a consumer needs in one file."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from schemas.all_events import EVENTS
from schemas.asyncapi_text import CHANNELS, INTRODUCTION, TOMBSTONES
from schemas.codec import encode
from schemas.dead_letters import DESCRIPTIONS, FIELD, LEFT_OUT, TOPIC
from schemas.envelope import event_type, output_headers, output_id, schema_uri
from schemas.events import Event, Source
from schemas.examples import EXAMPLES

CONTRACT_VERSION = "1.0.0"
_KAFKA_BINDING = "0.5.0"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_RECEIVED = ("product-created", "user-behavior", "category-feedback")
_EXAMPLE_SOURCES = {
    "product-enriched": "/shelfstream/enrich",
    "enrichment-review": "/shelfstream/enrich",
    "affinity-updated": "/shelfstream/affinity",
    "shopper-updated": "/shelfstream/sessions",
    "shelfstream-audit": "/shelfstream/commands",
}
_BY_TOPIC: dict[str, type[Event]] = {event.topic: event for event in EVENTS}
_EXAMPLE = {example.topic: example for example in EXAMPLES}


class TopicFacts(NamedTuple):
    """The properties of a topic that the document describes.

    Attributes:
        name: The topic.
        key: What a record's key is, in words.
        partitions: The default number of partitions.
        config: Broker settings such as `cleanup.policy`, `retention.ms` and `max.message.bytes`.
    """

    name: str
    key: str
    partitions: int
    config: dict[str, str]

    @property
    def compacted(self) -> bool:
        """Whether the topic is compacted, so that a null value removes its key."""
        return self.config.get("cleanup.policy") == "compact"


def asyncapi(topics: Sequence[TopicFacts], schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Build the document as plain data.

    Args:
        topics: Every public topic: those of `EVENTS`, and `dead-letter`.
        schemas: JSON Schemas by type name, with references into `#/components/schemas`.

    Returns:
        Dicts, lists, strings, numbers and None, for `schemas.yaml_writer`.
    """
    headers = {
        "InputHeaders": _input_headers(),
        "OutputHeaders": _output_headers(),
        "DeadLetterHeaders": _dead_letter_headers(),
    }
    messages: dict[str, Any] = {}
    for topic in topics:
        messages |= _messages(topic)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "shelfstream", "version": CONTRACT_VERSION, "description": INTRODUCTION},
        "defaultContentType": "application/json",
        "servers": {
            "example": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "Replace this address with your cluster's bootstrap server. Partitions and "
                "retention below are the defaults; your deployment may use other values.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {_operation_name(topic): _operation(topic) for topic in topics},
        "components": {"messages": messages, "schemas": schemas | headers},
    }


def _message_names(topic: TopicFacts) -> list[str]:
    event = _BY_TOPIC.get(topic.name)
    if event is None:
        return ["DeadLetter"]
    return [event.__name__, f"{event.__name__}Tombstone"] if topic.name in TOMBSTONES else [event.__name__]


def _channel(topic: TopicFacts) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, value in topic.config.items():
        config[name] = [value] if name == "cleanup.policy" else int(value)
    title, description = CHANNELS[topic.name]
    return {
        "address": topic.name,
        "title": title,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": config,
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _operation_name(topic: TopicFacts) -> str:
    words = "".join(word.capitalize() for word in topic.name.split("-"))
    return ("receive" if topic.name in _RECEIVED else "send") + words


def _operation(topic: TopicFacts) -> dict[str, Any]:
    received = topic.name in _RECEIVED
    return {
        "action": "receive" if received else "send",
        "summary": f"shelfstream {'reads' if received else 'writes'} {topic.name}; "
        f"your application {'writes' if received else 'reads'} it.",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _message_names(topic)],
    }


def _messages(topic: TopicFacts) -> dict[str, Any]:
    event = _BY_TOPIC.get(topic.name)
    if event is None:
        return {"DeadLetter": _dead_letter(topic)}
    name = event.__name__
    headers = "InputHeaders" if topic.name in _RECEIVED else "OutputHeaders"
    key = {"kafka": {"key": _key(topic), "bindingVersion": _KAFKA_BINDING}}
    example = _EXAMPLE[topic.name]
    messages: dict[str, Any] = {
        name: {
            "name": event_type(topic.name),
            "title": name,
            "summary": (event.__doc__ or "").split("\n", 1)[0],
            "contentType": "application/json",
            "headers": {"$ref": f"#/components/schemas/{headers}"},
            "payload": {"$ref": f"#/components/schemas/{name}"},
            "bindings": key,
            "examples": [
                {
                    "name": name[0].lower() + name[1:],
                    "headers": _example_headers(example),
                    "payload": orjson.loads(encode(example)),
                }
            ],
        }
    }
    if topic.name in TOMBSTONES:
        messages[f"{name}Tombstone"] = {
            "name": f"{event_type(topic.name)}.tombstone",
            "title": f"{name} tombstone",
            "summary": TOMBSTONES[topic.name],
            "headers": {"$ref": f"#/components/schemas/{headers}"},
            "payload": {
                "type": "null",
                "description": "A null Kafka value: no value at all, not the JSON text `null`.",
            },
            "bindings": key,
        }
    return messages


def _dead_letter(topic: TopicFacts) -> dict[str, Any]:
    return {
        "name": event_type(TOPIC),
        "title": "DeadLetter",
        "summary": "A record that could not be processed, unchanged, with the reason in added headers.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "The original value, byte for byte. It may be null or not JSON."},
        "bindings": {"kafka": {"key": _key(topic), "bindingVersion": _KAFKA_BINDING}},
    }


def _key(topic: TopicFacts) -> dict[str, Any]:
    if topic.name == TOPIC:
        return {"description": "The original key, byte for byte. It may be null."}
    return {"type": "string", "minLength": 1, "description": f"{topic.key}, in UTF-8"}


def _example_headers(example: Event) -> dict[str, str]:
    """Return the headers of an example record, as shelfstream writes them on outputs."""
    subject: str = next(
        str(value) for name in ("product_id", "user_id", "action") if (value := getattr(example, name, ""))
    )
    source = getattr(example, "source", None) or Source(topic="user-behavior", partition=0, offset=1207)
    event_id = output_id(source, "student-1", "2021-09-21", example.topic, subject)
    headers = output_headers(
        example.topic,
        event_id=getattr(example, "event_id", None) or event_id,
        source=_EXAMPLE_SOURCES.get(example.topic, "/shops/uk"),
        subject=subject,
        traceparent=_TRACE.encode(),
    )
    return {name: value.decode() for name, value in headers}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _cloud_headers() -> dict[str, Any]:
    return {
        "content-type": _text("media type of the value", const="application/json"),
        "ce_specversion": _text("CloudEvents version", const="1.0"),
        "ce_id": _text("id of the event; unique together with ce_source"),
        "ce_source": _text("producer of the event, as a URI reference", format="uri-reference"),
        "ce_type": _text(f"type of the event, such as `{event_type('product-enriched')}`"),
        "ce_subject": _text("subject of the event: a product_id or a shopper id"),
        "ce_time": _text("time at which the event happened, RFC 3339", format="date-time"),
        "ce_dataschema": _text(
            f"`$id` of the value's JSON Schema, such as `{schema_uri('product-enriched')}`", format="uri"
        ),
        "traceparent": _text("W3C Trace Context of the record that caused this one"),
    }


def _input_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0, binary mode. All headers are optional on records that you write. "
        "shelfstream copies a valid `traceparent` to its outputs. Values are UTF-8 text.",
        "properties": _cloud_headers(),
    }


def _output_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0, binary mode. `ce_id` is derived from the source record and the "
        "versions of model and taxonomy, so a record that is processed again yields the same `ce_id`. "
        "Values are UTF-8 text.",
        "required": ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject"],
        "properties": _cloud_headers(),
    }


def _dead_letter_headers() -> dict[str, Any]:
    optional = (FIELD, LEFT_OUT)
    return {
        "type": "object",
        "description": "The headers of the original record, unchanged, followed by these. Names that "
        "start with `__streams.errors.` are those of Kafka Streams (KIP-1034). Values are UTF-8 text.",
        "required": [name for name in DESCRIPTIONS if name not in optional],
        "properties": {name: _text(description) for name, description in DESCRIPTIONS.items()},
    }
