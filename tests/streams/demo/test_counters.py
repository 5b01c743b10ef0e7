"""Counters, pairs, rates and reconciliation of the demo: each record is counted once."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import DecisionOutcome, Relation
from streams.demo.counters import SHOPPERS, DemoCounters, printable
from streams.demo.pairs import EVERY_S, FRESH, Pairs
from streams.demo.rates import RateCounter, RecentIds
from streams.demo.reconciliation import TopicBalance, all_processed, reconcile
from streams.demo.worker_metrics import WorkerMetrics, parse_worker_metrics
from tests.support.demo import Outputs, affinity, enriched, review, shopper


def test_a_record_that_is_read_twice_counts_once() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    for _ in range(2):
        outputs.send(enriched("a"), "a", event_id="same")
        outputs.dead("user-behavior", "invalid-field", offset=7)
    outputs.dead("user-behavior", "invalid-field", offset=8)
    assert counters.rates["product-enriched"].total == counters.enriched_by_source["product-created"] == 1
    assert (
        counters.rates["dead-letter"].total
        == counters.dead_letters_by_topic["user-behavior"]
        == len(counters.dead_letters)
        == 2
    )


def test_decisions_and_categories_are_those_of_the_latest_events() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    outputs.send(enriched("a", outcome=DecisionOutcome.ABSTAINED), "a")
    outputs.send(enriched("b", title="BLUE MUG"), "b")
    assert counters.categories() == {"Home & Garden > Kitchen > Mugs": 1}
    outputs.send(enriched("a", category="Toys", outcome=DecisionOutcome.PERSON), "a")
    assert counters.outcomes() == {DecisionOutcome.PERSON: 1, DecisionOutcome.MODEL: 1}
    assert counters.categories() == {"Home & Garden > Kitchen > Mugs": 1, "Toys": 1}
    outputs.tombstone("product-enriched", "b")
    assert counters.outcomes() == {DecisionOutcome.PERSON: 1}
    assert counters.withdrawn == ["b"]
    assert counters.examples("Toys", 5) == ["RED MUG"]


def test_a_correction_is_timed_until_it_is_published() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    counters.add_sent("category-feedback", b"a", now=10.0)
    outputs.send(enriched("a"), "a", now=11.0)
    outputs.send(enriched("b", outcome=DecisionOutcome.PERSON), "b", now=12.0)
    assert counters.correction is not None
    assert counters.correction.took_s is None
    outputs.send(enriched("a", outcome=DecisionOutcome.PERSON, source="category-feedback"), "a", now=12.5)
    outputs.send(enriched("a", outcome=DecisionOutcome.PERSON, source="category-feedback"), "a", now=19.0)
    assert counters.correction.took_s == 2.5


def test_control_characters_of_titles_are_replaced() -> None:
    counters = DemoCounters()
    Outputs(counters).send(enriched("a", title="\x1b[2JRED\nMUG 红"), "a")
    assert counters.title("a") == "·[2JRED·MUG 红"
    assert counters.title("\x07unknown") == "·unknown"
    assert printable("plain ↔ text") == "plain ↔ text"


def test_a_shopper_with_a_basket_and_a_title_for_review_are_kept() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    outputs.send(shopper("one"), "one")
    outputs.send(review("a", "WHAT IS IT"), "a")
    found = counters.example_shopper()
    assert found is not None
    assert found.user_id == "one"
    assert counters.review_title == "WHAT IS IT"


def test_the_latest_shoppers_are_kept() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    for number in [*range(SHOPPERS), 0, SHOPPERS]:
        outputs.send(shopper(f"s{number}"), f"s{number}")
    assert len(counters.shoppers) == SHOPPERS
    assert "s1" not in counters.shoppers
    assert {"s0", "s2", f"s{SHOPPERS}"} <= counters.shoppers.keys()


def test_the_strongest_pairs_come_first_and_no_product_twice() -> None:
    pairs = Pairs()
    for one, other, score in (("a", "b", 5.0), ("b", "a", 5.0), ("c", "b", 4.0), ("d", "e", 3.0)):
        pairs.add(affinity(one, other, score, int(score)))
    pairs.add(affinity("f", "g", 0.99, 0, Relation.SIMILAR))
    assert [(pair.one, pair.other) for pair in pairs.strongest(9)] == [("a", "b"), ("d", "e")]
    assert len(pairs.strongest(1)) == 1
    assert pairs.counts() == (4, 1)


def test_fresh_pairs_come_one_at_a_time_new_pairs_before_stronger_displayed_ones() -> None:
    pairs = Pairs()
    pairs.add(affinity("a", "b", 9.0, 9))
    pairs.tick(0.0)
    pairs.add(affinity("b", "a", 10.0, 10))
    pairs.add(affinity("c", "d", 2.0, 2))
    pairs.tick(EVERY_S / 2)
    assert [pair.support for pair in pairs.fresh] == [9]
    pairs.tick(EVERY_S)
    assert [pair.support for pair in pairs.fresh] == [2, 9]
    pairs.remove("a")
    assert [pair.one for pair in pairs.fresh] == ["c"]


def test_the_oldest_fresh_pairs_are_dropped() -> None:
    pairs = Pairs()
    for number in range(FRESH + 3):
        pairs.add(affinity(f"a{number}", f"b{number}", 2.0, 2))
        pairs.tick(float(number))
    assert [pair.one for pair in pairs.fresh] == [f"a{number}" for number in range(FRESH + 2, 2, -1)]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(1, 50), st.booleans()),
        max_size=40,
    )
)
def test_displayed_pairs_are_distinct_and_without_withdrawn_products(
    steps: list[tuple[str, str, int, bool]],
) -> None:
    pairs, gone, now = Pairs(), set[str](), 0.0
    for one, other, support, withdraw in steps:
        now += 1.0
        if withdraw:
            gone.add(one)
            pairs.remove(one)
        elif one != other and one not in gone and other not in gone:
            pairs.add(affinity(one, other, float(support), support))
        pairs.tick(now)
        shown = [pair.members for pair in pairs.fresh]
        assert len(shown) == len(set(shown))
        assert not any(members & gone for members in shown)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 100)), max_size=30), st.integers(1, 40))
def test_a_rate_counter_equals_a_list_of_all_counts(adds: list[tuple[float, int]], seconds: int) -> None:
    rate_counter = RateCounter()
    for at, number in sorted(adds):
        rate_counter.add(number, at)
    expected = [sum(number for at, number in adds if int(at) == second) for second in range(31 - seconds, 31)]
    assert rate_counter.last(seconds, 31.5) == expected
    assert rate_counter.total == sum(number for _, number in adds)


def test_recent_ids_are_kept_up_to_their_bound() -> None:
    recent_ids = RecentIds(bound=2)
    assert [recent_ids.add(name) for name in (b"a", b"a", b"b", b"c", b"a")] == [
        True,
        False,
        True,
        True,
        True,
    ]


def _worker(consumed: dict[str, int], produced: dict[str, int], lag: int = 0) -> WorkerMetrics:
    return WorkerMetrics(ready=True, lag={"enrich": lag}, consumed=consumed, produced=produced)


def test_all_is_processed_when_every_topic_is_balanced_and_there_is_no_lag() -> None:
    counters = DemoCounters()
    outputs = Outputs(counters)
    for topic in ("product-created", "product-created", "product-created", "user-behavior"):
        counters.add_sent(topic, b"a", 0.0)
    outputs.send(enriched("a"), "a")
    outputs.dead("product-created", "malformed-json")
    produced = {"product-enriched": 2, "dead-letter": 1, "co-behavior": 3}
    consumed = {"user-behavior": 1, "co-behavior": 3, "product-enriched": 2}
    assert not all_processed(counters, _worker(consumed, produced))
    outputs.tombstone("product-enriched", "b")
    assert all_processed(counters, _worker(consumed, produced))
    assert not all_processed(counters, _worker(consumed, produced, lag=1))
    assert not all_processed(counters, _worker(consumed | {"co-behavior": 2}, produced))
    assert not all_processed(counters, _worker(consumed | {"user-behavior": 0}, produced))
    assert not all_processed(counters, _worker(consumed, produced | {"shopper-updated": 1}))
    balances = reconcile(counters, _worker(consumed, produced))
    assert balances[0].equation == "3 in = 1 enriched + 1 withdrawn + 1 dead-lettered"


def test_an_unbalanced_topic_is_shown_as_unequal() -> None:
    balance = TopicBalance("t", 5, "in", (("here", 3), ("there", 0)))
    assert not balance.balanced
    assert balance.equation == "5 in ≠ 3 here"


def test_worker_metrics_are_parsed_from_status_and_metrics() -> None:
    status = {
        "ready": False,
        "reasons": ["restoring"],
        "model_version": "m-1",
        "lanes": [
            {"agent": "enrich", "lag": 3},
            {"agent": "enrich", "lag": 4},
            {"agent": "affinity", "lag": None},
        ],
    }
    metrics = (
        'shelfstream_records_consumed_total{topic="user-behavior"} 12.0\n'
        'shelfstream_records_produced_total{topic="dead-letter"} 1.0\n'
        "process_cpu_seconds_total 2.5\n"
    )
    worker_metrics = parse_worker_metrics(status, metrics)
    assert worker_metrics == WorkerMetrics(
        ready=False,
        reasons=("restoring",),
        lag={"enrich": 7},
        consumed={"user-behavior": 12},
        produced={"dead-letter": 1},
        cpu_s=2.5,
        model_version="m-1",
    )
