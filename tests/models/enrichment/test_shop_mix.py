"""A shop's own mix: it acts after enough listings, in their order, and keeps rare departments possible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats
from models.enrichment.shop_mix import EXPONENT, FLOOR, LEAST_LISTINGS, ShopMix, ShopMixes
from models.taxonomy.decision import descend
from models.taxonomy.department_paths import department_paths
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated
from tests.support.shipped import shipped_enricher

GOOGLE = Taxonomy.google()
DEPARTMENTS = len(GOOGLE.roots)


def sure(department: int) -> Floats:
    masses = np.zeros(DEPARTMENTS, dtype=np.float32)
    masses[department] = 1.0
    return masses


def mix_of(department: int, listings: int) -> ShopMix:
    mix = ShopMix.empty(DEPARTMENTS)
    for _ in range(listings):
        mix = mix.after(sure(department))
    return mix


def test_a_mix_acts_after_enough_listings() -> None:
    """Before, a few listings of one department would decide what the shop sells."""
    assert mix_of(2, LEAST_LISTINGS - 1).weights() is None
    weights = mix_of(2, LEAST_LISTINGS + 10).weights()
    assert weights is not None
    assert weights.argmax() == 2
    assert weights.min() >= FLOOR**EXPONENT


def test_a_shop_that_changes_is_followed() -> None:
    mix = mix_of(2, 300)
    for _ in range(20_000):
        mix = mix.after(sure(4))
    weights = mix.weights()
    assert weights is not None
    assert weights.argmax() == 4
    assert weights[2] == pytest.approx(weights[3], rel=0.05)


def test_a_stored_mix_is_read_back_and_that_of_another_tree_is_not() -> None:
    mix = mix_of(3, 7)
    row = mix.to_bytes("tree-1")
    assert np.array_equal(ShopMix.from_bytes(row, "tree-1", DEPARTMENTS).masses, mix.masses)
    assert ShopMix.from_bytes(row, "tree-2", DEPARTMENTS).listings == 0.0
    assert ShopMix.from_bytes(row, "tree-1", 3).listings == 0.0
    assert ShopMix.from_bytes(None, "tree-1", DEPARTMENTS).listings == 0.0


def test_shops_have_mixes_of_their_own() -> None:
    mixes = ShopMixes(ShopMix.empty(DEPARTMENTS))
    for _ in range(300):
        mixes.count("a", sure(1))
    assert mixes.weights("a") is not None
    assert mixes.weights("b") is None
    only_added = ShopMixes()
    only_added.count("a", sure(1))
    assert only_added.weights("a") is None


@given(seed=st.integers(0, 2**32 - 1), least=st.floats(0.1, 0.9))
def test_weighed_paths_decide_as_a_descent_through_weighed_probabilities(seed: int, least: float) -> None:
    """The paths hold all that a decision needs, whatever the weights."""
    random = np.random.default_rng(seed)
    concentration = np.full(len(GOOGLE), 0.0005)
    probabilities = random.dirichlet(concentration, size=4).astype(np.float32)
    weights = random.uniform(0.7, 1.5, DEPARTMENTS)
    sizes = np.diff(np.append(GOOGLE.roots, len(GOOGLE)))
    weighed = probabilities * np.repeat(weights, sizes)
    weighed /= weighed.sum(axis=1, keepdims=True)
    thresholds = (least, least)
    categories, confidences, are_sure = descend(weighed.astype(np.float32), GOOGLE, thresholds)
    for row, paths in enumerate(department_paths(probabilities, GOOGLE)):
        if paths.certain:
            continue
        found = paths.decide(weights, thresholds)
        if abs(found.confidence - least) > 1e-3:
            assert (found.category, found.sure) == (categories[row], are_sure[row])
            assert found.confidence == pytest.approx(confidences[row], abs=1e-3)


def listing(title: str, shop: str) -> ProductCreated:
    return ProductCreated(product_id="1", title=title, shop_id=shop)


def confidence_of(title: str, shop: str, mixes: ShopMixes | None) -> float:
    (enrichment,) = shipped_enricher().enrich([listing(title, shop)], mixes)
    assert enrichment.category is not None
    return enrichment.category.confidence


def test_the_same_words_are_surer_in_a_shop_that_sells_such() -> None:
    """The cache of decisions must not give one shop the decision of another."""
    title = "Penguin twist lid"
    alone = shipped_enricher().enrich([listing(title, "a")])[0]
    assert alone.category is not None
    assert alone.departments is not None
    likeliest = int(alone.departments.argmax())
    other = (likeliest + 1) % DEPARTMENTS
    mixes = ShopMixes()
    mixes.add("same", mix_of(likeliest, 500))
    mixes.add("other", mix_of(other, 500))
    plain = confidence_of(title, "unknown", mixes)
    assert plain == alone.category.confidence < 0.99
    assert confidence_of(title, "same", mixes) > plain
    assert confidence_of(title, "other", mixes) < plain
    assert confidence_of(title, "same", None) == plain


def test_results_depend_on_the_order_of_listings_and_not_on_batches() -> None:
    titles = ["Nike running shoes", "Penguin twist lid", "Ceramic mug", "Robot kit"] * 70
    listings = [listing(title, "a") for title in titles]
    enricher = shipped_enricher()

    def enriched(size: int) -> list[tuple[DecisionOutcome, float]]:
        mixes = ShopMixes(enricher.mix(None))
        found = [
            each
            for start in range(0, len(listings), size)
            for each in enricher.enrich(listings[start : start + size], mixes)
        ]
        return [
            (each.decision.outcome, each.category.confidence) for each in found if each.category is not None
        ]

    once = enriched(len(listings))
    assert once == enriched(37)
    assert len(set(once)) > 4
