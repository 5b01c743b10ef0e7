"""The latest feedback per product: by offset within a partition, in any order of partitions."""

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
FEEDBACK = st.lists(
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


def records_of(rows: list[tuple[int, str, int | None, str, int]]) -> list[MemoryRecord]:
    """Make one record per row (partition, product, category, person, timestamp); offsets follow the list."""
    return [
        MemoryRecord(
            CATEGORY_FEEDBACK,
            partition,
            offset,
            timestamp,
            product.encode(),
            encode(feedback(product, category_id, by)),
        )
        for offset, (partition, product, category_id, by, timestamp) in enumerate(rows)
    ]


def history_of(
    records: list[MemoryRecord], taxonomy: Taxonomy = TREE, *excluded_names: str
) -> FeedbackHistory:
    history = FeedbackHistory(taxonomy, frozenset(excluded_names))
    for record in records:
        history.add(record)
    return history


@given(FEEDBACK, st.randoms(use_true_random=False))
def test_the_latest_entry_is_that_of_brute_force_in_any_order_of_records(
    rows: list[tuple[int, str, int | None, str, int]], random: Random
) -> None:
    records = records_of(rows)
    shuffled = random.sample(records, len(records))
    for order in (records, shuffled):
        latest = history_of(order).latest()
        for product in "pq":
            mine = [record for record in records if record.key == product.encode()]
            ends = {record.partition: record for record in mine}.values()
            expected = max(ends, key=lambda record: (record.timestamp, record.partition), default=None)
            found = latest.get(product)
            assert (found and (found.partition, found.offset)) == (
                expected and (expected.partition, expected.offset)
            )


@given(FEEDBACK)
def test_excluding_a_person_equals_a_history_without_that_persons_records(
    rows: list[tuple[int, str, int | None, str, int]],
) -> None:
    without = history_of(records_of(rows), TREE, "Ann")
    never = history_of([each for each in records_of(rows) if b"Ann" not in (each.value or b"")])
    assert without == FeedbackHistory(
        TREE, frozenset({"Ann"}), never.entries, never.rejected, never.disagreements, never._latest
    )


def test_invalid_feedback_supersedes_nothing() -> None:
    good, *_ = records_of([(0, "p", 6, "Ann", 0)])
    bad = [
        MemoryRecord(CATEGORY_FEEDBACK, 0, 1, 0, b"p", b"{"),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 2, 0, b"p", encode(feedback("p", 999))),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 3, 0, b"q", encode(feedback("p", 5))),
        MemoryRecord(CATEGORY_FEEDBACK, 0, 4, 0, b"p", None),
    ]
    history = history_of([good, *bad])
    assert history.latest()["p"].offset == 0
    assert history.rejected == {
        "malformed-json": 1,
        "unknown-category": 1,
        "key-mismatch": 1,
        "null-value": 1,
    }
    assert history.entries == 1


def test_a_disagreement_is_between_two_people_and_two_categories() -> None:
    rows = [(0, "p", 5, "Ann", 0), (0, "p", 6, "Ann", 1), (0, "p", None, "Bob", 2)]
    assert history_of(records_of(rows)).disagreements == []
    (disagreement,) = history_of(records_of([*rows[:2], (0, "p", 5, "Bob", 2)])).disagreements
    assert (disagreement.earlier.category_id, disagreement.later.category_id) == (6, 5)
    assert disagreement.product_id == "p"


def test_replayed_feedback_keeps_its_first_position() -> None:
    event = encode(feedback("p", 5))
    record = MemoryRecord(CATEGORY_FEEDBACK, 0, 9, 0, b"p", event, [(ORIGIN, b"category-feedback:2:4")])
    source = Source(topic=CATEGORY_FEEDBACK, partition=2, offset=4)
    assert history_of([record]).latest()["p"].source == source
