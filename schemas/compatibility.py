"""Whether a changed JSON Schema still keeps what the published one promised.

Two questions. Does the new schema take everything that the published one took? (Records wait in topics, and
producers don't upgrade with us.) And, for what we write: does it still promise readers everything? A new
optional field keeps both; so does a new name in an enumeration, which readers are told to expect.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


class Narrowing(NamedTuple):
    """One way in which a schema takes less than another: what kind, where and a few words."""

    kind: str
    path: str
    said: str


def problems(published: Schema, current: Schema, *, written: bool) -> list[str]:
    """What the change from `published` to `current` would break.

    Args:
        published: the schema that neighbours rely on.
        current: the schema of today.
        written: whether we write these events, so that readers' promises count too.

    Returns:
        A sentence for each problem; empty if the change is compatible.
    """
    found = [f"{each.path}: {each.said}" for each in narrowings(published, current)]
    if written:
        found += [
            f"{each.path}: the promise to readers is weaker than published ({each.kind})"
            for each in narrowings(current, published)
            if each.kind not in ("removed", "enum")
        ]
    return found


def narrowings(old: Schema, new: Schema) -> list[Narrowing]:
    """Every way found in which `new` refuses or no longer names what `old` took."""
    return list(_compare(_Side(old, old), _Side(new, new), "$", frozenset()))


class _Side(NamedTuple):
    """A schema and the document that its references point into."""

    schema: Schema
    document: Schema

    def at(self, schema: Schema) -> "_Side":
        """Another schema of the same document, its reference followed."""
        while "$ref" in schema:
            target: Any = self.document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        return _Side(schema, self.document)

    def branches(self) -> list["_Side"]:
        """The alternatives of a union, or the schema alone."""
        return [self.at(each) for each in self.schema.get("anyOf", [self.schema])]


def _compare(old: _Side, new: _Side, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    old, new = old.at(old.schema), new.at(new.schema)
    pair = (id(old.schema), id(new.schema))
    if pair in seen:  # a type that holds itself
        return
    seen |= {pair}
    olds, news = old.branches(), new.branches()
    if len(olds) == len(news) == 1:
        yield from _plain(olds[0], news[0], path, seen)
        return
    for branch in olds:
        attempts = [list(_plain(branch, other, path, seen)) for other in news]
        if not any(not attempt for attempt in attempts):
            # The likeliest counterpart gives the clearest words.
            yield from min(
                attempts, key=lambda attempt: (any(n.kind == "type" for n in attempt), len(attempt))
            )


def _plain(old: _Side, new: _Side, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    if not _types(old.schema) <= _types(new.schema):
        yield Narrowing(
            "type", path, f"was {_names(_types(old.schema))} and is {_names(_types(new.schema))} now"
        )
        return
    yield from _values(old.schema, new.schema, path)
    yield from _bounds(old.schema, new.schema, path)
    yield from _fields(old, new, path, seen)
    for keyword in ("items", "additionalProperties"):
        before, after = old.schema.get(keyword, {}), new.schema.get(keyword, {})
        if before == after == {}:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(old.at(before), new.at(after), f"{path}[]", seen)
        elif before is not False and before != after:
            yield Narrowing("type", path, f"`{keyword}` is narrower than published")
    yield from (
        Narrowing("rule", path, f"has a rule that was not published: {rule}")
        for rule in new.schema.get("allOf", [])
        if rule not in old.schema.get("allOf", [])
    )


_ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_JSON_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def _types(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema takes; `number` includes `integer`."""
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        types = frozenset(named)
    elif values := _enumeration(schema):
        types = frozenset(_JSON_NAMES.get(type(value), "object") for value in values)
    else:
        types = _ALL_TYPES
    return types | {"integer"} if "number" in types else types


def _names(types: frozenset[str]) -> str:
    if types == _ALL_TYPES:
        return "anything"
    return " or ".join(sorted(types - {"integer"} if "number" in types else types))


def _enumeration(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _values(old: Schema, new: Schema, path: str) -> Iterator[Narrowing]:
    before, after = _enumeration(old), _enumeration(new)
    if after is None:
        # Seen from the other side, a list of names that became any text is a weaker promise.
        return
    if before is None:
        yield Narrowing("type", path, f"is one of {after} only now")
    elif gone := [value for value in before if value not in after]:
        yield Narrowing("enum", path, f"no longer takes {gone}")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Narrowing]:
    for keyword in _LOWER_BOUNDS:
        if keyword in new and not (keyword in old and old[keyword] >= new[keyword]):
            yield Narrowing("bound", path, f"{keyword} {new[keyword]} is stricter than published")
    for keyword in _UPPER_BOUNDS:
        if keyword in new and not (keyword in old and old[keyword] <= new[keyword]):
            yield Narrowing("bound", path, f"{keyword} {new[keyword]} is stricter than published")
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield Narrowing("bound", path, "the pattern is not the published one")


def _fields(old: _Side, new: _Side, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from _compare(old.at(schema), new.at(after[name]), f"{path}.{name}", seen)
        else:
            yield Narrowing("removed", f"{path}.{name}", "was removed")
    for name in new.schema.get("required", []):
        if name not in old.schema.get("required", []):
            yield Narrowing("required", f"{path}.{name}", "is required now")
