"""The sample shop that `shelfstream demo` streams: twelve days of UCI Online Retail.

`sample/ATTRIBUTION.md` names the source, its license (CC BY 4.0) and the changes. `benchmarks.sample_extract`
makes the files.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

from schemas.codec import decode_product_created, decode_user_behavior
from schemas.events import ProductCreated, UserBehavior

FOLDER = Path(__file__).parent / "sample"
SHOP_ID = "uci-online-retail"


def iter_products() -> Iterator[ProductCreated]:
    """Yield the shop's products in the order of their first sale."""
    yield from map(decode_product_created, _lines("products"))


def iter_baskets() -> Iterator[UserBehavior]:
    """Yield the shop's purchases, one per invoice line, in order of event time. An invoice is a session."""
    yield from map(decode_user_behavior, _lines("baskets"))


def _lines(name: str) -> Iterator[bytes]:
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rb") as lines:
        for line in lines:
            yield line.rstrip(b"\n")
