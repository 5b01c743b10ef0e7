"""Snowplow's enriched events: the TSV of the stream, and the JSON of the analytics SDKs.

The positions are those of the enriched TSV format. Actions are read from the e-commerce schemas of
com.snowplowanalytics.snowplow.ecommerce, from the older add_to_cart and remove_from_cart, and from
transaction items.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from schemas.events import Action
from schemas.formats.behavior_event import behavior, currency_code, quantity
from schemas.formats.csv_rows import csv_rows
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.joined import joined
from schemas.formats.json_rows import json_rows
from schemas.formats.row import Fields, ImportOptions, Row, invalid_row
from schemas.formats.values import price, utc_time

_COLUMNS = 131
_PLACES = {
    "collector_tstamp": 3,
    "dvce_created_tstamp": 4,
    "event": 5,
    "event_id": 6,
    "user_id": 12,
    "domain_userid": 15,
    "network_userid": 17,
    "contexts": 52,
    "unstruct_event": 58,
    "ti_sku": 68,
    "ti_price": 71,
    "ti_quantity": 72,
    "ti_currency": 112,
    "domain_sessionid": 123,
    "derived_tstamp": 124,
}
_HEADER = [f"column {number}" for number in range(1, _COLUMNS + 1)]
for _name, _place in _PLACES.items():
    _HEADER[_place] = _name
_ACTIONS = {
    "product_view": Action.VIEW,
    "list_click": Action.CLICK,
    "list_view": Action.IMPRESSION,
    "add_to_cart": Action.CART,
    "remove_from_cart": Action.REMOVE_FROM_CART,
    "transaction": Action.PURCHASE,
    "refund": Action.RETURN,
}
_ECOMMERCE = "com.snowplowanalytics.snowplow.ecommerce"
_OLDER = "com.snowplowanalytics.snowplow"
_EVENTS = (
    f"{_ECOMMERCE}/snowplow_ecommerce_action",
    f"{_OLDER}/add_to_cart",
    f"{_OLDER}/remove_from_cart",
)
_START = 64 * 1024


class Snowplow(Format):
    """Enriched events of Snowplow."""

    name = "snowplow"
    kind = Kind.BEHAVIOR
    title = "Snowplow enriched events: TSV, or JSON of the analytics SDKs"

    def matches(self, head: Head) -> float:
        """The number of columns of a line, or keys of the canonical event."""
        if head.is_json:
            return 0.95 if head.keys >= {"event_id", "collector_tstamp", "v_collector"} else 0.0
        return 0.95 if head.content.partition(b"\n")[0].count(b"\t") == _COLUMNS - 1 else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per event."""
        start = stream.read(_START)
        whole = joined(start, stream)
        if start.lstrip()[:1] in (b"{", b"["):
            return json_rows(whole)
        return csv_rows(whole, header=_HEADER, delimiter="\t", quoted=False)

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """One action per product. Page views and other events give none."""
        if row.text("event") == "transaction_item" or row.fields.get("ti_sku"):
            yield _event(Action.PURCHASE, row, options, 0, _transaction_item(row), options.currency)
            return
        action, data = _self_described(row)
        if action is None:
            return
        products = [data] if "sku" in data else _products(row)
        for place, product in enumerate(products):
            yield _event(action, row, options, place, product, options.currency)


def _event(
    action: Action,
    row: Row,
    options: ImportOptions,
    place: int,
    product: Mapping[str, Any],
    currency: str | None,
) -> tuple[str, Fields]:
    name = product.get("id") or product.get("sku")
    if not name:
        raise invalid_row("product.id", "is missing in an e-commerce event")
    time = row.first("derived_tstamp", "dvce_created_tstamp", "collector_tstamp")
    return behavior(
        action,
        utc_time(time),
        "derived_tstamp",
        options,
        "snowplow", row.text("event_id"), place,
        product_id=name,
        user_id=row.text("user_id"),
        anonymous_id=row.first("domain_userid", "network_userid"),
        session_id=row.text("domain_sessionid"),
        quantity=quantity(product.get("quantity")),
        price=price(
            product.get("price", product.get("unitPrice")), currency_code(product.get("currency"), currency)
        ),
    )  # fmt: skip


def _transaction_item(row: Row) -> dict[str, Any]:
    names = {"sku": "ti_sku", "price": "ti_price", "quantity": "ti_quantity", "currency": "ti_currency"}
    return {name: row.get(column) for name, column in names.items()}


def _self_described(row: Row) -> tuple[Action | None, Mapping[str, Any]]:
    """Return the action of a self-describing event, and its data; None for another event."""
    for name in _EVENTS:
        flat = row.get("unstruct_event_" + name.replace(".", "_").replace("/", "_") + "_1")
        if isinstance(flat, Mapping):
            return _ACTIONS.get(str(flat.get("type") or name.rpartition("/")[2])), flat
    described = _inner(row.get("unstruct_event"))
    schema, data = described.get("schema", ""), described.get("data")
    if not isinstance(schema, str) or not isinstance(data, Mapping):
        return None, {}
    path = schema.removeprefix("iglu:").split("/")
    if path[:2] == [_ECOMMERCE, "snowplow_ecommerce_action"]:
        return _ACTIONS.get(str(data.get("type"))), data
    return (_ACTIONS.get(path[1]), data) if path[:1] == [_OLDER] and len(path) > 1 else (None, {})


def _products(row: Row) -> list[Mapping[str, Any]]:
    """The product entities of an event."""
    flat = row.get("contexts_" + _ECOMMERCE.replace(".", "_") + "_product_1")
    if isinstance(flat, list):
        return [each for each in flat if isinstance(each, Mapping)]
    entities = _document(row.get("contexts")).get("data")
    return [
        each["data"]
        for each in (entities if isinstance(entities, list) else [])
        if isinstance(each, Mapping)
        and str(each.get("schema", "")).startswith(f"iglu:{_ECOMMERCE}/product/")
        and isinstance(each.get("data"), Mapping)
    ]


def _inner(value: Any) -> Mapping[str, Any]:
    """The event within the envelope `unstruct_event`."""
    data = _document(value).get("data")
    return data if isinstance(data, Mapping) else {}


def _document(value: Any) -> Mapping[str, Any]:
    """A JSON object, given as such or as text; empty if it is none."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
