"""A small log in each behavior format, written in the form of its specification, and the events in it."""

from typing import NamedTuple

import orjson


class Expected(NamedTuple):
    """What identifies an event of a sample."""

    action: str
    product: str | None = None
    user: str | None = None
    guest: str | None = None
    session: str | None = None


def lines(*documents: object) -> bytes:
    """JSON Lines of some documents."""
    return b"\n".join(orjson.dumps(document) for document in documents) + b"\n"


def _ga4(name: str, items: list[dict[str, object]], user: str | None = None) -> dict[str, object]:
    return {
        "event_date": "20231112",
        "event_timestamp": "1699801234567890",
        "event_name": name,
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "1699801200"}},
            {"key": "currency", "value": {"string_value": "EUR"}},
            {"key": "search_term", "value": {"string_value": "red mug"}},
        ],
        "user_id": user,
        "user_pseudo_id": "123.456",
        "items": items,
    }


def _call(kind: str, event: str | None = None, **properties: object) -> dict[str, object]:
    return {
        "messageId": f"m-{event or kind}",
        "type": kind,
        "event": event,
        "anonymousId": "a1",
        "userId": "u1",
        "timestamp": "2024-05-01T12:00:00.250Z",
        "originalTimestamp": "2024-05-01T12:00:03Z",
        "properties": properties,
    }


def snowplow_line(**values: str) -> bytes:
    """A line of the enriched TSV with 131 columns."""
    places = {
        "collector_tstamp": 3, "event": 5, "event_id": 6, "user_id": 12, "domain_userid": 15, "contexts": 52,
        "unstruct_event": 58, "ti_sku": 68, "ti_price": 71, "ti_quantity": 72, "ti_currency": 112,
        "domain_sessionid": 123, "derived_tstamp": 124,
    }  # fmt: skip
    cells = [""] * 131
    for name, value in values.items():
        cells[places[name]] = value
    return "\t".join(cells).encode() + b"\n"


_PRODUCT = {
    "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/product/jsonschema/1-0-0",
    "data": {"id": "p1", "category": "mugs", "price": 9.5, "currency": "EUR", "quantity": 2},
}
_ACTION = {
    "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
    "data": {
        "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2",
        "data": {"type": "add_to_cart"},
    },
}
_SNOWPLOW = {"collector_tstamp": "2024-05-01 12:00:00.250", "domain_userid": "d1", "domain_sessionid": "s1"}

SAMPLES: dict[str, tuple[bytes, list[Expected]]] = {
    "ga4": (
        lines(
            _ga4("view_item", [{"item_id": "p1", "price": 9.5, "quantity": "1"}]),
            _ga4("purchase", [{"item_id": "p1", "quantity": "2"}, {"item_id": "(not set)"}], "u1"),
            _ga4("view_search_results", []),
            _ga4("login", [], "u1"),
            _ga4("scroll", []),
        ),
        [
            Expected("view", "p1", None, "123.456", "123.456.1699801200"),
            Expected("purchase", "p1", "u1", "123.456", "123.456.1699801200"),
            Expected("search", None, None, "123.456", "123.456.1699801200"),
            Expected("identify", None, "u1", "123.456", "123.456.1699801200"),
        ],
    ),
    "ga4-protocol": (
        lines(
            {
                "client_id": "c1",
                "timestamp_micros": "1699801234567890",
                "events": [
                    {"name": "add_to_cart", "params": {"session_id": "7", "items": [{"item_id": "p1"}]}},
                    {"name": "refund", "params": {"items": [{"item_id": "p2", "quantity": 1}]}},
                ],
            }
        ),
        [Expected("cart", "p1", None, "c1", "c1.7"), Expected("return", "p2", None, "c1")],
    ),
    "segment": (
        lines(
            _call("identify"),
            _call("page"),
            _call("track", "Product Viewed", product_id="p1", price=9.5, currency="EUR"),
            _call("track", "Product List Viewed", products=[{"product_id": "p1"}, {"sku": "p2"}]),
            _call("track", "Products Searched", query="red mug"),
            _call("track", "Order Completed", currency="EUR", products=[{"product_id": "p1", "quantity": 2}]),
            _call("track", "Order Refunded", order_id="7"),
        ),
        [
            Expected("identify", None, "u1", "a1"),
            Expected("view", "p1", "u1", "a1"),
            Expected("impression", "p1", "u1", "a1"),
            Expected("impression", "p2", "u1", "a1"),
            Expected("search", None, "u1", "a1"),
            Expected("purchase", "p1", "u1", "a1"),
        ],
    ),
    "snowplow": (
        snowplow_line(event="page_view", event_id="e0", **_SNOWPLOW)
        + snowplow_line(
            event="unstruct",
            event_id="e1",
            contexts=orjson.dumps({"data": [_PRODUCT]}).decode(),
            unstruct_event=orjson.dumps(_ACTION).decode(),
            **_SNOWPLOW,
        )
        + snowplow_line(
            event="transaction_item",
            event_id="e2",
            user_id="u1",
            ti_sku="p2",
            ti_price="3.5",
            ti_currency="EUR",
            ti_quantity="1",
            **_SNOWPLOW,
        ),
        [Expected("cart", "p1", None, "d1", "s1"), Expected("purchase", "p2", "u1", "d1", "s1")],
    ),
    "shopify-orders": (
        lines(
            {
                "id": 450789469,
                "created_at": "2024-05-01T12:00:00-04:00",
                "currency": "USD",
                "financial_status": "paid",
                "customer": {"id": 207119551, "email": "bob@example.com"},
                "line_items": [{"id": 1, "product_id": 632910392, "quantity": 2, "price": "199.00"}],
                "refunds": [
                    {
                        "id": 9,
                        "created_at": "2024-05-02T12:00:00-04:00",
                        "refund_line_items": [
                            {"id": 3, "quantity": 1, "line_item": {"product_id": 632910392}}
                        ],
                    }
                ],
            },
            {
                "id": 10,
                "order_id": 450789470,
                "created_at": "2024-05-02T12:00:00-04:00",
                "refund_line_items": [{"id": 4, "quantity": 1, "line_item": {"product_id": 7}}],
            },
        ),
        [
            Expected("purchase", "632910392", "207119551", None, "order-450789469"),
            Expected("return", "632910392", "207119551", None, "order-450789469"),
            Expected("return", "7", None, None, "order-450789470"),
        ],
    ),
    "metarank": (
        lines(
            {
                "event": "item",
                "id": "1",
                "item": "p1",
                "timestamp": "1599391467000",
                "fields": [
                    {"name": "title", "value": "Red mug"},
                    {"name": "color", "value": ["red", "blue"]},
                ],
            },
            {
                "event": "ranking",
                "id": "2",
                "timestamp": 1599391467000,
                "user": "u1",
                "session": "s1",
                "items": [{"id": "p1"}, {"id": "p2"}],
            },
            {
                "event": "interaction",
                "id": "3",
                "ranking": "2",
                "timestamp": "1599391467000",
                "user": "u1",
                "session": "s1",
                "type": "click",
                "item": "p2",
            },
        ),
        [
            Expected("impression", "p1", "u1", None, "s1"),
            Expected("impression", "p2", "u1", None, "s1"),
            Expected("click", "p2", "u1", None, "s1"),
        ],
    ),
    "rees46": (
        (
            b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
            b"2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n"
            b"2019-10-01 00:00:04 UTC,remove_from_cart,1003,20530,appliances,,1.00,541312140,72d76fde\n"
        ),
        [
            Expected("view", "44600062", "541312140", None, "72d76fde"),
            Expected("remove_from_cart", "1003", "541312140", None, "72d76fde"),
        ],
    ),
    "retailrocket": (
        (
            b"timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
            b"1433224214164,992329,transaction,248676,4000\n"
        ),
        [Expected("view", "355908", None, "257597"), Expected("purchase", "248676", None, "992329")],
    ),
    "yoochoose": (
        b"420374,2014-04-06T18:44:58.314Z,214537888,12462,1\n420374,2014-04-06T18:44:58.325Z,214537850,0,0\n",
        [
            Expected("purchase", "214537888", None, None, "420374"),
            Expected("purchase", "214537850", None, None, "420374"),
        ],
    ),
    "taobao": (
        b"1,2268318,2520377,pv,1511544070\n1,2333346,2520771,fav,1511561733\n",
        [Expected("view", "2268318", "1"), Expected("favourite", "2333346", "1")],
    ),
    "online-retail": (
        (
            b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
            b"536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
            b"C536379,22556,PLASTERS,-1,12/1/2010 9:41,1.65,14527.0,United Kingdom\n"
            b"536370,POST,POSTAGE,3,2010-12-01 08:45:00,18,12583,France\n"
            b"536589,21777,,-10,2010-12-01 16:50:00,0,,United Kingdom\n"
        ),
        [
            Expected("purchase", "85123A", "17850", None, "536365"),
            Expected("return", "22556", "14527", None, "C536379"),
        ],
    ),
}
"""By format: a log and its user-behavior events, in order."""
