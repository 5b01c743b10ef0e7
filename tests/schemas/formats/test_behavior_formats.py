"""Every behavior format on a small log of its own form: events, recognition, repeated imports, bad rows."""

from io import BytesIO
from typing import cast

import orjson
import pytest

from schemas.codec import DECODERS, decode_user_behavior
from schemas.errors import InvalidEvent, InvalidFile
from schemas.events import UserBehavior
from schemas.formats.behavior_event import time_of_epoch
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions, Row
from streams.importing.conversion import detect
from tests.schemas.formats.behavior_samples import SAMPLES, Expected, lines

OPTIONS = ImportOptions()
BEHAVIOR = [name for name, each in FORMATS.items() if each.kind is Kind.BEHAVIOR]


def _events(file_format: Format, content: bytes, options: ImportOptions = OPTIONS) -> list[UserBehavior]:
    """All user-behavior events of a log. Events of other topics must be valid too."""
    events = []
    for row in file_format.rows(BytesIO(content), options):
        assert row.fault is None
        for topic, event in file_format.events(row, options):
            decoded = DECODERS[topic](orjson.dumps(event), None)
            if isinstance(decoded, UserBehavior):
                events.append(decoded)
    return events


def test_every_format_has_a_sample() -> None:
    assert set(BEHAVIOR) == set(SAMPLES)


@pytest.mark.parametrize("name", BEHAVIOR)
def test_a_log_gives_its_events(name: str) -> None:
    content, expected = SAMPLES[name]
    found = [
        Expected(each.action.value, each.product_id, each.user_id, each.anonymous_id, each.session_id)
        for each in _events(FORMATS[name], content)
    ]
    assert found == expected


@pytest.mark.parametrize("name", BEHAVIOR)
def test_a_log_is_recognized_by_its_beginning(name: str) -> None:
    assert detect(Head(SAMPLES[name][0])).name == name


@pytest.mark.parametrize("name", BEHAVIOR)
def test_an_import_repeats_its_event_ids(name: str) -> None:
    content = SAMPLES[name][0]
    first, second = ([each.event_id for each in _events(FORMATS[name], content)] for _ in range(2))
    assert first == second
    assert None not in first
    assert len(set(first)) == len(first)


def test_prices_and_quantities_come_along() -> None:
    (cart, item) = _events(FORMATS["snowplow"], SAMPLES["snowplow"][0])
    assert cart.price is not None
    assert (cart.price.amount, cart.price.currency, cart.quantity) == (9.5, "EUR", 2)
    assert item.price is not None
    assert (item.price.amount, item.price.currency) == (3.5, "EUR")
    (view,) = _events(FORMATS["rees46"], SAMPLES["rees46"][0].rsplit(b"2019-10-01 00:00:04", 1)[0])
    assert view.price is not None
    assert view.price.currency is None


def test_the_times_of_the_formats_are_read() -> None:
    times = {
        name: _events(FORMATS[name], content)[0].occurred_at.isoformat()
        for name, (content, _) in SAMPLES.items()
    }
    assert times["ga4"] == "2023-11-12T15:00:34.567890+00:00"
    assert times["segment"] == "2024-05-01T12:00:00.250000+00:00"
    assert times["shopify-orders"] == "2024-05-01T16:00:00+00:00"
    assert times["rees46"] == "2019-10-01T00:00:00+00:00"
    assert times["retailrocket"] == "2015-06-02T05:02:12.117000+00:00"
    assert times["taobao"] == "2017-11-24T17:21:10+00:00"


def test_the_derived_table_of_yoochoose_has_views() -> None:
    (view,) = _events(FORMATS["yoochoose"], b"SessionId\tItemId\tTime\n3\t214716935\t1396437466.94\n")
    assert (view.action.value, view.session_id) == ("view", "3")
    assert view.occurred_at.isoformat() == "2014-04-02T11:17:46.940000+00:00"


def test_clicks_of_yoochoose_are_views() -> None:
    content = b"1,2014-04-07T10:51:09.277Z,214536502,0\n"
    assert detect(Head(content)).name == "yoochoose"
    (view,) = _events(FORMATS["yoochoose"], content)
    assert (view.action.value, view.product_id) == ("view", "214536502")


def test_the_shop_of_the_options_is_the_events() -> None:
    (event, *_) = _events(FORMATS["taobao"], SAMPLES["taobao"][0], ImportOptions(shop_id="tb"))
    assert event.shop_id == "tb"


def test_json_of_the_snowplow_sdk_is_read_too() -> None:
    event = {
        "event_id": "e1",
        "event": "unstruct",
        "v_collector": "ssc",
        "collector_tstamp": "2024-05-01T12:00:00.250Z",
        "user_id": "u1",
        "domain_userid": "d1",
        "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1": {
            "type": "transaction"
        },
        "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1": [{"id": "p1"}, {"id": "p2"}],
    }
    content = lines(event)
    assert detect(Head(content)).name == "snowplow"
    assert [(each.action.value, each.product_id) for each in _events(FORMATS["snowplow"], content)] == [
        ("purchase", "p1"),
        ("purchase", "p2"),
    ]


def _call(event: str, properties: dict[str, object], **ids: str) -> bytes:
    """A track call of Segment."""
    call = {"messageId": "m", "type": "track", "event": event, "timestamp": "2024-05-01T12:00:00Z"}
    return lines(call | ids | {"properties": properties})


def test_a_list_or_refund_without_products_gives_no_event() -> None:
    for event in ("Product List Viewed", "Order Refunded"):
        cases: tuple[dict[str, object], ...] = ({"list_id": "deals"}, {"products": []})
        for properties in cases:
            assert _events(FORMATS["segment"], _call(event, dict(properties), anonymousId="a")) == []


def test_a_currency_in_small_letters_is_read() -> None:
    call = _call("Product Viewed", {"product_id": 5, "price": 9.5, "currency": "usd"}, userId="u")
    (view,) = _events(FORMATS["segment"], call)
    assert view.price is not None
    assert view.price.currency == "USD"


def test_no_e_mail_address_is_an_id() -> None:
    product: dict[str, object] = {"product_id": "p"}
    call = _call("Product Viewed", product, userId="bob@example.com", anonymousId="a")
    (view,) = _events(FORMATS["segment"], call)
    assert (view.user_id, view.anonymous_id) == (None, "a")
    with pytest.raises(InvalidEvent, match="is an e-mail address"):
        _events(FORMATS["segment"], _call("Product Viewed", product, userId="bob@example.com"))
    login = lines(
        {
            "messageId": "m",
            "type": "identify",
            "timestamp": "2024-05-01T12:00:00Z",
            "userId": "bob@example.com",
            "anonymousId": "a",
        }
    )
    with pytest.raises(InvalidEvent, match="is an e-mail address"):
        _events(FORMATS["segment"], login)


def test_an_order_of_the_test_mode_gives_no_event() -> None:
    order = {
        "id": 1,
        "financial_status": "paid",
        "created_at": "2024-05-01T12:00:00Z",
        "line_items": [{"id": 2, "product_id": 3}],
    }
    assert len(_events(FORMATS["shopify-orders"], lines(order))) == 1
    assert _events(FORMATS["shopify-orders"], lines(order | {"test": True})) == []


BAD_ROWS: dict[str, tuple[dict[str, object], str]] = {
    "ga4": (
        {
            "event_name": "view_item",
            "event_timestamp": "soon",
            "user_pseudo_id": "1",
            "items": [{"item_id": 1}],
        },
        "event_timestamp",
    ),
    "ga4-protocol": (
        {"client_id": "c", "events": [{"name": "view_item", "params": {"items": [{"item_id": "p"}]}}]},
        "timestamp_micros",
    ),
    "segment": (
        {"type": "track", "event": "Product Viewed", "userId": "u", "timestamp": "2024-05-01T12:00:00Z"},
        "properties.product_id",
    ),
    "metarank": (
        {"event": "interaction", "type": "shrug", "id": "1", "item": "p", "timestamp": "1599391467000"},
        "type",
    ),
    "rees46": (
        {"event_time": "2019-10-01 00:00:00 UTC", "event_type": "gift", "product_id": "1"},
        "event_type",
    ),
    "retailrocket": ({"timestamp": "1", "visitorid": "1", "event": "look", "itemid": "1"}, "event"),
    "taobao": ({"user": "1", "item": "2", "action": "see", "seconds": "1511544070"}, "action"),
    "online-retail": ({"InvoiceNo": "1", "Quantity": "1", "InvoiceDate": "2010-12-01 08:26:00"}, "StockCode"),
    "shopify-orders": (
        {"id": 1, "financial_status": "paid", "line_items": [{"id": 1, "product_id": 2}]},
        "created_at",
    ),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_names_the_column(name: str) -> None:
    fields, column = BAD_ROWS[name]
    with pytest.raises(InvalidEvent) as error:
        list(FORMATS[name].events(Row("line 1", fields, set()), OPTIONS))
    assert error.value.field == column


def test_the_error_names_a_missing_column() -> None:
    with pytest.raises(InvalidFile, match="no column event_type"):
        list(FORMATS["rees46"].rows(BytesIO(b"event_time,product_id\n1,2\n"), OPTIONS))


@pytest.mark.parametrize(
    ("value", "per_second", "time"),
    [
        ("1511544070", 1, "2017-11-24T17:21:10Z"),
        ("1396437466.94", 1, "2014-04-02T11:17:46.940000Z"),
        (1433221332117, 1000, "2015-06-02T05:02:12.117000Z"),
        ("1699801234567890", 1_000_000, "2023-11-12T15:00:34.567890Z"),
        ("", 1, None),
        ("soon", 1000, None),
        (None, 1, None),
        (10**30, 1, None),
    ],
)
def test_counts_since_1970_are_times(value: object, per_second: int, time: str | None) -> None:
    assert time_of_epoch(value, per_second) == time


def test_an_event_of_an_import_is_one_that_the_worker_takes() -> None:
    options = ImportOptions(currency="USD", shop_id="demo")
    (row, *_) = FORMATS["rees46"].rows(BytesIO(SAMPLES["rees46"][0]), options)
    ((_, event),) = FORMATS["rees46"].events(row, options)
    decoded = decode_user_behavior(orjson.dumps(event), cast("str", event["user_id"]).encode())
    assert decoded.price is not None
    assert decoded.price.currency == "USD"
