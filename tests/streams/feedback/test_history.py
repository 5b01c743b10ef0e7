"""The last word on a product: by offset within a partition, in whatever order partitions are read."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from models.taxonomy.tree import Taxonomy
from schemas.codec import encode
from schemas.events import CategoryFeedback, Source, Verdict
from streams.feedback.history import FeedbackHistory
from streams.provenance import ORIGIN
from streams.records import MemoryRecord
from streams.topics import CATEGORY_FEEDBACK
from tests.support.tiny_shops import TREE

PARTITIONS = 3
WORDS = st.lists(
    st.tuples(
        st.integers(0, PARTITIONS - 1),
        st.sampled_from("pq"),
        st.none() | st.integers(1, 6),
        st.sampled_from(["", "Ann", "Bob"]),
        st.integers(0, 3),
    ),
    max_size=12,
)


def feedback(product_id: str, category_id: int | None, by: str = "") -> CategoryFeedback:
    verdict = Verdict.ACCEPT if category_id is None else Verdict.CORRECT
    return CategoryFeedback(product_id=product_id, verdict=verdict, category_id=category_id, by=by)


def records_of(words: list[tuple[int, str, int | None, str, int]]) -> list[MemoryRecord]:
    """One record a word: partition, product, category, person, timestamp; offsets in the list's order."""
    return [
        MemoryRecord(
            CATEGORY_FEEDBACK,
            partition,
            offset,
            stamp,
            product.encode(),
            encode(feedback(product, chosen, by)),
        )
        for offset, (partition, product, chosen, by, stamp) in enumerate(words)
    ]


def folded(records: list[MemoryRecord], taxonomy: Taxonomy = TREE, *without: str) -> FeedbackHistory:
    words = FeedbackHistory(taxonomy, frozenset(without))
    for record in records:
        words.add(record)
    return words


@given(WORDS, st.randoms(use_true_random=False))
def test_the_last_word_is_that_of_brute_force_in_whatever_order_records_come(
    words: list[tuple[int, str, int | None, str, int]], random: Random
) -> None:
    records = records_of(words)
    shuffled = random.sample(records, len(records))
    for order in (records, shuffled):
        last = folded(order).last()
        for product in "pq":
            mine = [record for record in records if record.key == product.encode()]
            ends = {record.partition: record for record in mine}.values()
            expected = max(ends, key=lambda record: (record.timestamp, record.partition), default=None)
            found = last.get(product)
            assert (found and (found.partition, found.offset)) == (
                expected and (expected.partition, expected.offset)
            )


@given(WORDS)
def test_whose_words_are_left_out_has_never_spoken(
    words: list[tuple[int, str, int | None, str, int]],
) -> None:
    without = folded(records_of(words), TREE, "Ann")
    never = folded([each for each in records_of(words) if b"Ann" not in (each.value or b"")])
    assert without == FeedbackHistory(
        TREE, frozenset({"Ann"}), never.said, never.refused, never.disputes, never._latest
    )


def test_what_the_agent_refuses_supersedes_nothing() -> None:
    good, *_ = records_of([(0, "p", 6, "Ann", 0)])
    bad = [
        MemoryRecord(CATEGORY_FEEDBACK, 0, 1, 0, b"p", b"{"),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 2, 0, b"p", encode(feedback("p", 999))),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 3, 0, b"q", encode(feedback("p", 5))),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 4, 0, b"p", None),
    ]
    words = folded([good, *bad])
    assert words.last()["p"].offset == 0
    assert words.refused == {
        "malformed-json": 1,
        "unknown-category": 1,
        "key-mismatch": 1,
        "null-value": 1,
    }
    assert words.said == 1


def test_a_dispute_is_between_people_and_about_categories() -> None:
    said = [(0, "p", 5, "Ann", 0), (0, "p", 6, "Ann", 1), (0, "p", None, "Bob", 2)]
    assert folded(records_of(said)).disputes == []
    (dispute,) = folded(records_of([*said[:2], (0, "p", 5, "Bob", 2)])).disputes
    assert (dispute.product_id, dispute.earlier.category_id, dispute.later.category_id) == ("p", 6, 5)


def test_a_replayed_word_keeps_where_it_was_first_written() -> None:
    event = encode(feedback("p", 5))
    record = MemoryRecord(CATEGORY_FEEDBACK, 0, 9, 0, b"p", event, [(ORIGIN, b"category-feedback:2:4")])
    source = Source(topic=CATEGORY_FEEDBACK, partition=2, offset=4)
    assert folded([record]).last()["p"].source == source
