"""The contract files: JSON Schemas generated from the event types, and the AsyncAPI document.

`json/<topic>.json` is generated from the current code. `json/published/<topic>.json` is the schema of the
last release, which clients rely on. `schemas.compatibility` compares the two. `schemas.asyncapi` builds
`asyncapi.yaml`.
"""

from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import orjson

from schemas.all_events import EVENTS
from schemas.asyncapi import TopicFacts, asyncapi
from schemas.behavior import WITHOUT_PRODUCT
from schemas.compatibility import breaking_changes
from schemas.envelope import schema_uri
from schemas.events import CategoryFeedback, Event, ProductCreated, UserBehavior
from schemas.input_schemas import widen
from schemas.yaml_writer import yaml_text

FOLDER = Path(__file__).parent
"""The directory of the committed contract files."""

INPUT_TOPICS = frozenset({ProductCreated.topic, UserBehavior.topic, CategoryFeedback.topic})
"""The topics that clients write and shelfstream reads. shelfstream writes all others."""


def _given(field: str) -> dict[str, Any]:
    """Return the schema of an object in which an identifier is neither missing nor null."""
    return {"properties": {field: {"type": ["string", "integer"]}}, "required": [field]}


# Rules that the codec checks and the types cannot express, by topic. Each entry becomes a part of `allOf`.
RULES: dict[str, list[dict[str, Any]]] = {
    ProductCreated.topic: [
        {
            "if": {"properties": {"change": {"const": "withdrawn"}}, "required": ["change"]},
            "else": {"required": ["title"]},
        },
        {
            "if": {"properties": {"change": {"const": "withdrawn"}}, "required": ["change"]},
            "else": {"properties": {"title": {"type": "string"}}},
        },
    ],
    UserBehavior.topic: [
        {"anyOf": [_given("user_id"), _given("anonymous_id"), _given("session_id")]},
        {
            "if": {
                "properties": {"action": {"enum": sorted(each.value for each in WITHOUT_PRODUCT)}},
                "required": ["action"],
            },
            "else": _given("product_id"),
        },
        {
            "if": {"properties": {"action": {"const": "identify"}}, "required": ["action"]},
            "then": {"allOf": [_given("user_id"), {"anyOf": [_given("anonymous_id"), _given("session_id")]}]},
        },
    ],
    CategoryFeedback.topic: [
        {
            "if": {"properties": {"verdict": {"const": "correct"}}},
            "then": {"properties": {"category_id": {"type": "integer"}}, "required": ["category_id"]},
        }
    ],
}


INTENDED = frozenset({"product-created $.language: the pattern differs from the published one"})
"""Changes that `breaking_changes` finds and that reject no record: a wrong language is only left out."""


def components(ref_template: str) -> dict[str, dict[str, Any]]:
    """Generate the schemas of all events and of the types that they contain.

    Args:
        ref_template: The form of a reference to a type, such as `#/$defs/{name}`.

    Returns:
        JSON Schemas by type name. Those of events include `RULES`.
    """
    _, schemas = msgspec.json.schema_components(EVENTS, ref_template=ref_template)
    widen(schemas, ref_template)
    for event in EVENTS:
        if event.topic in RULES:
            schemas[event.__name__]["allOf"] = RULES[event.topic]
    for schema in schemas.values():
        # Python 3.13 strips the indentation of docstrings and earlier releases keep it.
        schema["description"] = cleandoc(schema["description"])
        _name_inline_types(schema)
        _put_null_last(schema)
    return schemas


def _name_inline_types(schema: dict[str, Any]) -> None:
    """Title maps and small enumerations in the properties of a type, for generators of code."""
    for field, each in schema.get("properties", {}).items():
        for node in (each, *each.get("anyOf", ())):
            if "enum" in node or node.get("type") == "object":
                node.setdefault("title", schema["title"] + field.title().replace("_", ""))


def _put_null_last(node: Any) -> None:
    """Order alternatives as msgspec 0.22 does: 0.21 puts null first, and the files must not depend on it."""
    children = node if isinstance(node, list) else node.values() if isinstance(node, dict) else ()
    if isinstance(node, dict) and "anyOf" in node:
        node["anyOf"].sort(key=lambda each: each == {"type": "null"})
    for each in children:
        _put_null_last(each)


def json_schema(event: type[Event]) -> dict[str, Any]:
    """Generate the self-contained JSON Schema (draft 2020-12) of `event`."""
    types = components("#/$defs/{name}")
    root = types[event.__name__]
    referenced: dict[str, dict[str, Any]] = {}
    _collect_references(root, types, referenced)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_uri(event.topic),
        **root,
    }
    if referenced:
        schema["$defs"] = dict(sorted(referenced.items()))
    return schema


def _collect_references(
    node: Any, types: dict[str, dict[str, Any]], referenced: dict[str, dict[str, Any]]
) -> None:
    """Add to `referenced` each of `types` that `node` refers to, directly or through other types."""
    if isinstance(node, list):
        for each in node:
            _collect_references(each, types, referenced)
    elif isinstance(node, dict):
        name = str(node.get("$ref", "")).removeprefix("#/$defs/")
        if name and name not in referenced:
            referenced[name] = types[name]
            _collect_references(types[name], types, referenced)
        for each in node.values():
            _collect_references(each, types, referenced)


def contract_files(topics: Sequence[TopicFacts]) -> dict[str, str]:
    """Generate the contract files from the code.

    Args:
        topics: The properties of every public topic, in the order of the document.

    Returns:
        The text of each file by its path relative to `FOLDER`.
    """
    files = {f"json/{event.topic}.json": _schema_text(event) for event in EVENTS}
    files["asyncapi.yaml"] = yaml_text(asyncapi(topics, components("#/components/schemas/{name}")))
    return files


def _schema_text(event: type[Event]) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(json_schema(event), option=options).decode()


def outdated_files(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Return the paths of those `files` that are missing in `folder` or differ from the file there."""
    return [
        path
        for path, text in files.items()
        if not (folder / path).is_file() or (folder / path).read_text(encoding="utf-8") != text
    ]


def write(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Write those `files` that are missing in `folder` or differ, and return their relative paths."""
    changed = outdated_files(files, folder)
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path], encoding="utf-8")
    return changed


def incompatibilities(folder: Path = FOLDER) -> list[str]:
    """Return a sentence for each change of the types that breaks clients of the published schemas."""
    sentences = []
    for event in EVENTS:
        baseline = folder / "json" / "published" / f"{event.topic}.json"
        if baseline.is_file():
            published = orjson.loads(baseline.read_bytes())
            written = event.topic not in INPUT_TOPICS
            sentences += [
                sentence
                for each in breaking_changes(published, json_schema(event), written=written)
                if (sentence := f"{event.topic} {each}") not in INTENDED
            ]
    return sentences


def publish(folder: Path = FOLDER) -> list[str]:
    """Replace the published schemas by the current ones.

    Returns:
        The relative paths of the files that changed.

    Raises:
        ValueError: A change breaks clients of the published schemas; the message lists every such change.
    """
    sentences = incompatibilities(folder)
    if sentences:
        raise ValueError("; ".join(sentences))
    files = {f"json/published/{event.topic}.json": _schema_text(event) for event in EVENTS}
    return write(files, folder)
