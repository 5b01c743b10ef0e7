"""The JSON Schemas of the events, generated from their types, and the files that hold the contract.

`json/<topic>.json` is what the code says now, `json/published/<topic>.json` what neighbours were last
promised: `schemas.compatibility` compares the two. `asyncapi.yaml` is written by `schemas.asyncapi`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas.asyncapi import TopicFacts, asyncapi
from schemas.compatibility import problems
from schemas.envelope import schema_uri
from schemas.events import EVENTS, CategoryFeedback, Event, ProductCreated, UserBehavior
from schemas.yaml_writer import yaml_text

FOLDER = Path(__file__).parent
"""Where the committed contract lies."""

READ_BY_US = frozenset({ProductCreated.topic, UserBehavior.topic, CategoryFeedback.topic})
"""The topics that others write and we read. All others are promises to their readers."""

# What the types cannot say and the codec demands, by topic. Each entry becomes a part of `allOf`.
RULES: dict[str, list[dict[str, Any]]] = {
    ProductCreated.topic: [
        {
            "if": {"properties": {"change": {"const": "withdrawn"}}, "required": ["change"]},
            "else": {"required": ["title"]},
        }
    ],
    UserBehavior.topic: [
        {
            "anyOf": [
                {"properties": {"user_id": {"type": "string"}}, "required": ["user_id"]},
                {"properties": {"session_id": {"type": "string"}}, "required": ["session_id"]},
            ]
        }
    ],
    CategoryFeedback.topic: [
        {
            "if": {"properties": {"verdict": {"const": "correct"}}},
            "then": {"properties": {"category_id": {"type": "integer"}}, "required": ["category_id"]},
        }
    ],
}


def components(ref_template: str) -> dict[str, dict[str, Any]]:
    """The schemas of all events and their parts by type name, with the rules beyond types added.

    Args:
        ref_template: where a part is found, such as `#/$defs/{name}`.
    """
    _, found = msgspec.json.schema_components(EVENTS, ref_template=ref_template)
    for event in EVENTS:
        if event.topic in RULES:
            found[event.__name__]["allOf"] = RULES[event.topic]
    return found


def json_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `event`, complete in itself."""
    parts = components("#/$defs/{name}")
    root = parts[event.__name__]
    needed: dict[str, dict[str, Any]] = {}
    _collect(root, parts, needed)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_uri(event.topic),
        **root,
    }
    if needed:
        schema["$defs"] = dict(sorted(needed.items()))
    return schema


def _collect(node: Any, parts: dict[str, dict[str, Any]], into: dict[str, dict[str, Any]]) -> None:
    """Gather every part that `node` refers to, directly or through others."""
    if isinstance(node, list):
        for each in node:
            _collect(each, parts, into)
    elif isinstance(node, dict):
        name = str(node.get("$ref", "")).removeprefix("#/$defs/")
        if name and name not in into:
            into[name] = parts[name]
            _collect(parts[name], parts, into)
        for each in node.values():
            _collect(each, parts, into)


def generated(topics: Sequence[TopicFacts]) -> dict[str, str]:
    """The files of the contract as the code says them: text by path relative to `FOLDER`.

    Args:
        topics: the facts of every public topic, in the order of the document.
    """
    files = {
        f"json/{event.topic}.json": json.dumps(json_schema(event), indent=2, ensure_ascii=False) + "\n"
        for event in EVENTS
    }
    files["asyncapi.yaml"] = yaml_text(asyncapi(topics, components("#/components/schemas/{name}")))
    return files


def drift(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Which of `files` differ from what lies in `folder`, or are missing there, by relative path."""
    return [
        path
        for path, text in files.items()
        if not (folder / path).is_file() or (folder / path).read_text(encoding="utf-8") != text
    ]


def write(files: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Write those of `files` that differ; returns their relative paths."""
    changed = drift(files, folder)
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path], encoding="utf-8")
    return changed


def incompatibilities(folder: Path = FOLDER) -> list[str]:
    """What in the types would break a neighbour who relies on the published schemas, a sentence each."""
    found = []
    for event in EVENTS:
        baseline = folder / "json" / "published" / f"{event.topic}.json"
        if baseline.is_file():
            promised = json.loads(baseline.read_text(encoding="utf-8"))
            written = event.topic not in READ_BY_US
            found += [
                f"{event.topic} {each}" for each in problems(promised, json_schema(event), written=written)
            ]
    return found


def publish(folder: Path = FOLDER) -> list[str]:
    """Make the schemas of today the promise of tomorrow; returns the relative paths that changed.

    Raises:
        ValueError: that would break the promise of yesterday.
    """
    broken = incompatibilities(folder)
    if broken:
        raise ValueError("; ".join(broken))
    files = {
        f"json/published/{event.topic}.json": json.dumps(json_schema(event), indent=2, ensure_ascii=False)
        + "\n"
        for event in EVENTS
    }
    return write(files, folder)
