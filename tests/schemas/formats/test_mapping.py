"""Mapping files: expressions, tables, conversions, errors; and the examples of the project."""

from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import DECODERS
from schemas.errors import InvalidEvent, InvalidFile
from schemas.formats.custom import Custom
from schemas.formats.mapping import Mapping
from schemas.formats.row import ImportOptions

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "mappings"

AKENEO = {
    "identifier": "top",
    "enabled": True,
    "parent": "summer-top",
    "categories": ["summer_collection", "women"],
    "updated": "2024-05-01T12:00:00+02:00",
    "values": {
        "name": [{"locale": "de_DE", "data": "Leinentop"}, {"locale": "en_US", "data": "Linen top"}],
        "description": [{"locale": "en_US", "data": "<p style='color: black'>Soft linen.</p>"}],
        "price": [{"locale": None, "data": [{"amount": "15.50", "currency": "EUR"}]}],
        "color": [{"locale": None, "data": "white"}],
        "ean": [{"locale": None, "data": "4006381333931"}],
    },
}
ORDER = {
    "id": 727,
    "status": "processing",
    "currency": "EUR",
    "date_created_gmt": "2017-03-22T16:28:02",
    "customer_id": 0,
    "line_items": [
        {"id": 315, "product_id": 93, "quantity": 2, "price": 3},
        {"id": 316, "product_id": 22, "quantity": 1, "price": 12.5},
    ],
}
LOG = (
    "Zeit;Artikel;Aktion;Kunde;Besucher;Menge;Preis\n"
    "01.05.2024 14:03:07;4711;Kauf;K9;;0,5;1.299,00\n"
    "01.05.2024 14:04:00;;Login;K9;;;\n"
)


def _example(name: str, content: bytes) -> list[dict[str, Any]]:
    """The events of a file by one of the project's mappings; the codec must take each."""
    custom, options = Custom(Mapping.read((EXAMPLES / f"{name}.toml").read_text("utf-8"))), ImportOptions()
    events = []
    for row in custom.rows(BytesIO(content), options):
        assert row.fault is None
        for topic, event in custom.events(row, options):
            DECODERS[topic](orjson.dumps(event), None)
            events.append(event)
    return events


def test_products_of_akeneo() -> None:
    disabled = AKENEO | {"enabled": False}
    (event,) = _example("akeneo-products", orjson.dumps(AKENEO) + b"\n" + orjson.dumps(disabled))
    assert event == {
        "language": "en",
        "product_id": "top",
        "title": "Linen top",
        "description": "Soft linen.",
        "gtin": "4006381333931",
        "group_id": "summer-top",
        "shop_category": "summer_collection",
        "occurred_at": "2024-05-01T10:00:00Z",
        "price": {"amount": 15.5, "currency": "EUR"},
        "attributes": {"color": "white"},
    }


def test_orders_of_woocommerce() -> None:
    events = _example("woocommerce-orders", orjson.dumps([ORDER, ORDER | {"status": "cancelled"}]))
    assert [(each["product_id"], each["quantity"], each["event_id"]) for each in events] == [
        ("93", 2, "woocommerce-727-315"),
        ("22", 1, "woocommerce-727-316"),
    ]
    assert all(each["session_id"] == "order-727" and "user_id" not in each for each in events)


def test_a_log_with_german_numbers_and_times() -> None:
    (event,) = _example("web-shop-log", LOG.encode())
    assert event["occurred_at"] == "2024-05-01T14:03:07Z"
    assert (event["action"], event["quantity"]) == ("purchase", 0.5)
    assert event["price"] == {"amount": 1299.0, "currency": "EUR"}
    assert event["event_id"] == _example("web-shop-log", LOG.encode())[0]["event_id"]


def test_columns_that_a_mapping_reads_count_as_used() -> None:
    custom = Custom(Mapping.read((EXAMPLES / "web-shop-log.toml").read_text("utf-8")))
    (row, _) = custom.rows(BytesIO(LOG.encode()), ImportOptions())
    list(custom.events(row, ImportOptions()))
    assert row.used == {"Zeit", "Artikel", "Aktion", "Kunde", "Menge", "Preis"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("topic = ", "is no TOML"),
        ("topic = 'products'", "must be one of product-created, user-behavior"),
        ("topic = 'product-created'", r"\[fields\] is missing"),
        ("topic = 'product-created'\nfelds = 1", "`felds` is none of"),
        ("topic = 'product-created'\n[fields]\nname = 'a'", "has no field `name`"),
        ("topic = 'product-created'\n[fields]\ntitle = 'a['", "`fields.title`: .* is no JMESPath expression"),
        ("topic = 'product-created'\n[fields]\ntitle = 5", "`fields.title` must be a JMESPath expression"),
        ("topic = 'product-created'\n[fields]\ntitle.en = 'a'", "`title` of product-created has no fields"),
        (
            "topic = 'product-created'\n[fields]\ntitle = 'a'\n[convert]\ntitle = 'upper'",
            "is none of seconds",
        ),
        ("topic = 'product-created'\n[fields]\ntitle = 'a'\n[convert]\nbrand = 'text'", "has `brand`, but"),
        ("topic = 'product-created'\n[fields]\ntitle = 'a'\n[values]\ntitle = 'x'", "must be a table of"),
        (
            "topic = 'user-behavior'\n[fields]\nprice = 'a'\n'price.currency' = 'b'",
            "`price` and `price.currency` are both given; use `price.amount`",
        ),
        (
            "topic = 'user-behavior'\n[fields]\nprice = 'a'\n[constants]\nprice.currency = 'EUR'",
            "`price` and `price.currency` are both given",
        ),
        (
            "topic = 'user-behavior'\n[fields]\naction = 'a'\n[constants]\naction = 'view'",
            r"`action` is both in \[fields\] and in \[constants\]",
        ),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        Mapping.read(text)


@pytest.mark.parametrize(
    ("lines", "document", "field", "message"),
    [
        ("for_each = 'a'\n[fields]\ntitle = 't'", {"a": {"t": "x"}}, "for_each", "gives no list"),
        ("[fields]\ntitle = \"join('-', t)\"", {"t": [1]}, "title", "does not fit the value"),
        ("[fields]\ntitle = 't'\n[values.title]\na = 'b'", {"t": "c"}, "title", "is none of a"),
        (
            "[fields]\noccurred_at = 't'\n[convert]\noccurred_at = 'seconds'",
            {"t": "x"},
            "occurred_at",
            "seconds",
        ),
    ],
)
def test_a_document_that_does_not_fit_names_the_field(
    lines: str, document: object, field: str, message: str
) -> None:
    mapping = Mapping.read(f"topic = 'product-created'\n{lines}")
    with pytest.raises(InvalidEvent, match=message) as error:
        mapping.events(document)
    assert error.value.field == field


def test_true_and_false_are_translated() -> None:
    mapping = Mapping.read(
        "topic = 'user-behavior'\n[fields]\naction = 'bought'\n"
        "[values.action]\ntrue = 'purchase'\nfalse = 'view'"
    )
    assert mapping.events({"bought": True}) == [{"action": "purchase"}]
    assert mapping.events({"bought": False}) == [{"action": "view"}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abct"), children),
    max_leaves=9,
)


@given(JSON)
def test_any_document_gives_events_or_a_clear_error(document: object) -> None:
    mapping = Mapping.read(
        "topic = 'user-behavior'\nfor_each = 'a'\nwhen = 'b'\n[fields]\nproduct_id = 'c'\n"
        "occurred_at = 't'\nquantity = 'document.b'\nprice = 'b'\n"
        "[convert]\noccurred_at = 'time'\nquantity = 'number'\nprice = 'price'\n"
    )
    try:
        assert all(
            each.keys() <= {"product_id", "occurred_at", "quantity", "price"}
            for each in mapping.events(document)
        )
    except InvalidEvent as error:
        assert error.field is not None
