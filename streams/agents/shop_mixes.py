"""The mixes of shops in a lane of the agent `enrich`: a row per shop, which commits with the batch."""

from collections.abc import Iterable

import msgspec
import numpy as np

from models.enrichment.shop_mix import ShopMix
from streams.inference.messages import InvalidListing, Listing, Predictions
from streams.state.tables import Table, TableSpec

_NO_SHOP = b"\x00shelfstream.no-shop"
"""The key of the listings that name no shop. No shop has it."""


class _Shop(msgspec.Struct, gc=False):
    shop_id: str | None = None


_DECODER = msgspec.json.Decoder(_Shop)


def shop_mixes_table(changelog: str) -> TableSpec[bytes]:
    """Describe the table of mixes. Its rows are kept in the topic `changelog`."""
    return TableSpec("shop-mixes", changelog, bytes, bytes, has_positions=False)


class ShopMixRows:
    """Reads and writes the mixes of the shops of one batch.

    Args:
        table: The lane's table.
        taxonomy_version: The category tree's version.
        departments: The number of departments of the tree.
    """

    def __init__(self, table: Table[bytes], taxonomy_version: str, departments: int) -> None:
        self._table = table
        self._taxonomy_version, self._departments = taxonomy_version, departments

    def attached(self, listings: Iterable[Listing]) -> list[Listing]:
        """Return the listings with the mixes of their shops."""
        return [
            msgspec.structs.replace(listing, mix=self._table.get(_key(_shop_of(listing.value))) or b"")
            for listing in listings
        ]

    def count(self, predictions: Predictions) -> None:
        """Count the departments of listings in the mixes of their shops, in order."""
        mixes: dict[bytes, ShopMix] = {}
        for prediction in predictions:
            if isinstance(prediction, InvalidListing) or prediction.departments is None:
                continue
            departments = np.frombuffer(prediction.departments, dtype=np.float32)
            if len(departments) != self._departments:
                continue  # A candidate with another tree.
            key = _key(prediction.shop_id)
            if key not in mixes:
                stored = self._table.get(key)
                mixes[key] = ShopMix.from_bytes(stored, self._taxonomy_version, self._departments)
            mixes[key] = mixes[key].after(departments)
        for key, mix in mixes.items():
            self._table.put(key, mix.to_bytes(self._taxonomy_version))


def _key(shop: str | None) -> bytes:
    return shop.encode() if shop else _NO_SHOP


def _shop_of(value: bytes | None) -> str | None:
    """Return the shop of an undecoded listing. A value that does not decode has none here."""
    try:
        return None if value is None else _DECODER.decode(value).shop_id
    except (ValueError, RecursionError):
        return None
