"""Google Analytics 4: rows of the BigQuery export, and payloads of the Measurement Protocol.

Event names, items and parameters are those of Google's recommended events for online sales.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from schemas.events import Action
from schemas.formats.behavior_event import behavior, currency_code, quantity, time_of_epoch
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.json_rows import json_rows
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import price

_ACTIONS = {
    "view_item": Action.VIEW,
    "select_item": Action.CLICK,
    "view_item_list": Action.IMPRESSION,
    "add_to_cart": Action.CART,
    "remove_from_cart": Action.REMOVE_FROM_CART,
    "add_to_wishlist": Action.FAVORITE,
    "purchase": Action.PURCHASE,
    "refund": Action.RETURN,
}
_SEARCHES = {"view_search_results", "search"}
_LOGINS = {"login", "sign_up"}
_NOT_SET = {"(not set)", "(other)"}
_VALUES = ("string_value", "int_value", "double_value", "float_value")


class Ga4(Format):
    """The BigQuery export of Google Analytics 4, as JSON Lines."""

    name = "ga4"
    kind = Kind.BEHAVIOR
    title = "Google Analytics 4: BigQuery export as JSON"

    def matches(self, head: Head) -> float:
        """Keys of the export's schema."""
        return 0.95 if head.keys >= {"event_name", "event_timestamp", "user_pseudo_id"} else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per event."""
        return json_rows(stream)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action per item, a search, or the login of a guest. Other events give none."""
        name, time = row.text("event_name"), row.text("event_timestamp")
        guest = row.text("user_pseudo_id")
        parameters = _parameters(row.get("event_params"))
        session = parameters.get("ga_session_id")
        yield from _actions(
            name,
            row.get("items"),
            parameters,
            _When(time_of_epoch(time, 1_000_000), "event_timestamp"),
            options,
            ("ga4", guest, time, name, row.text("event_bundle_sequence_id")),
            {
                "user_id": row.text("user_id"),
                "anonymous_id": guest,
                "session_id": f"{guest}.{session}" if guest and session else None,
            },
        )


class Ga4Protocol(Format):
    """Payloads of the Measurement Protocol of Google Analytics 4."""

    name = "ga4-protocol"
    kind = Kind.BEHAVIOR
    title = "Google Analytics 4: payloads of the Measurement Protocol"

    def matches(self, head: Head) -> float:
        """A client and a list of events."""
        return 0.95 if "events" in head.keys and head.keys & {"client_id", "app_instance_id"} else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per payload."""
        return json_rows(stream)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """The actions of all events of a payload. The payload or its event must have `timestamp_micros`."""
        guest = row.first("client_id", "app_instance_id")
        found = row.get("events")
        for number, event in enumerate(found if isinstance(found, list) else []):
            if not isinstance(event, Mapping):
                raise invalid_row(f"events[{number}]", "is not an object")
            parameters = event.get("params")
            parameters = parameters if isinstance(parameters, Mapping) else {}
            time = event.get("timestamp_micros") or row.get("timestamp_micros")
            session = parameters.get("session_id")
            name = str(event.get("name", ""))
            yield from _actions(
                name,
                parameters.get("items"),
                parameters,
                _When(time_of_epoch(time, 1_000_000), "timestamp_micros"),
                options,
                ("ga4-protocol", guest, time, number, name),
                {
                    "user_id": row.text("user_id"),
                    "anonymous_id": guest,
                    "session_id": f"{guest}.{session}" if guest and session else None,
                },
            )


class _When(NamedTuple):
    """A time, and the column that it is from."""

    time: str | None
    column: str


def _actions(
    name: str,
    items: Any,
    parameters: Mapping[str, Any],
    when: _When,
    options: ImportOptions,
    identity: tuple[Any, ...],
    shopper: Mapping[str, Any],
) -> Iterator[tuple[str, Fields]]:
    time, column = when
    if name in _SEARCHES:
        query = parameters.get("search_term")
        yield behavior(Action.SEARCH, time, column, options, *identity, query=query, **shopper)
    elif name in _LOGINS:
        if shopper["user_id"] and shopper["anonymous_id"]:
            yield behavior(Action.IDENTIFY, time, column, options, *identity, **shopper)
    elif (action := _ACTIONS.get(name)) is not None:
        for place, item in enumerate(items if isinstance(items, list) else []):
            product = str(item.get("item_id") or "") if isinstance(item, Mapping) else ""
            if product and product not in _NOT_SET:
                yield behavior(
                    action, time, column, options, *identity, place, product,
                    product_id=product,
                    quantity=quantity(item.get("quantity")),
                    price=price(
                        item.get("price"),
                        currency_code(item.get("currency"), parameters.get("currency"), options.currency),
                    ),
                    **shopper,
                )  # fmt: skip


def _parameters(listed: Any) -> dict[str, Any]:
    """The event parameters by key: in the export they are a list of keys with typed values."""
    parameters: dict[str, Any] = {}
    for each in listed if isinstance(listed, list) else []:
        value = each.get("value") if isinstance(each, Mapping) else None
        if isinstance(value, Mapping):
            parameters[str(each.get("key"))] = next(
                (value[name] for name in _VALUES if value.get(name) is not None), None
            )
    return parameters
