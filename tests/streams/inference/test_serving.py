"""Which model predicts which listing: the canary's share, the shadow's comparison, and replacing models."""

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from models.registry.deployment import on_canary
from streams.inference import serving
from streams.inference.messages import Listing, Prediction
from streams.inference.model_report import ShadowCounts
from streams.inference.serving import ServingInference, ServingModels
from streams.inference.shadow import BATCHES_WAITING, differences
from tests.support.inferences import FakeInference, listings

LISTINGS = listings(400)
CHOSEN = {each.key for each in LISTINGS if on_canary(each.key or b"", 0.25)}


@pytest.fixture
def old() -> FakeInference:
    return FakeInference("old", "A > Old")


@pytest.fixture
def new() -> FakeInference:
    return FakeInference("new", "A > New")


async def versions_of(inference: ServingInference, batch: Sequence[Listing]) -> dict[bytes | None, str]:
    """The version of the model that predicted, by product."""
    found = await inference.predict(batch)
    assert all(isinstance(each, Prediction) for each in found)
    return {
        listing.key: each.model_version
        for listing, each in zip(batch, found, strict=True)
        if isinstance(each, Prediction) and each.product_id.encode() == listing.key
    }


async def compared(inference: ServingInference, expected: int) -> ShadowCounts:
    """The shadow's counts, once it has compared `expected` listings."""
    async with asyncio.timeout(120):
        while (counts := inference.report().shadow_totals).compared < expected:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return counts


async def test_without_a_candidate_the_model_predicts_all(old: FakeInference) -> None:
    assert set((await versions_of(ServingInference(old), LISTINGS)).values()) == {"old"}


async def test_a_canary_s_products_are_the_candidate_s_in_any_batch(
    old: FakeInference, new: FakeInference
) -> None:
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, 0.25))
    whole = await versions_of(inference, LISTINGS)
    assert len(whole) == len(LISTINGS)
    assert {key for key, version in whole.items() if version == "new"} == CHOSEN
    alone = [await versions_of(inference, [listing]) for listing in reversed(LISTINGS)]
    assert {key: version for each in alone for key, version in each.items()} == whole


async def test_a_listing_without_a_key_is_its_product_s(old: FakeInference, new: FakeInference) -> None:
    """A listing that names no product goes to the serving model."""
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, 0.25))
    bare = [Listing(each.value, None, each.topic, each.partition, each.offset) for each in LISTINGS]
    found = await inference.predict(bare)
    versions = [each.model_version for each in found if isinstance(each, Prediction)]
    assert versions == ["new" if each.key in CHOSEN else "old" for each in LISTINGS]
    nameless = Listing(b'{"title": "a title"}', None, "t", 0, 0)
    (prediction,) = await inference.predict([nameless])
    assert isinstance(prediction, Prediction)
    assert prediction.model_version == "old"


async def test_each_product_gets_the_prediction_of_its_own_model(
    old: FakeInference, new: FakeInference
) -> None:
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, 0.25))
    for listing, each in zip(LISTINGS, await inference.predict(LISTINGS), strict=True):
        assert isinstance(each, Prediction)
        expected = "A > New" if listing.key in CHOSEN else "A > Old"
        assert orjson.loads(each.enriched or b"")["category"]["path"] == expected


async def test_a_batch_is_predicted_by_the_models_that_it_began_with(
    old: FakeInference, new: FakeInference
) -> None:
    """The old model is closed once no batch uses it, and not before."""
    inference = ServingInference(old)
    await versions_of(inference, LISTINGS)
    old.may.clear()
    batch = asyncio.create_task(versions_of(inference, LISTINGS))
    await asyncio.sleep(0)
    swap = asyncio.create_task(inference.replace(ServingModels(new)))
    await asyncio.sleep(0)
    assert set((await versions_of(inference, LISTINGS)).values()) == {"new"}
    assert not old.closed
    assert not swap.done()
    assert inference.cache_requests == (0, 800)
    old.may.set()
    assert set((await batch).values()) == {"old"}
    await swap
    assert inference.cache_requests == (0, 1_200)
    closed: bool = vars(old)["closed"]
    assert closed


async def test_a_model_that_does_not_come_to_an_end_is_closed_all_the_same(
    old: FakeInference, new: FakeInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RELEASE_TIMEOUT_S", 0.01)
    inference = ServingInference(old)
    old.may.clear()
    batch = asyncio.create_task(versions_of(inference, LISTINGS))
    await asyncio.sleep(0)
    await inference.replace(ServingModels(new))
    assert old.closed
    batch.cancel()


async def test_a_canary_that_fails_publishes_nothing_and_costs_no_listing(old: FakeInference) -> None:
    candidate = FakeInference("new", breaks_at="poison")
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, candidate, 0.25))
    assert set((await versions_of(inference, listings(400, "poison"))).values()) == {"old"}
    assert inference.candidate_failure is not None
    assert inference.candidate_failure[0] is candidate


async def test_a_failure_of_what_serves_is_the_batch_s(new: FakeInference) -> None:
    """The lane finds the poison record; no other model is asked."""
    broken = FakeInference("old", breaks_at="poison")
    inference = ServingInference(broken)
    await inference.replace(ServingModels(broken, new, 0.25))
    with pytest.raises(ValueError, match="old breaks"):
        await inference.predict(listings(400, "poison"))
    assert inference.candidate_failure is None


async def test_a_shadow_publishes_nothing_and_counts_what_differs(
    old: FakeInference, new: FakeInference
) -> None:
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, shadow=True))
    assert set((await versions_of(inference, LISTINGS)).values()) == {"old"}
    expected = ShadowCounts(400, 0, {"level1": 0, "category": 400, "outcome": 0})
    assert await compared(inference, 400) == expected == inference.report().shadow


async def test_a_shadow_leaves_out_what_its_canary_published(old: FakeInference, new: FakeInference) -> None:
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, 0.25, shadow=True))
    await versions_of(inference, LISTINGS)
    await compared(inference, 400 - len(CHOSEN))
    await inference.replace(ServingModels(old))
    assert inference.report().shadow_totals.compared == 400 - len(CHOSEN)


async def test_a_shadow_that_is_behind_holds_nothing_up_and_drops(
    old: FakeInference, new: FakeInference
) -> None:
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, shadow=True))
    new.may.clear()
    for _ in range(BATCHES_WAITING + 3):
        await versions_of(inference, LISTINGS)
        await asyncio.sleep(0)
    assert inference.report().shadow_totals.dropped == 3 * len(LISTINGS)
    new.may.set()
    await compared(inference, BATCHES_WAITING * len(LISTINGS))
    await versions_of(inference, LISTINGS)
    await compared(inference, (BATCHES_WAITING + 1) * len(LISTINGS))


async def test_a_shadow_that_is_behind_ends_with_its_trial(old: FakeInference, new: FakeInference) -> None:
    """Waiting batches are not compared any more, and the candidate is closed at once."""
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, shadow=True))
    new.may.clear()
    await versions_of(inference, LISTINGS)
    ended = asyncio.create_task(inference.replace(ServingModels(old)))
    await asyncio.sleep(0)
    new.may.set()
    await ended
    assert new.closed
    assert inference.report().shadow_totals.compared == 0


async def test_a_shadow_that_fails_is_reported_and_holds_nothing_up(old: FakeInference) -> None:
    candidate = FakeInference("new", breaks_at="poison")
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, candidate, shadow=True))
    for _ in range(BATCHES_WAITING + 1):
        assert set((await versions_of(inference, listings(3, "poison"))).values()) == {"old"}
    await inference.replace(ServingModels(old))
    assert inference.candidate_failure is not None
    assert inference.candidate_failure[0] is candidate
    assert inference.report().shadow_totals.compared == 0


async def test_each_candidate_has_its_own_counts_and_the_total_goes_on(old: FakeInference) -> None:
    inference = ServingInference(old)
    for turn, version in enumerate(("one", "two"), start=1):
        await inference.replace(ServingModels(old, FakeInference(version), shadow=True))
        await versions_of(inference, LISTINGS)
        await compared(inference, turn * len(LISTINGS))
        shadow = inference.report().shadow
        assert shadow is not None
        assert shadow.compared == len(LISTINGS)
    await inference.replace(ServingModels(old))
    assert inference.report().shadow is None


async def test_counts_only_grow_when_models_come_and_go(old: FakeInference, new: FakeInference) -> None:
    inference = ServingInference(old)
    seen = []
    for models in (
        ServingModels(old, new, 0.25),
        ServingModels(new),
        ServingModels(FakeInference("newer"), new, 0.5),
    ):
        await versions_of(inference, LISTINGS)
        (old if inference.models.model is old else new).restarts += 1
        await inference.replace(models)
        seen.append((inference.cache_requests, inference.restarts))
    assert seen == [((0, 400), 1), ((0, 800), 2), ((0, 1200), 3)]


def event(path: str | None, outcome: str) -> bytes:
    category = None if path is None else {"id": 1, "path": path, "confidence": 0.5}
    return orjson.dumps({"product_id": "p", "category": category, "decision": {"outcome": outcome}})


@pytest.mark.parametrize(
    ("one", "other", "aspects"),
    [
        (event("A > B", "model"), event("A > B", "model"), []),
        (event("A > B", "model"), event("A > B > C", "model"), ["category"]),
        (event("A > B", "model"), event("A > B", "abstained"), ["outcome"]),
        (event("A > B", "model"), event(None, "abstained"), ["level1", "category", "outcome"]),
        (event(None, "abstained"), event(None, "abstained"), []),
    ],
)
def test_predictions_differ_in_department_category_and_outcome(
    one: bytes, other: bytes, aspects: list[str]
) -> None:
    assert differences(one, other) == differences(other, one) == aspects


async def test_closing_closes_all_models_and_ends_comparisons(old: FakeInference, new: FakeInference) -> None:
    """Also a model that a batch still uses."""
    inference = ServingInference(old)
    await inference.replace(ServingModels(old, new, shadow=True))
    new.may.clear()
    await versions_of(inference, LISTINGS)
    newest = FakeInference("newest")
    swap = asyncio.create_task(inference.replace(ServingModels(newest)))
    await asyncio.sleep(0)
    inference.close()
    await swap
    assert (old.closed, new.closed, newest.closed) == (True, True, True)
    assert inference.candidate_failure is None
