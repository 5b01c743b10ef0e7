"""The demo's picture is made of the output topics' records, each counted once, and its sums are real sums."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import DecisionOutcome, Relation
from streams.demo.counters import SHOPPERS, Tally, printable
from streams.demo.pairs import EVERY_S, FRESH, Pairs
from streams.demo.rates import Rhythm, Seen
from streams.demo.reconciliation import Account, accounts, settled
from streams.demo.worker_metrics import Reading, read_worker
from tests.support.demo import Outputs, affinity, enriched, review, shopper


def test_a_record_that_is_read_twice_counts_once() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    for _ in range(2):
        outputs.send(enriched("a"), "a", event_id="same")
        outputs.dead("user-behavior", "invalid-field", offset=7)
    outputs.dead("user-behavior", "invalid-field", offset=8)
    assert tally.flow["product-enriched"].total == tally.enriched_from["product-created"] == 1
    assert tally.flow["dead-letter"].total == tally.dead_from["user-behavior"] == len(tally.dead) == 2


def test_decisions_and_categories_are_of_products_as_published_last() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    outputs.send(enriched("a", outcome=DecisionOutcome.ABSTAINED), "a")
    outputs.send(enriched("b", title="BLUE MUG"), "b")
    assert tally.categories() == {"Home & Garden > Kitchen > Mugs": 1}
    outputs.send(enriched("a", category="Toys", outcome=DecisionOutcome.PERSON), "a")
    assert tally.outcomes() == {DecisionOutcome.PERSON: 1, DecisionOutcome.MODEL: 1}
    assert tally.categories() == {"Home & Garden > Kitchen > Mugs": 1, "Toys": 1}
    outputs.tombstone("product-enriched", "b")
    assert tally.outcomes() == {DecisionOutcome.PERSON: 1}
    assert tally.withdrawn == ["b"]
    assert tally.examples("Toys", 5) == ["RED MUG"]


def test_a_persons_word_is_timed_until_it_is_published() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    tally.sent("category-feedback", b"a", now=10.0)
    outputs.send(enriched("a"), "a", now=11.0)
    outputs.send(enriched("b", outcome=DecisionOutcome.PERSON), "b", now=12.0)
    assert tally.correction is not None
    assert tally.correction.took_s is None
    outputs.send(enriched("a", outcome=DecisionOutcome.PERSON, source="category-feedback"), "a", now=12.5)
    outputs.send(enriched("a", outcome=DecisionOutcome.PERSON, source="category-feedback"), "a", now=19.0)
    assert tally.correction.took_s == 2.5


def test_titles_cannot_command_the_terminal() -> None:
    tally = Tally()
    Outputs(tally).send(enriched("a", title="\x1b[2JRED\nMUG 红"), "a")
    assert tally.title("a") == "·[2JRED·MUG 红"
    assert tally.title("\x07unknown") == "·unknown"
    assert printable("plain ↔ text") == "plain ↔ text"


def test_a_shopper_with_a_basket_and_a_question_are_kept() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    outputs.send(shopper("one"), "one")
    outputs.send(review("a", "WHAT IS IT"), "a")
    found = tally.shopper()
    assert found is not None
    assert found.user_id == "one"
    assert tally.question == "WHAT IS IT"


def test_of_very_many_shoppers_those_heard_of_last_are_kept() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    for number in [*range(SHOPPERS), 0, SHOPPERS]:
        outputs.send(shopper(f"s{number}"), f"s{number}")
    assert len(tally.shoppers) == SHOPPERS
    assert "s1" not in tally.shoppers
    assert {"s0", "s2", f"s{SHOPPERS}"} <= tally.shoppers.keys()


def test_the_strongest_pairs_come_first_and_no_product_twice() -> None:
    pairs = Pairs()
    for one, other, score in (("a", "b", 5.0), ("b", "a", 5.0), ("c", "b", 4.0), ("d", "e", 3.0)):
        pairs.updated(affinity(one, other, score, int(score)))
    pairs.updated(affinity("f", "g", 0.99, 0, Relation.SIMILAR))
    assert [(pair.one, pair.other) for pair in pairs.strongest(9)] == [("a", "b"), ("d", "e")]
    assert len(pairs.strongest(1)) == 1
    assert pairs.counts() == (4, 1)


def test_fresh_pairs_come_one_at_a_time_new_ones_before_stronger_ones_on_show() -> None:
    pairs = Pairs()
    pairs.updated(affinity("a", "b", 9.0, 9))
    pairs.tick(0.0)
    pairs.updated(affinity("b", "a", 10.0, 10))
    pairs.updated(affinity("c", "d", 2.0, 2))
    pairs.tick(EVERY_S / 2)
    assert [pair.support for pair in pairs.fresh] == [9]
    pairs.tick(EVERY_S)
    assert [pair.support for pair in pairs.fresh] == [2, 9]
    pairs.withdrawn("a")
    assert [pair.one for pair in pairs.fresh] == ["c"]


def test_of_many_fresh_pairs_the_oldest_go() -> None:
    pairs = Pairs()
    for number in range(FRESH + 3):
        pairs.updated(affinity(f"a{number}", f"b{number}", 2.0, 2))
        pairs.tick(float(number))
    assert [pair.one for pair in pairs.fresh] == [f"a{number}" for number in range(FRESH + 2, 2, -1)]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(1, 50), st.booleans()),
        max_size=40,
    )
)
def test_pairs_on_show_are_distinct_and_never_of_withdrawn_products(
    steps: list[tuple[str, str, int, bool]],
) -> None:
    pairs, gone, now = Pairs(), set[str](), 0.0
    for one, other, support, withdraw in steps:
        now += 1.0
        if withdraw:
            gone.add(one)
            pairs.withdrawn(one)
        elif one != other and one not in gone and other not in gone:
            pairs.updated(affinity(one, other, float(support), support))
        pairs.tick(now)
        shown = [pair.members for pair in pairs.fresh]
        assert len(shown) == len(set(shown))
        assert not any(members & gone for members in shown)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 100)), max_size=30), st.integers(1, 40))
def test_a_rhythm_counts_each_second_as_a_list_of_all_counts_would(
    adds: list[tuple[float, int]], seconds: int
) -> None:
    rhythm = Rhythm()
    for at, number in sorted(adds):
        rhythm.add(number, at)
    expected = [sum(number for at, number in adds if int(at) == second) for second in range(31 - seconds, 31)]
    assert rhythm.last(seconds, 31.5) == expected
    assert rhythm.total == sum(number for _, number in adds)


def test_identities_are_remembered_up_to_their_bound() -> None:
    seen = Seen(bound=2)
    assert [seen.is_new(name) for name in (b"a", b"a", b"b", b"c", b"a")] == [True, False, True, True, True]


def _worker(consumed: dict[str, int], produced: dict[str, int], lag: int = 0) -> Reading:
    return Reading(ready=True, lag={"enrich": lag}, consumed=consumed, produced=produced)


def test_all_is_settled_when_every_sum_is_right_and_nothing_waits() -> None:
    tally = Tally()
    outputs = Outputs(tally)
    for topic in ("product-created", "product-created", "product-created", "user-behavior"):
        tally.sent(topic, b"a", 0.0)
    outputs.send(enriched("a"), "a")
    outputs.dead("product-created", "malformed-json")
    produced = {"product-enriched": 2, "dead-letter": 1, "co-behavior": 3}
    consumed = {"user-behavior": 1, "co-behavior": 3, "product-enriched": 2}
    assert not settled(tally, _worker(consumed, produced))
    outputs.tombstone("product-enriched", "b")
    assert settled(tally, _worker(consumed, produced))
    assert not settled(tally, _worker(consumed, produced, lag=1))
    assert not settled(tally, _worker(consumed | {"co-behavior": 2}, produced))
    assert not settled(tally, _worker(consumed | {"user-behavior": 0}, produced))
    assert not settled(tally, _worker(consumed, produced | {"shopper-updated": 1}))
    sums = accounts(tally, _worker(consumed, produced))
    assert sums[0].sum == "3 in = 1 enriched + 1 withdrawn + 1 dead-lettered"


def test_a_wrong_sum_is_written_as_wrong() -> None:
    account = Account("t", 5, "in", (("here", 3), ("there", 0)))
    assert not account.adds_up
    assert account.sum == "5 in ≠ 3 here"


def test_a_worker_is_read_from_its_status_and_metrics() -> None:
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
    reading = read_worker(status, metrics)
    assert reading == Reading(
        ready=False,
        reasons=("restoring",),
        lag={"enrich": 7},
        consumed={"user-behavior": 12},
        produced={"dead-letter": 1},
        cpu_s=2.5,
        model_version="m-1",
    )
