"""Shopify's orders and refunds: webhooks (orders/create, orders/updated, refunds/create), or the REST API."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from schemas.events import Action
from schemas.formats.behavior_event import behavior, quantity
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.json_rows import json_rows
from schemas.formats.row import Fields, ImportOptions, Row
from schemas.formats.values import price, utc_time


class ShopifyOrders(Format):
    """Orders of a Shopify shop, and their refunds."""

    name = "shopify-orders"
    kind = Kind.BEHAVIOR
    title = "Shopify orders and refunds: JSON of webhooks and of the REST API"

    def matches(self, head: Head) -> float:
        """Lines of an order, or lines of a refund."""
        if head.keys & {"line_items", "refund_line_items"} and head.keys & {"order_id", "financial_status"}:
            return 0.9
        return 0.85 if {"orders"} == head.keys else 0.0

    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """One row per order or refund."""
        return json_rows(stream, ("orders",))

    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """A purchase per line of an order, and a return per line of a refund.

        The order is the session. A customer has an id; a guest's order has the session alone, since an
        e-mail address is no id that belongs into events. A refund on its own does not say whose it is: the
        refunds within an order do. Orders of Shopify's test mode give none.
        """
        if isinstance(row.get("refund_line_items"), list):
            yield from _refund(row.fields, row.text("order_id"), "", options)
            return
        if row.get("test") is True:
            return
        order = row.text("id")
        customer = row.get("customer")
        user = str(customer.get("id") or "") if isinstance(customer, Mapping) else ""
        time = row.first("processed_at", "created_at")
        currency = row.text("currency") or options.currency
        for line in _objects(row.get("line_items")):
            if line.get("product_id"):
                yield behavior(
                    Action.PURCHASE,
                    utc_time(time),
                    "created_at",
                    options,
                    "shopify-orders", order, line.get("id"),
                    product_id=line["product_id"],
                    user_id=user,
                    session_id=f"order-{order}",
                    quantity=quantity(line.get("quantity")),
                    price=price(line.get("price"), currency),
                )  # fmt: skip
        for refund in _objects(row.get("refunds")):
            yield from _refund(refund, order, user, options)


def _refund(
    refund: Mapping[str, Any], order: str, user: str, options: ImportOptions
) -> Iterator[tuple[str, Fields]]:
    for place, line in enumerate(_objects(refund.get("refund_line_items"))):
        item = line.get("line_item")
        product = item.get("product_id") if isinstance(item, Mapping) else None
        if product:
            yield behavior(
                Action.RETURN,
                utc_time(refund.get("processed_at") or refund.get("created_at")),
                "created_at",
                options,
                "shopify-refunds", order, refund.get("id"), line.get("id", place),
                product_id=product,
                user_id=user,
                session_id=f"order-{order}",
                quantity=quantity(line.get("quantity")),
            )  # fmt: skip


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else []:
        if isinstance(each, Mapping):
            yield each
