"""A shopper's products are those of all sessions, whether the row still has the session or dropped it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder
from models.behavior.logins import without_events_until
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from models.behavior.shopper import shopper_updated
from models.behavior.shopper_merge import merged_rows
from models.behavior.shopper_products import (
    EntryTimes,
    History,
    archive,
    history_since,
    merge_history,
    shopper_products,
)
from schemas.events import Action, ShopperProduct
from tests.support.behavior import behavior

DAY = 86_400.0
PARAMETERS = BehaviorParameters()
WEIGHT = {Action.PURCHASE: 5.0, Action.CART: 3.0, Action.VIEW: 1.0}
RELATIONS = {Action.PURCHASE: "bought", Action.CART: "carted", Action.VIEW: "viewed"}

days = st.integers(0, 700).map(lambda day: day * DAY)
entry_times = st.dictionaries(
    st.sampled_from(list(RELATIONS.values())),
    st.dictionaries(st.sampled_from("abcde"), days, max_size=4),
)
sessions_of_a_shopper = st.lists(entry_times, max_size=8)


def oracle(sessions: list[EntryTimes]) -> dict[str, tuple[Action, int, float, float]]:
    """Count by brute force: each product's strongest action, count, last time and score."""
    times: dict[tuple[str, Action], list[float]] = {}
    for session in sessions:
        for action, relation in RELATIONS.items():
            for product, time in session.get(relation, {}).items():
                times.setdefault((product, action), []).append(time)
    latest = max((time for some in times.values() for time in some), default=0.0)
    found = {}
    for product in {product for product, _ in times}:
        action = next(each for each in RELATIONS if (product, each) in times)
        own = times[product, action]
        score = sum(2.0 ** ((time - latest) / (240 * DAY)) for time in own)
        found[product] = (action, len(own), max(own), score)
    return found


def as_found(products: list[ShopperProduct]) -> dict[str, tuple[Action, int, float, object]]:
    return {
        each.product_id: (
            each.action,
            each.count,
            each.last_at.timestamp(),
            pytest.approx(each.score, abs=1e-6),
        )
        for each in products
    }


@given(sessions_of_a_shopper, st.data())
def test_dropped_and_merged_sessions_count_like_those_of_the_row(
    sessions: list[EntryTimes], data: st.DataObject
) -> None:
    """In any order, and from any two rows."""
    order = data.draw(st.permutations(sessions))
    dropped = data.draw(st.integers(0, len(order)))
    split = data.draw(st.integers(0, dropped))
    history: History = {}
    other: History = {}
    for number, session in enumerate(order[:dropped]):
        archive(history if number < split else other, session, (), PARAMETERS)
    merge_history(history, other, PARAMETERS)
    found = shopper_products(history, [(session, ()) for session in order[dropped:]], {}, PARAMETERS)
    assert oracle(sessions) == as_found(found)
    interests = [each.score * WEIGHT[each.action] for each in found]
    assert interests == sorted(interests, reverse=True)


def test_what_was_returned_was_not_bought() -> None:
    bought: EntryTimes = {"viewed": {"a": 0.0, "b": 0.0}, "bought": {"a": DAY, "b": DAY}}
    found = shopper_products({}, [(bought, ["a"])], {}, PARAMETERS)
    assert {each.product_id: each.action for each in found} == {"b": Action.PURCHASE, "a": Action.VIEW}
    history: History = {}
    archive(history, bought, ["a"], PARAMETERS)
    assert shopper_products(history, [], {}, PARAMETERS) == found


def test_a_return_takes_back_a_purchase_of_the_history() -> None:
    history: History = {}
    for day in (0, 240):
        archive(history, {"viewed": {"a": day * DAY}, "bought": {"a": day * DAY}}, (), PARAMETERS)
    (once,) = shopper_products(history, [], {"a": 1}, PARAMETERS)
    assert (once.action, once.count, once.score) == (Action.PURCHASE, 1, 0.75)
    (never,) = shopper_products(history, [], {"a": 3}, PARAMETERS)
    assert (never.action, never.count, never.score) == (Action.VIEW, 2, 1.5)
    assert shopper_products(history, [], {"unknown": 1}, PARAMETERS)[0].count == 2


def test_the_products_of_the_most_interest_are_kept() -> None:
    """A purchase of a year ago stays before a view of today."""
    parameters = BehaviorParameters(shopper_products=3, shopper_products_top=2)
    history: History = {}
    archive(history, {"bought": {"old": 0.0}}, (), parameters)
    archive(history, {"viewed": {f"v{day}": day * DAY for day in range(300, 400)}}, (), parameters)
    assert set(history) == {"old", "v398", "v399"}
    assert [each.product_id for each in shopper_products(history, [], {}, parameters)] == ["old", "v399"]


def test_what_occurred_before_an_erasure_is_forgotten() -> None:
    history: History = {}
    for day in (0, 10):
        archive(history, {"viewed": {"a": day * DAY, "b": 0.0}}, (), PARAMETERS)
    (left,) = shopper_products(history_since(history, 5 * DAY), [], {}, PARAMETERS)
    assert (left.product_id, left.count, left.score) == ("a", 1, 1.0)
    assert history_since(history, 10 * DAY) == {}


def row_of(*sessions: tuple[str, float], user: str = "u") -> ShopperRow:
    """A row after a purchase in each session of a minute."""
    events = [
        behavior(product, Action.PURCHASE, minute=minute, session_id=f"s{minute}", user_id=user)
        for product, minute in sessions
    ]
    return apply_events(ShopperRow(), events, DeltaBuilder(), PARAMETERS)


def published(row: ShopperRow) -> dict[str, int]:
    event = shopper_updated("u", row, shipped_next_behavior(), lambda _: None, PARAMETERS)
    assert event is not None
    return {each.product_id: each.count for each in event.products}


def test_a_row_remembers_the_products_of_sessions_that_it_dropped() -> None:
    row = row_of(*[(f"p{number % 7}", number * 100.0) for number in range(20)])
    assert len(row.sessions) == 8
    again = ShopperRow.from_bytes(row.to_bytes())
    assert published(again) == {f"p{number}": 3 if number < 6 else 2 for number in range(7)}
    assert again.past_products != {}


def test_a_guest_s_products_become_the_user_s() -> None:
    guest = row_of(*[("a", number * 100.0) for number in range(20)])
    user = row_of(*[("b", 5000.0 + number * 100.0) for number in range(20)])
    merged = merged_rows(user, guest, DeltaBuilder(), PARAMETERS)
    assert published(merged) == {"a": 20, "b": 20}


def test_an_erased_user_gets_only_what_a_guest_did_since() -> None:
    row = row_of(*[("a", number * 100.0) for number in range(20)])
    newest = max(session.last_at for session in row.sessions)
    assert not without_events_until(row, newest).has_behavior
    assert without_events_until(row, newest).past_products == {}


def test_recent_products_are_those_of_the_current_session() -> None:
    events = [
        behavior(product, minute=minute, session_id=session)
        for product, minute, session in [("x", 0.0, "s"), ("a", 1.0, "t"), ("b", 2.0, "t"), ("a", 3.0, "t")]
    ]
    row = apply_events(ShopperRow(), events, DeltaBuilder(), PARAMETERS)
    event = shopper_updated("u", row, shipped_next_behavior(), lambda _: None, PARAMETERS)
    assert event is not None
    assert event.recent_products == ["a", "b"]
    assert event.next_products == []
    assert event.as_of == datetime.fromtimestamp(row.sessions[1].last_at, UTC)


def test_a_return_takes_back_what_a_dropped_session_bought_once() -> None:
    purchases = [("a", 0.0), ("a", 100.0), *[("b", number * 100.0) for number in range(2, 20)]]
    late = behavior("a", Action.RETURN, minute=3000.0, session_id="back")
    row = apply_events(row_of(*purchases), [late], DeltaBuilder(), PARAMETERS)
    assert published(row) == {"a": 1, "b": 18}
