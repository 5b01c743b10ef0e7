"""Drift: the index by its definition, the window by brute force, bins, snapshots, the detector."""

from math import log
from pathlib import Path
from random import Random
from zlib import crc32

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.drift.bins import DECISION_FEATURES, FIELD_FEATURES, TITLE_FEATURES, ListingBins, language_of
from models.drift.decayed_counts import DecayedCounts
from models.drift.detector import MIN_LISTINGS, SMOOTHING, DriftDetector, stability_index
from models.drift.report import DRIFTED, MOVING, level_for
from models.drift.sampling import SAMPLED_ONE_IN
from models.drift.snapshot import DriftReference, DriftSnapshot
from models.drift.vocabulary_coverage import VocabularyCoverage
from models.enrichment.enricher import Enricher, Enrichment
from models.student.artifact import SHIPPED, Artifact
from models.taxonomy.tree import Taxonomy
from models.text.features import feature_hash
from schemas.errors import StopWorker
from schemas.events import (
    Attribute,
    Category,
    Decision,
    DecisionOutcome,
    Evidence,
    Price,
    ProductCreated,
)

TREE = Taxonomy(
    "tiny-1",
    {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Tea")},
    {},
    {2: [("en", "Boots")]},
)
COVERAGE = VocabularyCoverage(
    np.array([feature_hash(f) for f in ("=red", "=shoes", "=t", "=shirt", "12", "鞋")], np.uint32)
)
BINS = ListingBins(TREE, COVERAGE)
ALL = TITLE_FEATURES + FIELD_FEATURES + DECISION_FEATURES
HALF_LIFE_S = 3600.0

histograms = st.integers(2, 12).flatmap(
    lambda size: st.tuples(
        *[st.lists(st.integers(0, 1000), min_size=size, max_size=size).filter(any) for _ in range(2)]
    )
)


def listing(title: str, **more: object) -> ProductCreated:
    return msgspec.convert({"product_id": "p", "title": title, **more}, ProductCreated)


IDS = [str(number) for number in range(20_000) if crc32(str(number).encode()) % SAMPLED_ONE_IN == 0]
"""Ids of products that are sampled."""


def answer(
    category: int | None, confidence: float = 0.95, attributes: int = 0, sure: bool = True
) -> Enrichment:
    outcome = DecisionOutcome.MODEL if sure else DecisionOutcome.ABSTAINED
    node = None if category is None else TREE.node(category)
    evidence = Evidence(field="title", start=0, end=3, text="red")
    return Enrichment(
        category=None if node is None else Category(id=node.id, path=node.path, confidence=confidence),
        tags=[],
        attributes=[Attribute(name="colour", value="red", confidence=0.9, evidence=evidence)] * attributes,
        decision=Decision(outcome=outcome, why="because"),
        embedding=None,
        review_reason=None if sure else "unsure",
    )


def counted(bins: ListingBins, product: ProductCreated, enrichment: Enrichment) -> dict[str, str]:
    """The bin of each feature that one listing is counted in; exactly one per feature."""
    counts = bins.count([product], [enrichment])
    found = {}
    for feature, names in bins.bins.items():
        (place,) = np.flatnonzero(bins.feature_counts(counts, feature))
        assert bins.feature_counts(counts, feature)[place] == 1
        found[feature] = names[place]
    return found


@given(histograms)
def test_the_index_is_its_definition_nonnegative_and_symmetric(
    pair: tuple[list[int], list[int]],
) -> None:
    reference, current = (np.array(each, dtype=np.float64) for each in pair)
    expected = 0.0
    for was, now in zip(*pair, strict=True):
        p = (1 - SMOOTHING) * was / sum(pair[0]) + SMOOTHING / len(pair[0])
        q = (1 - SMOOTHING) * now / sum(pair[1]) + SMOOTHING / len(pair[1])
        expected += (q - p) * log(q / p)
    index = stability_index(reference, current)
    assert index == pytest.approx(expected, abs=1e-12)
    assert index >= -1e-12
    assert index == pytest.approx(stability_index(current, reference))


@given(histograms, st.integers(1, 50))
def test_the_index_is_0_if_and_only_if_the_proportions_are_the_same(
    pair: tuple[list[int], list[int]], times: int
) -> None:
    reference, current = (np.array(each, dtype=np.float64) for each in pair)
    assert stability_index(reference, times * reference) == pytest.approx(0.0, abs=1e-12)
    same = all(a * sum(pair[1]) == b * sum(pair[0]) for a, b in zip(*pair, strict=True))
    assert (stability_index(reference, current) > 1e-12) == (not same)


def test_the_level_of_an_index() -> None:
    assert [level_for(index) for index in (0.0, MOVING, DRIFTED)] == ["stable", "moving", "drifted"]
    assert level_for(MOVING - 1e-9) == "stable"
    assert level_for(DRIFTED - 1e-9) == "moving"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1e6)), min_size=1, max_size=40),
    st.randoms(),
    st.floats(0, 1e5),
)
def test_decayed_counts_are_the_sum_of_decayed_listings_in_any_order(
    events: list[tuple[int, float]], random: Random, later: float
) -> None:
    """Compare with brute force over more half-lives than a float's exponent can hold."""
    now = max(time for _, time in events) + later
    expected = np.zeros(3)
    for place, time in events:
        expected[place] += 0.5 ** ((now - time) / HALF_LIFE_S)
    shuffled = list(events)
    random.shuffle(shuffled)
    for order in (events, shuffled):
        window = DecayedCounts(3, HALF_LIFE_S)
        for place, time in order:
            window.add(np.eye(3)[place], time)
        assert window.at(now) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_vocabulary_coverage_in_both_scripts() -> None:
    assert COVERAGE.of_title("Red shoes") == 1.0
    assert COVERAGE.of_title("Red SHOES, blue") == pytest.approx(2 / 3)
    assert COVERAGE.of_title("red T-Shirt") == 1.0
    assert COVERAGE.of_title("t-bone") == 0.5
    assert COVERAGE.of_title("12 red - &") == 1.0, "what is no word is nothing to know"
    assert COVERAGE.of_title("1234567") == 0.0
    assert COVERAGE.of_title("鞋子 red") == pytest.approx(2 / 3)
    assert COVERAGE.of_title("  ") == -1.0


@given(st.text(max_size=60))
def test_any_title_falls_into_one_bin_of_each_feature(title: str) -> None:
    found = counted(BINS, listing(title), answer(None, sure=False))
    assert list(found) == list(ALL)
    assert (found["known_words"] == "no words") == (not title.split())


def test_bins_of_examples() -> None:
    price = {"amount": 5.0}
    product = listing("red shoes", description="fine", brand="Acme", price=price)
    assert product.price == Price(amount=5.0)
    assert counted(BINS, product, answer(2, 0.97, attributes=2)) == {
        "title_length": "1 to 10",
        "known_words": "all",
        "language": "latin",
        "description": "present",
        "brand": "present",
        "price": "present",
        "department": "Wear",
        "confidence": "0.95 to 0.98",
        "depth": "2",
        "outcome": "model",
        "attributes": "2",
    }
    empty = counted(BINS, listing(""), answer(None, sure=False))
    assert (empty["title_length"], empty["known_words"], empty["language"]) == ("0", "no words", "other")
    assert (empty["department"], empty["depth"], empty["outcome"]) == ("none", "abstained", "abstained")
    guess = counted(BINS, listing("x" * 300), answer(4, 0.4, attributes=9, sure=False))
    assert (guess["department"], guess["depth"], guess["confidence"]) == ("Food", "abstained", "0.3 to 0.5")
    assert (guess["title_length"], guess["attributes"]) == ("200 or more", "6 or more")


def test_scripts_are_distinguished() -> None:
    titles = ("Red shoes", "Écharpe", "红色鞋子", "Nike 红色", "ナイキ", "42", "Красный", "😀", "")
    assert [language_of(title) for title in titles] == [0, 0, 1, 2, 1, 3, 3, 3, 3]


products = st.builds(
    lambda title, brand: listing(title, brand=brand), st.text(max_size=20), st.sampled_from([None, "Acme"])
)
answers = st.builds(
    answer, st.sampled_from([None, 1, 2, 3, 4]), st.floats(0, 1), st.integers(0, 8), st.booleans()
)


@given(st.lists(st.tuples(products, answers), max_size=20), st.randoms())
def test_a_batch_counts_as_its_listings_do_one_by_one_in_any_order(
    batch: list[tuple[ProductCreated, Enrichment]], random: Random
) -> None:
    one_by_one = sum((BINS.count([p], [e]) for p, e in batch), np.zeros(BINS.size))
    random.shuffle(batch)
    assert np.array_equal(BINS.count([p for p, _ in batch], [e for _, e in batch]), one_by_one)


def snapshot_of(
    batch: list[tuple[ProductCreated, Enrichment]], features: tuple[str, ...] = ALL
) -> DriftSnapshot:
    counts = BINS.count([p for p, _ in batch], [e for _, e in batch])
    return DriftSnapshot.from_counts(BINS, counts, len(batch), features, "a test")


def watched(
    snapshot: DriftSnapshot | None, batch: list[tuple[ProductCreated, Enrichment]], times: int = 1
) -> DriftDetector:
    drift = DriftDetector(DriftReference(BINS, snapshot), HALF_LIFE_S)
    for _ in range(times):
        see(drift, batch)
    return drift


def see(drift: DriftDetector, batch: list[tuple[ProductCreated, Enrichment]]) -> None:
    """Observe products that are all sampled, at time 0."""
    named = [msgspec.structs.replace(p, product_id=name) for name, (p, _) in zip(IDS, batch, strict=False)]
    drift.observe(named, [e for _, e in batch], 0.0)


SHOES = (listing("red shoes", brand="Acme"), answer(2))
TEA = (listing("green tea"), answer(4, 0.6, sure=False))
MIXED = [SHOES] * 300 + [TEA] * 300


def test_listings_like_those_of_the_snapshot_are_stable() -> None:
    report = watched(snapshot_of(MIXED), MIXED).report(0.0)
    assert report.unavailable_reason is None
    assert {each.feature for each in report.features} == set(ALL)
    assert all(each.index == pytest.approx(0.0) and each.level == "stable" for each in report.features)


def test_another_kind_of_listing_drifts_and_the_greatest_drift_comes_first() -> None:
    report = watched(snapshot_of(MIXED), [TEA] * 600).report(0.0)
    level = {each.feature: each.level for each in report.features}
    assert level["department"] == level["outcome"] == "drifted"
    assert level["price"] == "stable"
    indices = [each.index for each in report.features]
    assert indices == sorted(indices, reverse=True)


def test_without_new_listings_the_report_becomes_unavailable() -> None:
    drift = watched(snapshot_of(MIXED), MIXED, times=2)
    assert drift.report(HALF_LIFE_S).listings == pytest.approx(600)
    later = drift.report(2 * HALF_LIFE_S)
    assert later.listings < MIN_LISTINGS
    assert later.features == ()
    assert later.unavailable_reason == "300 of 500 listings so far"


def test_a_constant_quarter_of_the_products_is_sampled() -> None:
    drift = watched(snapshot_of(MIXED), [])
    every = [msgspec.structs.replace(SHOES[0], product_id=str(number)) for number in range(8_000)]
    for batch in (every[5_000:], every[:5_000]):
        drift.observe(batch, [SHOES[1]] * len(batch), 0.0)
    seen = sum(name in IDS for name in map(str, range(8_000)))
    assert drift.report(0.0).listings == seen
    assert seen == pytest.approx(8_000 / SAMPLED_ONE_IN, rel=0.1)


def test_without_a_snapshot_the_report_is_unavailable() -> None:
    assert watched(None, MIXED).report(0.0).unavailable_reason == "no snapshot"


def test_a_feature_that_the_snapshot_lacks_or_bins_otherwise_is_left_out() -> None:
    snapshot = snapshot_of(MIXED, TITLE_FEATURES)
    report = watched(snapshot, MIXED).report(0.0)
    assert {each.feature for each in report.features} == set(TITLE_FEATURES)
    other = msgspec.structs.replace(snapshot, counts={"language": {"en": 1, "zh": 1}})
    assert "other bins" in str(watched(other, MIXED).report(0.0).unavailable_reason)


def test_a_reset_forgets_the_window() -> None:
    drift = watched(snapshot_of(MIXED), MIXED)
    drift.reset(DriftReference(BINS, snapshot_of([TEA])))
    assert drift.report(0.0).listings == 0
    see(drift, [TEA] * 500)
    assert drift.report(0.0).features[0].index == pytest.approx(0.0)


def test_a_snapshot_is_written_and_read(tmp_path: Path) -> None:
    snapshot = snapshot_of(MIXED)
    snapshot.write(tmp_path / "drift.json")
    assert DriftSnapshot.read(tmp_path / "drift.json") == snapshot


def test_a_damaged_or_newer_snapshot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    with pytest.raises(StopWorker, match=r"drift\.json is not a snapshot"):
        DriftSnapshot.read(path)
    path.write_text('{"version": 1')
    with pytest.raises(StopWorker, match="is not a snapshot"):
        DriftSnapshot.read(path)
    path.write_bytes(orjson.dumps({"version": 9, "description": "", "listings": 0, "counts": {}}))
    with pytest.raises(StopWorker, match="version 9"):
        DriftSnapshot.read(path)


def test_a_snapshot_that_the_manifest_does_not_list_is_not_used(tmp_path: Path) -> None:
    """Only a file in the manifest is the model's own; another file can be given explicitly."""
    taxonomy = Taxonomy.google()
    artifact = Artifact.load(SHIPPED, taxonomy)
    manifest = msgspec.structs.replace(artifact.manifest, files={})
    copy = Artifact(tmp_path, manifest)
    (tmp_path / "student.bin").write_bytes((SHIPPED / "student.bin").read_bytes())
    snapshot_of(MIXED).write(tmp_path / "drift.json")
    assert DriftReference.for_model(copy, taxonomy).snapshot is None
    assert DriftReference.for_model(copy, taxonomy, tmp_path / "drift.json").snapshot == snapshot_of(MIXED)


def test_categories_that_shops_give_are_no_decisions_of_the_model() -> None:
    enricher = Enricher.load()
    products = [
        ProductCreated(product_id="1", title="red running shoes", category=187),
        ProductCreated(product_id="2", title="whole milk"),
    ]
    bins = ListingBins(enricher.taxonomy, COVERAGE)
    counts = bins.count(products, enricher.enrich(products))
    assert bins.feature_counts(counts, "outcome").sum() == 1
    assert bins.feature_counts(counts, "title_length").sum() == 2
