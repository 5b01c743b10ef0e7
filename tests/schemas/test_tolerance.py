"""Optional fields that are wrong are left out and reported, and common forms of values are read."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_behavior, decode_feedback, decode_listing
from schemas.currencies import CURRENCIES
from schemas.errors import InvalidEvent
from schemas.events import Availability, Change, Price, ProductCreated, UserBehavior
from schemas.forms import is_gtin
from schemas.times import read_time

NOW = datetime(2019, 10, 1, tzinfo=UTC)


def _listing(**fields: Any) -> tuple[ProductCreated, dict[str, str]]:
    event, ignored = decode_listing(json.dumps({"product_id": "p", "title": "Tee"} | fields).encode())
    return event, {each.field: each.problem for each in ignored}


def _behavior(**fields: Any) -> tuple[UserBehavior, dict[str, str]]:
    given_ = {"occurred_at": "2019-10-01T00:00:00Z", "product_id": "p", "action": "purchase", "user_id": "u"}
    event, ignored = decode_behavior(json.dumps(given_ | fields).encode())
    return event, {each.field: each.problem for each in ignored}


def test_null_in_an_optional_field_is_an_absent_field() -> None:
    names = set(ProductCreated.__struct_fields__) - {"product_id", "title", "schema_version"}
    event, ignored = _listing(**dict.fromkeys(names))
    assert event == ProductCreated(product_id="p", title="Tee")
    assert not ignored
    assert _behavior(quantity=None, price=None, session_id=None)[0].quantity == 1


def test_a_withdrawal_needs_no_title_and_another_listing_does() -> None:
    assert _listing(change="withdrawn", title=None)[0].change is Change.WITHDRAWN
    event, ignored = _listing(change="withdrawn", title=7)
    assert (event.change, set(ignored)) == (Change.WITHDRAWN, {"$.title"})
    with pytest.raises(InvalidEvent, match="title"):
        _listing(title=None)


@pytest.mark.parametrize(
    ("price", "read"),
    [
        ({"amount": 19.99, "currency": "EUR"}, Price(amount=19.99, currency="EUR")),
        ({"amount": "19.99", "currency": "EUR"}, Price(amount=19.99, currency="EUR")),
        ({"amount": " 19 "}, Price(amount=19.0, currency=None)),
        ("19.99 EUR", Price(amount=19.99, currency="EUR")),
        ("EUR 19.99", Price(amount=19.99, currency="EUR")),
        (" JPY500 ", Price(amount=500.0, currency="JPY")),
    ],
)
def test_prices_are_read_in_all_forms_and_never_get_a_currency_that_was_not_given(
    price: Any, read: Price
) -> None:
    assert _listing(price=price) == (ProductCreated(product_id="p", title="Tee", price=read), {})
    assert _behavior(price=price)[0].price == read


@pytest.mark.parametrize(
    "price", ["19.99", "$19.99", "19,99 EUR", "1,299.00 USD", "19.99 XYZ", 19.99, [], True]
)
def test_a_price_without_amount_and_currency_is_left_out_with_the_form_to_write(price: Any) -> None:
    event, ignored = _listing(price=price)
    assert event.price is None
    assert '{"amount": 19.99, "currency": "EUR"}' in ignored["$.price"]


def test_only_the_wrong_part_of_a_price_is_left_out() -> None:
    event, ignored = _listing(price={"amount": 5, "currency": "$"})
    assert event.price == Price(amount=5.0, currency=None)
    assert set(ignored) == {"$.price.currency"}
    assert set(_listing(price={"amount": -1})[1]) == {"$.price.amount"}
    assert set(_listing(price={"currency": "EUR"})[1]) == {"$.price.amount"}


@given(st.decimals(0, 10**9, places=2), st.sampled_from(sorted(CURRENCIES)), st.booleans())
def test_a_price_in_one_text_is_its_amount_and_its_currency(amount: Decimal, code: str, first: bool) -> None:
    event, ignored = _listing(price=f"{code} {amount}" if first else f"{amount} {code}")
    assert (event.price, ignored) == (Price(amount=float(amount), currency=code), {})


@pytest.mark.parametrize(
    "gtin", ["96385074", "614141999996", "4006381333931", "10614141000415", 4006381333931]
)
def test_a_gtin_with_its_check_digit_is_taken(gtin: Any) -> None:
    assert _listing(gtin=gtin) == (ProductCreated(product_id="p", title="Tee", gtin=str(gtin)), {})


@given(st.from_regex(r"\A(?:[0-9]{7}|[0-9]{11,13})\Z"))
def test_exactly_one_check_digit_fits_and_a_wrong_digit_is_found(digits: str) -> None:
    fitting = [last for last in "0123456789" if is_gtin(digits + last)]
    assert len(fitting) == 1
    changed = ("1" if digits[0] == "0" else "0") + digits[1:] + fitting[0]
    assert "$.gtin" in _listing(gtin=changed)[1]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("in stock", Availability.IN_STOCK),
        ("InStock", Availability.IN_STOCK),
        ("https://schema.org/InStock", Availability.IN_STOCK),
        ("http://schema.org/OutOfStock", Availability.OUT_OF_STOCK),
        ("SoldOut", Availability.OUT_OF_STOCK),
        ("Pre-Order", Availability.PREORDER),
        (" backorder ", Availability.BACKORDER),
        ("https://schema.org/Discontinued", Availability.DISCONTINUED),
    ],
)
def test_an_availability_is_read_in_the_words_of_merchant_center_and_schema_org(text: str, read: str) -> None:
    assert _listing(availability=text) == (
        ProductCreated(product_id="p", title="Tee", availability=Availability(read)),
        {},
    )


def test_an_unknown_availability_is_left_out_with_the_allowed_values() -> None:
    assert (
        "backorder, discontinued, in_stock, out_of_stock, preorder"
        in _listing(availability="maybe")[1]["$.availability"]
    )


def test_attributes_become_texts_and_a_wrong_one_is_named_by_its_key() -> None:
    event, ignored = _listing(
        attributes={
            "pages": 300,
            "width": 1.5,
            "new": True,
            "sizes": ["S", 38],
            "none": None,
            "a b": {},
            "x": [[]],
        }
    )
    assert event.attributes == {"pages": "300", "width": "1.5", "new": "true", "sizes": "S, 38"}
    assert set(ignored) == {"$.attributes['a b']", "$.attributes.x"}


def test_other_wrong_fields_are_left_out_one_by_one() -> None:
    event, ignored = _listing(
        language="no language",
        category=1.0,
        sku=42,
        images=["a", 7],
        brand=["Nike"],
        occurred_at="soon",
        url="u",
    )
    assert event == ProductCreated(product_id="p", title="Tee", category=1, sku="42", images=["a"], url="u")
    assert set(ignored) == {"$.language", "$.images[1]", "$.brand", "$.occurred_at"}
    assert "write a time as 2024-05-01T12:30:00Z" in ignored["$.occurred_at"]


def test_a_wrong_language_tag_or_gtin_alone_is_found_on_the_fast_path_too() -> None:
    for fields in (
        {"language": "no language"},
        {"gtin": "1"},
        {"sale_price": {"amount": 1, "currency": "eu"}},
    ):
        assert len(_listing(**fields)[1]) == 1


@pytest.mark.parametrize("quantity", [0.5, 1.0, 2, 0.001])
def test_a_quantity_may_be_a_part_of_a_unit(quantity: float) -> None:
    event, ignored = _behavior(quantity=quantity)
    assert (event.quantity, ignored) == (quantity, {})


@pytest.mark.parametrize("quantity", [0, "2", True, 10**400, 0.0001])
def test_a_quantity_that_is_none_is_left_out(quantity: Any) -> None:
    event, ignored = _behavior(quantity=quantity)
    assert (event.quantity, set(ignored)) == (1, {"$.quantity"})


@pytest.mark.parametrize(
    "time",
    [
        "2019-10-01 00:00:00 UTC",
        " 2019-10-01T00:00:00Z\n",
        "2019-10-01T02:00:00 +0200",
        "2019-09-30 20:00:00-04",
        1569888000,
        "1569888000",
        1569888000.0,
        1569888000000,
        "1569888000000",
        1569888000000000,
        "1569888000000000",
    ],
)
def test_a_time_is_read_in_the_forms_that_logs_have(time: Any) -> None:
    event, ignored = _behavior(occurred_at=time)
    assert (event.occurred_at, ignored) == (NOW, {})
    assert event.occurred_at.tzinfo is UTC
    assert _listing(occurred_at=time)[0].occurred_at == NOW
    feedback = {"product_id": "p", "verdict": "accept", "occurred_at": time}
    assert decode_feedback(json.dumps(feedback).encode())[0].occurred_at == NOW


@pytest.mark.parametrize(
    "time", ["10/01/2019", "2019100100", 20191001, "20191001000000", "2019-02-30 00:00", 0, -1]
)
def test_a_time_in_another_form_is_refused_with_the_form_to_write(time: Any) -> None:
    with pytest.raises(InvalidEvent, match="2024-05-01T12:30:00Z") as raised:
        _behavior(occurred_at=time)
    assert raised.value.field == "$.occurred_at"


@given(st.datetimes(datetime(2001, 9, 10), datetime(2033, 5, 17)), st.sampled_from([1, 1_000, 1_000_000]))
def test_the_magnitude_of_a_number_tells_its_unit(time: datetime, per_second: int) -> None:
    time = time.replace(tzinfo=UTC)
    number = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1_000_000 // per_second)
    assert abs(read_time(number) - time) <= timedelta(seconds=1 / per_second)
    assert read_time(f" {number}") == read_time(number)


def test_headers_of_cloudevents_fill_what_the_value_does_not_have() -> None:
    headers = [("ce_id", b"e1"), ("ce_time", b"2019-10-01T00:00:00Z"), ("x", None)]
    bare = b'{"product_id": "p", "action": "view", "user_id": "u"}'
    event, ignored = decode_behavior(bare, b"u", headers=headers)
    assert (event.event_id, event.occurred_at, ignored) == ("e1", NOW, ())
    listing, _ = decode_listing(b'{"product_id": "p", "title": "t"}', headers=headers)
    assert (listing.event_id, listing.occurred_at) == ("e1", NOW)
    own = b'{"product_id": "p", "title": "t", "event_id": "own", "occurred_at": "2020-01-01T00:00:00Z"}'
    listing, _ = decode_listing(own, headers=headers)
    assert (listing.event_id, listing.occurred_at) == ("own", datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidEvent, match="occurred_at"):
        decode_behavior(bare, headers=[("ce_time", b"soon"), ("ce_id", b"\xff")])


def test_all_problems_of_a_rejected_record_are_named_at_once() -> None:
    with pytest.raises(InvalidEvent) as raised:
        decode_behavior(b'{"occurred_at": "soon", "action": "sniff", "price": "1", "session_id": ""}')
    for path in ("$.occurred_at", "$.action", "$.price", "$.session_id", "$.user_id"):
        assert f"{path}: " in raised.value.detail
    assert "dead-letters" in raised.value.detail
    assert "dead-letters" not in raised.value.problem


def test_an_empty_user_id_is_no_user_id() -> None:
    event, ignored = _behavior(user_id="", session_id="s")
    assert (event.user_id, event.session_id, set(ignored)) == (None, "s", {"$.user_id"})
    with pytest.raises(InvalidEvent, match="missing-shopper"):
        _behavior(user_id="")


@pytest.mark.parametrize(("number", "text"), [(5, "5"), (-1, "-1"), (7.0, "7"), (2**63 - 1, str(2**63 - 1))])
def test_a_whole_number_is_an_identifier(number: float, text: str) -> None:
    event, ignored = _behavior(user_id=number, product_id=number, event_id=number)
    assert (event.user_id, event.product_id, event.event_id, ignored) == (text, text, text, {})
    listing, left_out = decode_listing(
        json.dumps({"product_id": number, "title": "Mug", "group_id": number}).encode(), text.encode()
    )
    assert (listing.product_id, listing.group_id, left_out) == (text, text, ())
    feedback = {"product_id": number, "verdict": "accept"}
    assert decode_feedback(json.dumps(feedback).encode(), text.encode())[0].product_id == text


@pytest.mark.parametrize("value", [1.5, 2**63, 2**80, True, [5]])
def test_what_is_no_whole_number_is_no_identifier(value: object) -> None:
    with pytest.raises(InvalidEvent, match=r"\$\.user_id: "):
        _behavior(user_id=value, session_id="s")


@pytest.mark.parametrize("quantity", [-1, -0.5, "-2"])
def test_a_negative_quantity_rejects_a_purchase_and_is_left_out_of_other_actions(quantity: object) -> None:
    with pytest.raises(InvalidEvent, match=r"\$\.quantity: is negative.*`return`") as raised:
        _behavior(action="purchase", quantity=quantity)
    assert (raised.value.reason, raised.value.field) == ("invalid-field", "$.quantity")
    event, ignored = _behavior(action="return", quantity=quantity)
    assert (event.quantity, set(ignored)) == (1, {"$.quantity"})
    assert "`return`" in ignored["$.quantity"]


def test_feedback_takes_whole_numbers_in_any_form() -> None:
    feedback = {"product_id": "p", "verdict": "correct", "category_id": 166.0, "comment": None, "by": 7}
    event, ignored = decode_feedback(json.dumps(feedback).encode())
    assert (event.category_id, event.comment, [each.field for each in ignored]) == (166, "", ["$.by"])
