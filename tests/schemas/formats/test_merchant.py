"""Merchant Center feeds, in the forms of the product data specification."""

from io import BytesIO
from pathlib import Path

from schemas.formats.merchant import Merchant
from schemas.formats.row import ImportOptions

SAMPLES = Path(__file__).parent / "samples"


def test_a_table_s_line_is_a_listing() -> None:
    merchant, options = Merchant(), ImportOptions()
    rows = merchant.rows(BytesIO((SAMPLES / "merchant.tsv").read_bytes()), options)
    ((topic, event),) = merchant.events(next(iter(rows)), options)
    assert topic == "product-created"
    assert event["category"] == 721
    assert event["sale_price"] == {"amount": 12.5, "currency": "EUR"}
