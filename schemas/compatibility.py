"""Checks whether a changed JSON Schema is compatible with the published one.

There are two checks. First, the new schema must accept every value that the published one accepts, because
topics hold older records and producers upgrade later. Second, a schema of events that shelfstream writes must
not accept more than the published one, because consumers rely on it. A new optional field passes both checks.
So does a new name in an enumeration, which consumers are told to expect.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]

# Each bound, with its strict form if it has one.
_LOWER_BOUNDS = (("minimum", "exclusiveMinimum"), ("minLength", ""), ("minItems", ""), ("minProperties", ""))
_UPPER_BOUNDS = (("maximum", "exclusiveMaximum"), ("maxLength", ""), ("maxItems", ""), ("maxProperties", ""))


class Narrowing(NamedTuple):
    """One way in which a schema accepts fewer values than another.

    Attributes:
        kind: `type`, `rule`, `enum`, `bound`, `removed` or `required`.
        path: The JSON path of the field.
        detail: What differs, in a few words.
    """

    kind: str
    path: str
    detail: str


def breaking_changes(published: Schema, current: Schema, *, written: bool) -> list[str]:
    """List the incompatible changes from `published` to `current`.

    Args:
        published: The schema that clients rely on.
        current: The current schema.
        written: Whether shelfstream writes these events, so that consumers must be protected too.

    Returns:
        A sentence for each incompatible change; empty if the change is compatible.
    """
    sentences = [f"{each.path}: {each.detail}" for each in narrowings(published, current)]
    if written:
        sentences += [
            f"{each.path}: accepts more than the published schema, which consumers rely on ({each.kind})"
            for each in narrowings(current, published)
            if each.kind not in ("removed", "enum")
        ]
    return sentences


def narrowings(old: Schema, new: Schema) -> list[Narrowing]:
    """List the ways in which `new` accepts fewer values than `old`, or lacks a field of it."""
    return list(_compare(_Node(old, old), _Node(new, new), "$", frozenset()))


class _Node(NamedTuple):
    """A schema and the document that its references point into."""

    schema: Schema
    document: Schema

    def at(self, schema: Schema) -> "_Node":
        """Return the node of another schema of the same document, with its reference resolved."""
        while "$ref" in schema:
            target: Any = self.document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        return _Node(schema, self.document)

    def branches(self) -> list["_Node"]:
        """Return the alternatives of a union and of the unions in it, or this node alone."""
        if "anyOf" not in self.schema:
            return [self]
        return [branch for each in self.schema["anyOf"] for branch in self.at(each).branches()]


def _compare(old: _Node, new: _Node, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    old, new = old.at(old.schema), new.at(new.schema)
    pair = (id(old.schema), id(new.schema))
    if pair in seen:  # a recursive type
        return
    seen |= {pair}
    olds, news = old.branches(), new.branches()
    if len(olds) == len(news) == 1:
        yield from _plain(olds[0], news[0], path, seen)
        return
    for branch in olds:
        attempts = [list(_plain(branch, other, path, seen)) for other in news]
        if not any(not attempt for attempt in attempts):
            # The alternative with the fewest differences gives the clearest message.
            yield from min(
                attempts, key=lambda attempt: (any(n.kind == "type" for n in attempt), len(attempt))
            )


def _plain(old: _Node, new: _Node, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    if not _types(old.schema) <= _types(new.schema):
        yield Narrowing(
            "type", path, f"was {_names(_types(old.schema))} and is now {_names(_types(new.schema))}"
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
        Narrowing("rule", path, f"has a rule that the published schema lacks: {rule}")
        for rule in new.schema.get("allOf", [])
        if not _is_implied(old, rule)
    )


def _is_implied(old: _Node, rule: Schema) -> bool:
    """Return whether all values that `old` accepts satisfy a rule, as far as one part of `old` shows it."""
    if rule in old.schema.get("allOf", []):
        return True
    if "if" in rule:
        parts = [rule.get("else", {})] + ([] if _is_impossible(old, rule["if"]) else [rule.get("then", {})])
        return all(_is_implied(old, part) for part in parts)
    premises = ({**old.schema, "allOf": []}, *old.schema.get("allOf", ()))
    return any(
        all(each.kind == "removed" for each in _compare(old.at(premise), _Node(rule, rule), "$", frozenset()))
        for premise in premises
    )


def _is_impossible(old: _Node, condition: Schema) -> bool:
    """Return whether a condition holds only for values of a property that `old` does not accept."""
    for name, wanted in condition.get("properties", {}).items():
        property_ = old.schema.get("properties", {}).get(name)
        accepted = None if property_ is None else _enumeration(old.at(property_).schema)
        values = _enumeration(wanted)
        if name in condition.get("required", ()) and accepted is not None and values is not None:
            return not set(accepted) & set(values)
    return False


_ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_JSON_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def _types(schema: Schema) -> frozenset[str]:
    """Return the JSON types that a schema accepts; `number` includes `integer`."""
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
        # The reverse comparison reports an enumeration that became any text.
        return
    if before is None:
        yield Narrowing("type", path, f"accepts only one of {after} now")
    elif gone := [value for value in before if value not in after]:
        yield Narrowing("enum", path, f"no longer accepts {gone}")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Narrowing]:
    for bounds, sign in ((_LOWER_BOUNDS, 1), (_UPPER_BOUNDS, -1)):
        for names in bounds:
            published = _bound(old, names, sign)
            current = _bound(new, names, sign)
            if current is not None and (published is None or published < current):
                name = names[1] if names[1] in new else names[0]
                yield Narrowing("bound", path, f"{name} {new[name]} is stricter than published")
    if "pattern" in new and new["pattern"] != old.get("pattern") and not _says_the_same(old, new):
        yield Narrowing("bound", path, "the pattern differs from the published one")


def _bound(schema: Schema, names: tuple[str, str], sign: int) -> tuple[float, bool] | None:
    """Return a bound that grows with its strictness, and whether it excludes its number; None without one."""
    found = [(sign * schema[name], name == names[1]) for name in names if name in schema]
    return max(found, default=None)


def _says_the_same(old: Schema, new: Schema) -> bool:
    """Whether a pattern spells out what the published schema says by the name of a format."""
    return "format" in old and old["format"] == new.get("format")


def _fields(old: _Node, new: _Node, path: str, seen: frozenset[tuple[int, int]]) -> Iterator[Narrowing]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from _compare(old.at(schema), new.at(after[name]), f"{path}.{name}", seen)
        else:
            yield Narrowing("removed", f"{path}.{name}", "was removed")
    for name in new.schema.get("required", []):
        if name not in old.schema.get("required", []):
            yield Narrowing("required", f"{path}.{name}", "is now required")
