"""A real shop in small, shipped with the project: what `shelfstream demo` streams.

Twelve days of UCI Online Retail. `sample/ATTRIBUTION.md` beside names the source, its licence (CC BY 4.0)
and what was changed; `benchmarks.sample_extract` makes it.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

from schemas.codec import decode_product_created, decode_user_behavior
from schemas.events import ProductCreated, UserBehavior

FOLDER = Path(__file__).parent / "sample"
SHOP_ID = "uci-online-retail"


def iter_products() -> Iterator[ProductCreated]:
    """The shop's products as they were first sold, in that order."""
    yield from map(decode_product_created, _lines("products"))


def iter_baskets() -> Iterator[UserBehavior]:
    """The shop's purchases, line by line, in order of event time; a session is an invoice."""
    yield from map(decode_user_behavior, _lines("baskets"))


def _lines(name: str) -> Iterator[bytes]:
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rb") as lines:
        for line in lines:
            yield line.rstrip(b"\n")
