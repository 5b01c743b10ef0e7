"""Mapping files: TOML that says where the fields of an event are in the documents of any other system.

A mapping has a JMESPath expression for each field (https://jmespath.org/specification.html), compiled once.
The docstring of `Mapping.read` lists the tables of the file.
"""

import tomllib
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from typing import Any, NamedTuple, Self

from schemas.errors import InvalidFile
from schemas.events import ProductCreated, UserBehavior
from schemas.formats.conversions import Conversion, conversion
from schemas.formats.extras import required_extra
from schemas.formats.row import Fields, invalid_row

DOCUMENT = "document"
"""The name under which the expressions of a `for_each` see the whole document."""

_EVENTS = {each.topic: each for each in (ProductCreated, UserBehavior)}
_NESTED = {"price", "sale_price", "attributes"}
_TABLES = {"topic", "for_each", "when", "fields", "constants", "values", "convert"}
_SHOWN = 200


class _Expression(NamedTuple):
    """A compiled expression, with its text for errors."""

    text: str
    search: Any

    def of(self, document: Any, where: str) -> Any:
        """Evaluate the expression; where it does not fit the document, raise InvalidEvent for `where`."""
        from jmespath.exceptions import JMESPathError

        try:
            return self.search(document)
        except (JMESPathError, TypeError, ValueError, AttributeError) as error:
            # The error's own text quotes the document.
            problem = f"the expression {self.text[:_SHOWN]} does not fit the value ({type(error).__name__})"
            raise invalid_row(where, problem) from error


class _Field(NamedTuple):
    """How one field of the event is made."""

    path: tuple[str, ...]
    expression: _Expression
    values: MappingOf[str, Any] | None
    form: str | None
    convert: Conversion | None


class Mapping:
    """A mapping that was read from a file. It is immutable and thread-safe.

    Attributes:
        topic: The topic of its events.
        names: The names of the documents' keys that its expressions mention.
    """

    def __init__(
        self,
        topic: str,
        fields: list[_Field],
        constants: Fields,
        for_each: _Expression | None,
        when: _Expression | None,
    ) -> None:
        self.topic = topic
        self._fields, self._constants = fields, constants
        self._for_each, self._when = for_each, when
        every = [field.expression for field in fields] + [each for each in (for_each, when) if each]
        self.names = frozenset(name for each in every for name in _names(each.search.__self__.parsed))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a mapping.

        `topic` is `product-created` or `user-behavior`. `for_each` is an expression that gives a list: each
        element becomes an event, and sees the whole document as `document`. `when` is an expression; where
        it is false or null, there is no event. `[fields]` has the expression of each field, also of
        `price.amount`, `price.currency` and `attributes.NAME`. `[constants]` has values. `[values.FIELD]`
        translates values. `[convert]` names a conversion of `schemas.formats.conversions` for a field.

        Args:
            text: The file's text.

        Raises:
            InvalidFile: The file is no TOML, or a part of it is wrong; the message says which and why. Or
                the library jmespath is missing.
        """
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidFile(f"the mapping is no TOML: {error}") from error
        unknown = sorted(set(tables) - _TABLES)
        if unknown:
            raise InvalidFile(f"`{unknown[0]}` is none of {', '.join(sorted(_TABLES))}")
        topic = tables.get("topic")
        if topic not in _EVENTS:
            raise InvalidFile(f"`topic` must be one of {', '.join(_EVENTS)}")
        fields = _table(tables, "fields")
        if not fields:
            raise InvalidFile("[fields] is missing or empty: it has the expression of each field")
        constants = _constants(topic, _table(tables, "constants"))
        _refuse_overlaps([*dict(_flat(fields)), *constants])
        return cls(
            topic,
            list(_fields(topic, fields, _table(tables, "values"), _table(tables, "convert"))),
            constants,
            _optional(tables, "for_each"),
            _optional(tables, "when"),
        )

    def events(self, document: object) -> list[Fields]:
        """Return the events of a document as JSON objects of the contract. Empty fields are left out.

        Args:
            document: A decoded JSON value, or a row of a table by column.

        Raises:
            InvalidEvent: An expression or a conversion does not fit the document; `field` is the event's.
        """
        return [self._event(each) for each in self._elements(document) if self._applies(each)]

    def _elements(self, document: object) -> Iterator[object]:
        if self._for_each is None:
            yield document
            return
        found = self._for_each.of(document, "for_each")
        if found is not None and not isinstance(found, list):
            raise invalid_row("for_each", f"{self._for_each.text[:_SHOWN]} gives no list")
        for element in found or ():
            own = element if isinstance(element, MappingOf) else {"item": element}
            yield {**own, DOCUMENT: document}

    def _applies(self, document: object) -> bool:
        return self._when is None or bool(self._when.of(document, "when"))

    def _event(self, document: object) -> Fields:
        event: Fields = {}
        for name, constant in self._constants.items():
            _put(event, tuple(name.split(".")), constant)
        for field in self._fields:
            value = field.expression.of(document, ".".join(field.path))
            if value in (None, "", [], {}):
                continue
            if field.values is not None:
                value = _translated(field, value)
            if field.convert is not None:
                value = _converted(field, value)
            if value is not None:
                _put(event, field.path, value)
        return event


def _translated(field: _Field, value: Any) -> Any:
    assert field.values is not None
    # TOML writes the keys of a table as JSON writes true and false.
    key = str(value).lower() if isinstance(value, bool) else str(value)
    if key not in field.values:
        raise invalid_row(
            ".".join(field.path), f"is none of {', '.join(field.values)[:_SHOWN]}, which [values] translates"
        )
    return field.values[key]


def _converted(field: _Field, value: Any) -> Any:
    assert field.convert is not None
    try:
        return field.convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise invalid_row(".".join(field.path), f"cannot be read as `{field.form}`") from error


def _put(event: Fields, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        event = event.setdefault(name, {})
    event[path[-1]] = value


def _fields(topic: str, fields: Fields, values: Fields, convert: Fields) -> Iterator[_Field]:
    flat = dict(_flat(fields))
    for table, used in (("values", values), ("convert", dict(_flat(convert)))):
        for name in used:
            if name not in flat:
                raise InvalidFile(f"[{table}] has `{name}`, but [fields] has not")
    conversions = dict(_flat(convert))
    for name, text in flat.items():
        path = _path(topic, name)
        translated = values.get(name)
        if translated is not None and not isinstance(translated, MappingOf):
            raise InvalidFile(f"[values.{name}] must be a table of values")
        yield _Field(
            path,
            _expression(f"fields.{name}", text),
            translated,
            conversions.get(name),
            conversion(name, conversions[name]) if name in conversions else None,
        )


def _constants(topic: str, constants: Fields) -> Fields:
    flat = dict(_flat(constants))
    for name in flat:
        _path(topic, name)
    return flat


def _refuse_overlaps(names: list[str]) -> None:
    """A field is written either whole or by its parts, and by one table."""
    for name in names:
        if names.count(name) > 1:
            raise InvalidFile(f"`{name}` is both in [fields] and in [constants]")
        whole = name.partition(".")[0]
        if whole != name and whole in names:
            hint = f"; use `{whole}.amount`, or [convert] with `price EUR`" if "price" in whole else ""
            raise InvalidFile(f"`{whole}` and `{name}` are both given{hint}")


def _path(topic: str, name: str) -> tuple[str, ...]:
    first, dot, rest = name.partition(".")
    known = _EVENTS[topic].__struct_fields__
    if first not in known:
        raise InvalidFile(f"{topic} has no field `{first}`; it has {', '.join(known)}")
    if dot and first not in _NESTED:
        raise InvalidFile(f"`{first}` of {topic} has no fields of its own")
    return (first, rest) if dot else (first,)


def _flat(table: MappingOf[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a table, those of tables within it as `outer.inner`."""
    for name, value in table.items():
        if isinstance(value, MappingOf):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _table(tables: Fields, name: str) -> Fields:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise InvalidFile(f"[{name}] must be a table")
    return table


def _optional(tables: Fields, name: str) -> _Expression | None:
    return _expression(name, tables[name]) if name in tables else None


def _expression(where: str, text: Any) -> _Expression:
    if not isinstance(text, str):
        raise InvalidFile(f"`{where}` must be a JMESPath expression in quotation marks")
    with required_extra("A mapping file"):
        import jmespath
        from jmespath.exceptions import JMESPathError
    try:
        return _Expression(text, jmespath.compile(text).search)
    except (JMESPathError, ValueError) as error:
        raise InvalidFile(f"`{where}`: {text[:_SHOWN]} is no JMESPath expression: {error}") from error


def _names(node: MappingOf[str, Any]) -> Iterator[str]:
    """The names of keys in a compiled expression."""
    if node.get("type") == "field":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, MappingOf):
            yield from _names(child)
