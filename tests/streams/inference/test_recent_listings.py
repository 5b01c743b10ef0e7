"""The recent listings, with which a newly loaded model begins its drift statistics."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from models.drift.detector import MIN_LISTINGS
from models.drift.sampling import is_sampled
from models.registry.registry import Registry
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.model_reloader import ModelReloader
from streams.inference.protocol import Inference
from streams.inference.recent_listings import LONGEST, RECENT, RecentListings
from tests.support.inferences import FakeInference, listings
from tests.support.model_folders import TREE, tiny_model


def prediction(listing: Listing, enriched: bytes | None = b"{}") -> Prediction:
    return Prediction((listing.key or b"").decode(), enriched, None, "m", "model")


def kept(recent: RecentListings) -> list[Listing]:
    return [listing for batch in recent.batches(7) for listing in batch]


def test_the_newest_sampled_listings_are_kept_and_are_enough_for_a_report() -> None:
    recent, made = RecentListings(), listings(4 * RECENT + 2_000)
    for start in range(0, len(made), 300):
        batch = made[start : start + 300]
        recent.add(batch, [prediction(each) for each in batch])
    assert kept(recent) == [each for each in made if is_sampled(each.key or b"")][-RECENT:]
    assert RECENT >= MIN_LISTINGS


def test_what_does_not_count_for_drift_is_not_kept() -> None:
    recent = RecentListings()
    (sampled,) = [each for each in listings(20) if is_sampled(each.key or b"")][:1]
    large = Listing(b" " * (LONGEST + 1), sampled.key, "t", 0, 1)
    recent.add([sampled, sampled], [InvalidListing("bad", "", None), prediction(sampled, None)])
    recent.add([large], [prediction(large)])
    assert kept(recent) == []


class Recorder(FakeInference):
    """Records the offsets that it predicts."""

    def __init__(self, version: str, breaks_at: str | None = None) -> None:
        super().__init__(version, breaks_at=breaks_at)
        self.offsets: list[int] = []

    async def predict(self, listings: Sequence[Listing]) -> list[Prediction | InvalidListing]:
        self.offsets += [each.offset for each in listings]
        return await super().predict(listings)


@pytest.mark.parametrize("breaks", [False, True])
async def test_a_model_predicts_the_recent_listings_before_it_serves(tmp_path: Path, breaks: bool) -> None:
    """Otherwise drift would be unknown until enough new listings came, just when it matters most."""
    registry = Registry(tmp_path / "registry", TREE)
    version = tiny_model(tmp_path / "model", 0)
    registry.add(tmp_path / "model")
    loaded: list[Recorder] = []

    def load(name: str | None) -> Inference:
        loaded.append(Recorder(name or "shipped", "a title" if breaks and name else None))
        return loaded[-1]

    reloader = ModelReloader(registry, load, 0.0)
    await reloader.inference.predict(listings(40))
    registry.promote(version)
    await reloader.check(1.0)
    expected = [each.offset for each in listings(40) if is_sampled(each.key or b"")]
    assert loaded[1].offsets == expected
    assert loaded[1].closed == breaks
    assert reloader.report().model_version == ("shipped" if breaks else version)
