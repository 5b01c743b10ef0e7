"""Prices, barcodes, texts and times as catalogs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.formats.listing import in_period
from schemas.formats.values import gtin, plain_text, price, split_path, utc_time


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("15.00 USD", 15.0, "USD"),
        ("USD 1,299.00", 1299.0, "USD"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("£5", 5.0, "GBP"),
        ("12,50", 12.5, None),
        ("$5.99", 5.99, None),
        (3.17, 3.17, None),
        ("0", 0.0, None),
        ("1299", 1299.0, None),
        ("99.90 XXL", 99.9, None),
    ],
)
def test_a_price_has_the_currency_that_it_names(text: object, amount: float, currency: str | None) -> None:
    expected = {"amount": amount} if currency is None else {"amount": amount, "currency": currency}
    assert price(text) == expected
    assert price(text, "CAD") == {"amount": amount, "currency": currency or "CAD"}


@pytest.mark.parametrize("text", [None, "", "ask us", "-", True, -1, float("nan"), float("inf"), [], "None"])
def test_what_is_no_price_is_none(text: object) -> None:
    assert price(text, "EUR") is None


def test_a_barcode_needs_its_check_digit() -> None:
    for right in ("4006381333931", "036000291452", "96385074", "04006381333931"):
        assert gtin(right) == right
    assert gtin("'4006381333931") == gtin('="4006381333931"') == gtin("4006381-333931") == "4006381333931"
    for wrong in ("4006381333932", "4.01E+12", "", None, "0000000000000", "123", "٤٠٠٦٣٨١٣٣٣٩٣١"):
        assert gtin(wrong) is None


def test_text_loses_its_markup_and_keeps_its_lines() -> None:
    assert plain_text('<p style="color: red">One</p><ul><li>two</li><li>three</li></ul>') == "One\ntwo\nthree"
    assert plain_text("<script>x()</script><style>p {}</style>A<!-- no --> &amp; B&nbsp;C") == "A & B C"
    assert plain_text("3 < 4 & 5 > 2") == "3 < 4 & 5 > 2"
    assert plain_text("<b>soft</b>ware") == "software"
    assert plain_text("One<BR>two<P>three</P>") == "One\ntwo\nthree"
    assert plain_text(None) == plain_text(5) == ""


@given(st.text())
def test_text_of_any_kind_is_read(text: str) -> None:
    assert plain_text(text) == plain_text(text).strip()
    price(text, "EUR")
    gtin(text)
    split_path(text)
    utc_time(text)
    in_period(text, text, None)


def test_times_become_utc() -> None:
    assert utc_time("2024-05-01T12:00:00+02:00") == "2024-05-01T10:00:00Z"
    assert utc_time("2024-05-01 12:00:00") == utc_time("2024-05-01T12:00:00Z") == "2024-05-01T12:00:00Z"
    assert utc_time(0) == utc_time("0") == "1970-01-01T00:00:00Z"
    assert utc_time("soon") is utc_time(None) is utc_time("2024-05-01") is None
    assert utc_time(10**20) is None
