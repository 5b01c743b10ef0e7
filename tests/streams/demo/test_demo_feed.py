"""The feed has the whole shop in order of event time at its pace; repetitions are no duplicates."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_category_feedback, decode_product_created, decode_user_behavior
from schemas.envelope import parse_headers
from schemas.errors import InvalidEvent
from streams.demo.feed import Feed, FeedRecord, Pace, interleave, shifted_shop, shop_groups
from streams.demo.injected_events import CANDLE_HOLDERS, make_injected_events
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR

PRODUCTS = list(iter_products())[:300]
PURCHASES = list(iter_baskets())[:2000]


def test_the_feed_has_the_whole_shop_in_order_of_event_time_listings_before_sales() -> None:
    groups = list(shop_groups(PRODUCTS, PURCHASES))
    records = [record for group in groups for record in group]
    assert [record.key for record in records if record.topic == PRODUCT_CREATED] == [
        product.product_id.encode() for product in PRODUCTS
    ]
    sold = [
        decode_user_behavior(record.value, record.key) for record in records if record.topic == USER_BEHAVIOR
    ]
    assert sold == PURCHASES
    times = [record.occurred_at for record in records]
    assert all(one is not None and other is not None and one <= other for one, other in pairwise(times))
    listed: set[str] = set()
    known = {product.product_id for product in PRODUCTS}
    for record in records:
        if record.topic == PRODUCT_CREATED:
            listed.add((record.key or b"").decode())
        else:
            product = decode_user_behavior(record.value, record.key).product_id
            assert product in listed or product not in known


def test_every_record_has_cloudevents_headers() -> None:
    for group in shop_groups(PRODUCTS[:5], PURCHASES[:50]):
        for record in group:
            envelope = parse_headers(record.headers)
            assert envelope.type == f"shelfstream.{record.topic}.v1"
            assert envelope.time == record.occurred_at
            assert envelope.id


def test_a_repetition_is_the_same_shop_with_new_ids_and_times() -> None:
    products, purchases = shifted_shop(PRODUCTS, PURCHASES, 2)
    assert [each.title for each in products] == [each.title for each in PRODUCTS]
    assert {each.event_id for each in purchases}.isdisjoint(each.event_id for each in PURCHASES)
    assert {each.session_id for each in purchases}.isdisjoint(each.session_id for each in PURCHASES)
    once = shifted_shop(PRODUCTS, PURCHASES, 1)[1]
    assert PURCHASES[-1].occurred_at < once[0].occurred_at <= once[-1].occurred_at < purchases[0].occurred_at
    assert shifted_shop(PRODUCTS, PURCHASES, 0) == (PRODUCTS, PURCHASES)


@given(
    sizes=st.lists(st.integers(1, 30), max_size=40),
    seconds=st.floats(1, 100),
    steps=st.lists(st.floats(0, 20), max_size=30),
    at_most=st.integers(1, 50),
)
def test_a_feed_yields_every_record_once_in_order_and_never_ahead_of_its_pace(
    sizes: list[int], seconds: float, steps: list[float], at_most: int
) -> None:
    total = max(1, sum(sizes))
    numbers = iter(range(total))
    groups = [[FeedRecord("t", b"%d" % next(numbers), None, []) for _ in range(size)] for size in sizes]
    feed = Feed(iter(groups), Pace(total, seconds))
    now, got = 0.0, []
    for step in steps:
        now += step
        due = list(feed.due(now, at_most))
        got += due
        largest = max(sizes, default=0)
        assert len(due) < at_most + largest
        assert len(got) <= now * total / seconds + 1 + largest
    while not feed.finished:
        got += feed.due(1e9, at_most)
    assert got == [record for group in groups for record in group]
    assert feed.sent == len(got)


def test_three_injected_records_are_invalid_one_is_a_correction_and_one_a_withdrawal() -> None:
    injected = make_injected_events(PRODUCTS, PURCHASES)
    rejected = []
    for record in injected.records:
        decoders: dict[str, Callable[[bytes | None, bytes | None], object]] = {
            PRODUCT_CREATED: decode_product_created,
            USER_BEHAVIOR: decode_user_behavior,
            CATEGORY_FEEDBACK: decode_category_feedback,
        }
        try:
            decoders[record.topic](record.value, record.key)
        except InvalidEvent as error:
            rejected.append(error.reason)
    assert rejected == ["malformed-json", "unknown-version", "invalid-field"]
    feedback = decode_category_feedback(injected.records[3].value, injected.records[3].key)
    assert (feedback.product_id, feedback.category_id) == (injected.corrected, CANDLE_HOLDERS)
    assert injected.records[4][:3] == (PRODUCT_CREATED, injected.withdrawn.encode(), None)
    half = PURCHASES[len(PURCHASES) // 2 :]
    assert injected.withdrawn not in {each.product_id for each in half}
    assert injected.withdrawn != injected.corrected


@given(st.integers(0, 60), st.integers(0, 6), st.integers(0, 60), st.integers(1, 20))
def test_interleaved_records_come_once_each_and_the_groups_keep_their_order(
    size: int, few: int, start: int, step: int
) -> None:
    groups = [[FeedRecord("t", b"%d" % number, None, [])] for number in range(size)]
    extra = [FeedRecord("x", b"%d" % number, None, []) for number in range(few)]
    mixed = [group[0] for group in interleave(iter(groups), extra, start, step)]
    assert [record for record in mixed if record.topic == "t"] == [group[0] for group in groups]
    assert [record for record in mixed if record.topic == "x"] == extra
    if few and start < size:
        assert mixed[start] == extra[0]
