"""Reads input values that msgspec rejects as they are: other forms of values, nulls, and fields to leave out.

An optional field that is wrong is left out and reported. A wrong essential field rejects the record, and then
all problems of the record are named at once. It takes tens of microseconds a record, about fifty times as
long as the fast path, which reads what needs no tolerance.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import EnumMeta
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args

import msgspec
from msgspec.structs import fields as fields_of

from schemas import forms
from schemas.behavior_rules import broken_rules
from schemas.diagnosis import advice, describe_value, document_error, error_path, shortened
from schemas.errors import InvalidEvent
from schemas.events import (
    Action,
    CategoryFeedback,
    Change,
    Event,
    IgnoredField,
    ProductCreated,
    UserBehavior,
    Verdict,
)
from schemas.field_names import misspelled_fields

E = TypeVar("E", bound=Event)

Ignored = tuple[IgnoredField, ...]
"""The fields of a record that were left out."""


def field_name(ignored: IgnoredField) -> str:
    """Return the event's field of a path: `price` for `$.price.currency`. There are few of them."""
    return ignored.field.removeprefix("$.").partition(".")[0].partition("[")[0]


ESSENTIAL: dict[type[Event], frozenset[str]] = {
    ProductCreated: frozenset({"schema_version", "product_id", "title", "change"}),
    UserBehavior: frozenset({"schema_version", "occurred_at", "product_id", "action", "user_id"}),
    CategoryFeedback: frozenset({"schema_version", "product_id", "verdict", "category_id"}),
}
"""The fields that reject a record if they are wrong. All other fields are left out then."""

FORMS: dict[type[Event], dict[str, forms.Form]] = {
    ProductCreated: {
        "schema_version": forms.whole_number,
        "product_id": forms.identifier,
        "event_id": forms.identifier,
        "group_id": forms.identifier,
        "occurred_at": forms.time,
        "price": forms.price,
        "sale_price": forms.price,
        "language": forms.language,
        "attributes": forms.attributes,
        "category": forms.whole_number,
        "sku": forms.stock_unit,
        "gtin": forms.gtin,
        "images": forms.texts,
        "availability": forms.availability,
    },
    UserBehavior: {
        "schema_version": forms.whole_number,
        "product_id": forms.identifier,
        "event_id": forms.identifier,
        "user_id": forms.identifier,
        "session_id": forms.identifier,
        "anonymous_id": forms.identifier,
        "occurred_at": forms.time,
        "price": forms.price,
        "quantity": forms.quantity,
    },
    CategoryFeedback: {
        "schema_version": forms.whole_number,
        "product_id": forms.identifier,
        "event_id": forms.identifier,
        "occurred_at": forms.time,
        "category_id": forms.whole_number,
    },
}
"""How each field of the input events is read. A field that is not named is read as its type says."""

_MOST_PROBLEMS = 10


class Problem(NamedTuple):
    """What is wrong with a field.

    Attributes:
        path: The JSON path of the field, or of the wrong part of it.
        problem: What is wrong, and what to write.
        essential: Whether it rejects the record.
        reason: The reason code of a rejection.
    """

    path: str
    problem: str
    essential: bool
    reason: str = "invalid-field"


class _Field(NamedTuple):
    name: str
    kind: Any
    required: bool
    essential: bool
    form: forms.Form


@cache
def _decoder(event: type[Event]) -> msgspec.json.Decoder[Any]:
    """Return a decoder that keeps each field's bytes, since any part of the value may be undecodable."""
    raw = [(field.name, msgspec.Raw, None) for field in fields_of(event)]
    return msgspec.json.Decoder(msgspec.defstruct(f"Raw{event.__name__}", raw))


@cache
def _fields(event: type[Event]) -> tuple[_Field, ...]:
    read = FORMS[event]
    return tuple(
        _Field(
            each.name,
            each.type,
            each.required,
            each.name in ESSENTIAL[event],
            read.get(each.name, forms.as_it_is),
        )
        for each in fields_of(event)
    )


_ANYTHING = msgspec.json.Decoder()


def read_tolerantly(
    event: type[E], value: bytes | None, error: Exception | None, headers: Mapping[str, Any] | None = None
) -> tuple[E, Ignored]:
    """Read a value that the fast path did not accept.

    Args:
        event: The type of the event.
        value: The record's value.
        error: The error of the decoder; None if a later check failed.
        headers: Values of fields that the record's headers have; they count where the value has none.

    Returns:
        The event, and the fields that were left out.

    Raises:
        InvalidEvent: The value is unreadable, or an essential field is wrong. All problems are named.
    """
    unreadable = document_error(event, value, error)
    if unreadable is not None:
        raise unreadable from error
    raw = _decoder(event).decode(value)  # type: ignore[arg-type]  # None is unreadable
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in _fields(event):
        _read_field(field, getattr(raw, field.name), (headers or {}).get(field.name), values, problems)
    _check(event, values, problems)
    faults = [each for each in problems if each.essential]
    if faults:
        raise _rejection(event, faults + [each for each in problems if not each.essential], value) from error
    ignored = tuple(IgnoredField(field=each.path, problem=each.problem) for each in problems)
    return event(**values), ignored


def _read_field(
    field: _Field, raw: msgspec.Raw | None, given: Any, values: dict[str, Any], problems: list[Problem]
) -> None:
    """Read a field into `values`, or note its problems."""
    path, value = f"$.{field.name}", None
    try:
        value = None if raw is None else _ANYTHING.decode(raw)
        if value is None:
            if given is not None:
                values[field.name] = given
            elif field.required:
                found = "is null, but is required" if raw is not None else "Object missing required field"
                problems.append(Problem(path, f"{found} `{field.name}`", True))
            return
        values[field.name] = msgspec.convert(
            field.form(value, lambda part, text: problems.append(Problem(path + part, text, False))),
            field.kind,
        )
    except forms.WrongValue as wrong:
        text = f"{wrong}; it is {describe_value(_part(value, wrong.part))}"
        # An empty identifier is no identifier. The rules between fields say whether one is needed.
        essential = field.essential and (field.required or value != "")
        problems.append(Problem(path + wrong.part, text, essential))
    except msgspec.ValidationError as wrong:
        part, text = error_path(wrong)
        described = shortened(text) + _allowed(field.kind, text)
        if value is not None and not text.startswith("Invalid enum"):
            described += f", but it is {describe_value(value)}"
        problems.append(Problem(path + part[1:], described, field.essential))
    except (ValueError, RecursionError) as wrong:
        problems.append(Problem(path, f"cannot be decoded ({wrong})", field.essential))


def _part(value: Any, part: str) -> Any:
    return value.get(part[1:]) if part and isinstance(value, dict) else value


def _allowed(kind: Any, problem: str) -> str:
    """Return the allowed values if the problem is with an enumeration."""
    if not problem.startswith("Invalid enum"):
        return ""
    enums = [each for each in (kind, *get_args(kind)) if isinstance(each, EnumMeta)]
    values = [member.value for each in enums for member in each]  # type: ignore[var-annotated]
    return f"; allowed values: {', '.join(values)}" if values else ""


def _check(event: type[Event], values: Mapping[str, Any], problems: list[Problem]) -> None:
    """Apply the rules between fields."""
    rule = _RULES[event]
    rule(values, problems)


def _check_listing(values: Mapping[str, Any], problems: list[Problem]) -> None:
    withdrawn = values.get("change") is Change.WITHDRAWN
    for position, each in enumerate(problems):
        if withdrawn and each.path == "$.title":
            problems[position] = each._replace(essential=False)
    if not withdrawn and "title" not in values and not any(each.path == "$.title" for each in problems):
        problems.append(
            Problem(
                "$.title", "Object missing required field `title`, which only a withdrawal may omit", True
            )
        )


def _check_behavior(values: Mapping[str, Any], problems: list[Problem]) -> None:
    if values.get("action") is Action.PURCHASE:
        problems[:] = [
            each._replace(essential=each.essential or each.problem.startswith(forms.NEGATIVE_QUANTITY))
            for each in problems
        ]
    ids = {name: values.get(name) for name in ("user_id", "anonymous_id", "session_id")}
    faulty = {each.path for each in problems if each.essential}
    known = "$.action" not in faulty
    for reason, path, text in broken_rules(values.get("action"), values.get("product_id"), ids):
        if path not in faulty and (known or path != "$.product_id"):
            problems.append(Problem(path, text, True, reason))


def _check_feedback(values: Mapping[str, Any], problems: list[Problem]) -> None:
    missing = "category_id" not in values and not any(each.path == "$.category_id" for each in problems)
    if missing and values.get("verdict") is Verdict.CORRECT:
        text = "is missing, but the verdict `correct` requires it"
        problems.append(Problem("$.category_id", text, True, "missing-category"))


_RULES: dict[type[Event], Callable[[Mapping[str, Any], list[Problem]], None]] = {
    ProductCreated: _check_listing,
    UserBehavior: _check_behavior,
    CategoryFeedback: _check_feedback,
}


def _rejection(event: type[Event], problems: Sequence[Problem], value: bytes | None) -> InvalidEvent:
    """Return the error that names all problems, the essential ones first, and misspelled names."""
    texts = [f"{each.path}: {each.problem}" for each in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        texts.append(f"and {len(problems) - _MOST_PROBLEMS} more problems")
    for written, meant in misspelled_fields(event, value)[:_MOST_PROBLEMS]:
        texts.append(f"the unknown field {written} may mean {meant}")
    return InvalidEvent(problems[0].reason, "; ".join(texts), problems[0].path, advice(event))
