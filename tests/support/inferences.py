"""Fake models with fixed predictions, for tests of which model predicts."""

import asyncio
import weakref
from collections.abc import Sequence
from typing import ClassVar

import orjson

from models.enrichment.model_info import LoadedModelInfo
from models.taxonomy.tree import Taxonomy
from streams.inference.messages import InvalidListing, Listing, Prediction


class FakeInference:
    """Predicts the same category for every listing.

    Args:
        version: Its model version.
        path: Path of the category.
        breaks_at: Title at which `predict` raises an error. None for no error.

    Attributes:
        may: `predict` waits until this is set. It is set at first.
        closed: Whether `close` was called.
    """

    alive: ClassVar["weakref.WeakSet[FakeInference]"] = weakref.WeakSet()

    def __init__(self, version: str, path: str = "A > B", breaks_at: str | None = None) -> None:
        self.model_info = LoadedModelInfo(version, Taxonomy("t", {1: ("A",)}, {}))
        self.cache_requests = (0, 0)
        self.restarts = self.hangs = 0
        self.unavailable_reason: str | None = None
        self.drift = None
        self.may = asyncio.Event()
        self.may.set()
        self.closed = False
        self._path = path
        self._breaks_at = breaks_at
        self.alive.add(self)

    async def predict(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        """See `Inference.predict`."""
        await self.may.wait()
        await asyncio.sleep(0)
        assert not self.closed
        if any(orjson.loads(each.value or b"{}")["title"] == self._breaks_at for each in listings):
            raise ValueError(f"{self.model_info.model_version} breaks")
        self.cache_requests = (self.cache_requests[0], self.cache_requests[1] + len(listings))
        enriched = orjson.dumps({"category": {"path": self._path}, "decision": {"outcome": "model"}})
        version = self.model_info.model_version
        return [Prediction((each.key or b"").decode(), enriched, None, version, "model") for each in listings]

    def close(self) -> None:
        """See `Inference.close`."""
        self.closed = True
        self.alive.discard(self)


def listings(count: int, title: str = "a title") -> list[Listing]:
    """Return one listing for each of the products p0, p1 and so on."""
    return [
        Listing(orjson.dumps({"product_id": f"p{number}", "title": title}), b"p%d" % number, "t", 0, number)
        for number in range(count)
    ]
