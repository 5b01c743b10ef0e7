"""The checker accepts additions and reports changes that break producers, stored records or consumers."""

from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.all_events import EVENTS
from schemas.compatibility import breaking_changes, narrowings
from schemas.contracts import json_schema
from schemas.events import Event

Schema = dict[str, Any]

OLD: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "maxLength": 8},
        "count": {"type": "integer", "minimum": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"$ref": "#/$defs/Kind"},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {
        "Kind": {"enum": ["a", "b"]},
        "Part": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}


def _changed(path: str, value: Any) -> Schema:
    """Return OLD with the value at a slash-separated path replaced, or removed if it is None."""
    schema = deepcopy(OLD)
    *way, last = path.split("/")
    place = schema
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return schema


BREAKING = {
    "field removed": ("properties/count", None, "$.count"),
    "inner field removed": ("$defs/Part/properties/x", None, "$.parts[].x"),
    "field made required": ("required", ["id", "count"], "$.count"),
    "type changed": ("properties/count", {"type": "string"}, "$.count"),
    "number narrowed to integer": ("$defs/Part/properties/x", {"type": "integer"}, "$.parts[].x"),
    "null no longer accepted": ("properties/note", {"type": "string"}, "$.note"),
    "enum narrowed": ("$defs/Kind", {"enum": ["a"]}, "$.kind"),
    "enum introduced": ("properties/id", {"type": "string", "enum": ["a"], "maxLength": 8}, "$.id"),
    "longer text no longer accepted": ("properties/id/maxLength", 4, "$.id"),
    "minimum raised": ("properties/count/minimum", 2, "$.count"),
    "bound introduced": ("properties/count/maximum", 99, "$.count"),
    "pattern introduced": ("properties/id/pattern", "^x", "$.id"),
    "values of a map narrowed": ("properties/more/additionalProperties", {"type": "null"}, "$.more[]"),
    "unknown fields rejected": ("additionalProperties", False, "$"),
    "rule introduced": ("allOf", [{"required": ["note"]}], "$"),
}


@pytest.mark.parametrize(("path", "value", "where"), BREAKING.values(), ids=list(BREAKING))
@pytest.mark.parametrize("written", [True, False])
def test_a_breaking_change_is_reported_with_its_path(
    path: str, value: Any, where: str, written: bool
) -> None:
    sentences = breaking_changes(OLD, _changed(path, value), written=written)
    assert any(each.startswith(f"{where}:") for each in sentences), sentences


ADDITIONS = {
    "optional field added": ("properties/new", {"type": "string"}),
    "inner optional field added": ("$defs/Part/properties/y", {"type": "string"}),
    "name added to an enum": ("$defs/Kind", {"enum": ["a", "b", "c"]}),
    "description added": ("properties/id/description", "text"),
}


@pytest.mark.parametrize(("path", "value"), ADDITIONS.values(), ids=list(ADDITIONS))
@pytest.mark.parametrize("written", [True, False])
def test_additions_are_compatible(path: str, value: Any, written: bool) -> None:
    assert breaking_changes(OLD, _changed(path, value), written=written) == []


RULED: Schema = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "id": {"type": "string"},
        "user": {"type": ["string", "null"]},
    },
    "required": ["kind", "id"],
    "allOf": [{"anyOf": [{"required": ["user"]}, {"required": ["session"]}]}],
}
_IF_NEW = {"properties": {"kind": {"enum": ["c", "d"]}}, "required": ["kind"]}


@pytest.mark.parametrize(
    ("rule", "compatible"),
    [
        ({"anyOf": [{"required": ["user"]}, {"required": ["session"]}, {"required": ["guest"]}]}, True),
        ({"anyOf": [{"required": ["user"]}, {"required": ["guest"]}]}, False),
        ({"if": _IF_NEW, "then": {"required": ["guest"]}}, True),
        ({"if": _IF_NEW, "else": {"required": ["id"]}}, True),
        ({"if": _IF_NEW, "else": {"required": ["guest"]}}, False),
        ({"if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["guest"]}}, False),
    ],
)
def test_a_rule_is_compatible_if_published_values_satisfy_it(rule: Schema, compatible: bool) -> None:
    current = RULED | {
        "properties": RULED["properties"] | {"kind": {"enum": ["a", "b", "c", "d"]}},
        "required": ["kind"],
        "allOf": [rule],
    }
    assert (breaking_changes(RULED, current, written=False) == []) is compatible


WIDENINGS: dict[str, tuple[str, Any]] = {
    "no longer required": ("required", []),
    "bound dropped": ("properties/id/maxLength", None),
    "type widened": ("properties/count", {"type": ["integer", "null"], "minimum": 1}),
    "any text instead of names": ("$defs/Kind", {"type": "string"}),
}


@pytest.mark.parametrize(("path", "value"), WIDENINGS.values(), ids=list(WIDENINGS))
def test_widening_is_compatible_for_inputs_and_breaks_consumers_of_outputs(path: str, value: Any) -> None:
    assert breaking_changes(OLD, _changed(path, value), written=False) == []
    assert breaking_changes(OLD, _changed(path, value), written=True)


def test_a_recursive_type_is_compared_once() -> None:
    kids = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
    tree: Schema = {
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "object", "properties": {"kids": kids}}},
    }
    assert breaking_changes(tree, deepcopy(tree), written=True) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_every_real_schema_is_compatible_with_itself(event: type[Event]) -> None:
    assert breaking_changes(json_schema(event), json_schema(event), written=True) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_in_every_real_schema_each_removed_field_is_reported(event: type[Event]) -> None:
    for name in json_schema(event)["properties"]:
        smaller = json_schema(event)
        del smaller["properties"][name]
        assert f"$.{name}: was removed" in breaking_changes(json_schema(event), smaller, written=True)


leaves = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "integer", "minimum": 2},
        {"type": "null"},
        {"type": "string", "maxLength": 1},
        {"enum": ["a"]},
        {"enum": ["a", "bb"]},
        {"const": 1},
        {},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"anyOf": [{"type": "integer"}, {"enum": ["a"]}]},
    ]
)
schemas = st.builds(
    lambda properties, required: {
        "type": "object",
        "properties": properties,
        "required": sorted(required & properties.keys()),
    },
    st.dictionaries(st.sampled_from("pq"), leaves),
    st.sets(st.sampled_from("pq")),
)
VALUES: list[Any] = [None, 1, 2, 7, 1.5, "", "a", "bb"]
INSTANCES: list[Any] = [{"p": p, "q": q} for p in VALUES for q in VALUES] + [
    {},
    *({name: value} for name in "pq" for value in VALUES),
]


@given(schemas, schemas)
def test_a_compatible_schema_accepts_every_instance_of_the_old_one(old: Schema, new: Schema) -> None:
    """Without narrowings, brute force finds no instance that fits the old schema and not the new one.

    Fields that only the new schema has are left out, because the old one ignored them.
    """
    if narrowings(old, new):
        return
    for instance in INSTANCES:
        known = {name: value for name, value in instance.items() if name in old["properties"]}
        if jsonschema.Draft202012Validator(old).is_valid(known):
            assert jsonschema.Draft202012Validator(new).is_valid(known), known
