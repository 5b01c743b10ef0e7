"""Sessions: grouping of events, pairs, duplicates, and the bounds of a shopper's row."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder
from models.behavior.next_behavior import ACTIONS, LEAVE, NextBehavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from models.behavior.shopper import shopper_updated
from models.behavior.taste_mean import ProductLabels
from schemas.errors import StopWorker
from schemas.events import Action, UserBehavior
from tests.support.behavior import START, behavior, named_events, without_corrections

PARAMETERS = BehaviorParameters()


def row_after(
    batches: Iterable[Sequence[UserBehavior]], parameters: BehaviorParameters = PARAMETERS
) -> ShopperRow:
    """Return the row after `batches`, encoded and decoded after each."""
    row = ShopperRow()
    for batch in batches:
        row = ShopperRow.from_bytes(apply_events(row, batch, DeltaBuilder(), parameters).to_bytes())
    return row


def pairs_of(
    events: Sequence[UserBehavior], parameters: BehaviorParameters = PARAMETERS
) -> list[tuple[str, str, float, int]]:
    """Return the undirected pairs of `events`, with the minute and the support of each."""
    builder = DeltaBuilder()
    apply_events(ShopperRow(), events, builder, parameters)
    deltas = builder.build()
    start = START.timestamp()
    return sorted(
        (deltas.ids[one], deltas.ids[other], (time - start) / 60, support)
        for one, other, time, support in zip(
            deltas.product.tolist(),
            deltas.neighbor.tolist(),
            deltas.time.tolist(),
            deltas.support.tolist(),
            strict=True,
        )
        if deltas.ids[one] < deltas.ids[other] and support
    )


def unnamed(product_id: str, minute: float) -> UserBehavior:
    return behavior(product_id, minute=minute, session_id=None)


def test_products_of_one_session_pair_once_at_the_later_entry() -> None:
    events = [
        behavior("a", minute=1),
        behavior("b", minute=5),
        behavior("a", minute=9),
        behavior("b", minute=9),
    ]
    assert pairs_of(events) == [("a", "b", 5.0, 1)]


def test_a_late_event_pairs_at_the_later_entry_too() -> None:
    assert pairs_of([behavior("a", minute=9), behavior("b", minute=2)]) == [("a", "b", 9.0, 1)]


def test_views_and_clicks_pair_but_not_with_purchases() -> None:
    events = [behavior("a", Action.VIEW), behavior("b", Action.CLICK), behavior("c", Action.PURCHASE)]
    assert [pair[:2] for pair in pairs_of(events)] == [("a", "b")]


def test_impressions_searches_and_removals_count_and_relate_nothing() -> None:
    """They are no transitions either, and what was carted stays carted."""
    chosen = [behavior("a", Action.CART, minute=1), behavior("b", Action.CART, minute=3)]
    others = [
        behavior("c", Action.IMPRESSION, minute=0),
        UserBehavior(occurred_at=START, action=Action.SEARCH, query="mug", user_id="u", session_id="s"),
        behavior("b", Action.REMOVE_FROM_CART, minute=4),
    ]
    assert pairs_of(chosen + others) == pairs_of(chosen) == [("a", "b", 3.0, 1)]
    row, without = row_after([others[:2], chosen, others[2:]]), row_after([chosen])
    assert row.transitions == without.transitions
    assert (row.sessions[0].events, row.sessions[0].products()) == (5, 2)
    assert row.product_weights == {"a": without.product_weights["a"]}


def test_a_session_of_impressions_counts_no_leave() -> None:
    shown = behavior("a", Action.IMPRESSION, session_id="s")
    assert row_after([[shown, behavior("b", minute=9, session_id="t")]]).transitions == {}


def test_identify_is_no_event_of_a_session() -> None:
    login = UserBehavior(occurred_at=START, action=Action.IDENTIFY, user_id="u", anonymous_id="g")
    assert row_after([[login]]).sessions == []


def test_carts_and_favorites_pair() -> None:
    events = [behavior("a", Action.CART), behavior("b", Action.FAVORITE)]
    assert [pair[:2] for pair in pairs_of(events)] == [("a", "b")]


def test_sessions_with_ids_may_interleave() -> None:
    events = [behavior(name, session_id=session) for name, session in ("as", "bt", "cs", "dt")]
    assert [pair[:2] for pair in pairs_of(events)] == [("a", "c"), ("b", "d")]


def test_a_named_session_accepts_late_events_after_any_gap() -> None:
    events = [behavior("a"), behavior("b", minute=40_000), behavior("c", minute=20_000)]
    assert len(pairs_of(events)) == 3


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), max_size=20))
def test_without_ids_sessions_end_at_gaps(steps: list[tuple[str, int]]) -> None:
    """The expected sessions come from splitting the ordered events at gaps of more than half an hour."""
    minute, events, split = 0, list[UserBehavior](), list[list[UserBehavior]]()
    for name, wait in steps:
        minute += wait
        events.append(unnamed(name, minute))
        if wait > 30 or not split:
            split.append([])
        split[-1].append(events[-1])
    expected = sorted(pair for part in split for pair in pairs_of(part))
    assert pairs_of(events) == expected
    row = row_after([events])
    current = row.published_session()
    if split:
        assert current is not None
        assert (current.events, current.started_at) == (len(split[-1]), split[-1][0].occurred_at)


def test_a_late_event_without_id_joins_the_session_around_it() -> None:
    events = [unnamed("a", 0), unnamed("b", 100), unnamed("c", 20), unnamed("d", 75)]
    assert [pair[:2] for pair in pairs_of(events)] == [("a", "c"), ("b", "d")]


def test_an_unnamed_event_does_not_join_a_named_session() -> None:
    assert pairs_of([behavior("a"), unnamed("b", 1)]) == []


@given(st.lists(named_events, max_size=30), st.integers(0, 30))
def test_batches_may_be_split_anywhere(events: list[UserBehavior], cut: int) -> None:
    split, whole = row_after([events[:cut], events[cut:]]), row_after([events])
    assert without_corrections(split.to_bytes()) == without_corrections(whole.to_bytes())


@given(st.lists(named_events, min_size=1, max_size=20))
def test_applying_events_does_not_change_the_committed_row(events: list[UserBehavior]) -> None:
    row = row_after([events[:10]])
    before, known = row.to_bytes(), deepcopy(row.sessions)
    held = row.sessions
    first = apply_events(row, events, DeltaBuilder(), PARAMETERS)
    again = apply_events(row, events, DeltaBuilder(), PARAMETERS)
    assert row.to_bytes() == before == row_after([events[:10]]).to_bytes()
    assert first.to_bytes() == again.to_bytes()
    assert held == known == row.sessions


@given(st.lists(named_events, max_size=20))
def test_a_duplicate_changes_nothing(events: list[UserBehavior]) -> None:
    with_ids = [
        behavior(event.product_id or "", event.action, minute=number, event_id=f"e{number}")
        for number, event in enumerate(events)
    ]
    assert row_after([with_ids, with_ids]).to_bytes() == row_after([with_ids]).to_bytes()


def test_the_number_of_seen_event_ids_is_bounded() -> None:
    parameters = BehaviorParameters(seen_events=2)
    events = [behavior("a", event_id=name) for name in ("1", "2", "3")]
    current = row_after([events, events[1:], events[:1]], parameters).current_session()
    assert current is not None
    assert current.events == 4


def test_events_without_id_are_never_duplicates() -> None:
    current = row_after([[behavior("a"), behavior("a")]]).current_session()
    assert current is not None
    assert current.events == 2


def test_the_session_with_the_oldest_last_event_is_dropped_first() -> None:
    parameters = BehaviorParameters(open_sessions=2)
    events = [
        behavior("a", minute=minute, session_id=name) for name, minute in (("s", 5), ("t", 1), ("u", 3))
    ]
    assert [session.session_id for session in row_after([events], parameters).sessions] == ["s", "u"]


def test_only_the_first_products_of_a_session_pair() -> None:
    parameters = BehaviorParameters(session_pair_products=3)
    events = [behavior(name, minute=minute) for minute, name in enumerate("abcdab")]
    pairs = pairs_of(events, parameters)
    assert pairs == [("a", "b", 1.0, 1), ("a", "c", 2.0, 1), ("b", "c", 2.0, 1)]
    (session,) = row_after([events], parameters).sessions
    assert session.entry_times["bought"].keys() == set("abc")


def test_a_shoppers_sessions_of_long_ids_together_are_bounded() -> None:
    parameters = BehaviorParameters(row_characters=1200)
    events = [
        behavior(f"{number}" * 200, minute=number, session_id=f"s{number // 3}") for number in range(1, 10)
    ]
    row = row_after([events], parameters)
    assert [session.session_id for session in row.sessions] == ["s2", "s3"]


def test_a_shoppers_sessions_together_are_bounded() -> None:
    parameters = BehaviorParameters(row_products=20)
    events = [behavior(f"p{number}", minute=number, session_id=f"s{number // 10}") for number in range(60)]
    row = row_after([events], parameters)
    assert [session.session_id for session in row.sessions] == ["s4", "s5"]


def test_the_size_of_a_row_is_bounded() -> None:
    events = [
        behavior(
            f"product-{number}",
            Action.VIEW,
            minute=number,
            session_id=f"s{number // 700}",
            event_id=str(number),
        )
        for number in range(6000)
    ]
    assert len(row_after([events]).to_bytes()) < 100_000


def test_transitions_count_actions_and_leaving() -> None:
    view, cart = ACTIONS.index(Action.VIEW), ACTIONS.index(Action.CART)
    events = [
        behavior("a", Action.VIEW, minute=0),
        behavior("a", Action.CART, minute=1),
        behavior("b", Action.VIEW, minute=2),
        behavior("b", Action.VIEW, minute=90, session_id="t"),
    ]
    row = row_after([events])
    assert row.transitions[view][cart] == row.transitions[cart][view] == row.transitions[view][LEAVE] == 1
    back = row_after([[*events, behavior("c", Action.CART, minute=91)]])
    assert back.transitions[view][LEAVE] == 0
    assert back.transitions[view][cart] == 2
    gone = apply_events(back, [behavior("d", minute=92, session_id="x")], DeltaBuilder(), PARAMETERS)
    assert gone.transitions[cart][LEAVE] == 1


def test_the_event_of_a_shopper() -> None:
    row = row_after(
        [[behavior("a", Action.VIEW), behavior("b", Action.CART, minute=3), behavior("c", Action.RETURN)]]
    )
    update = shopper_updated(
        "u", row, NextBehavior.load(), lambda name: ProductLabels(["mug"], f"Home > {name}"), PARAMETERS
    )
    assert update is not None
    assert (update.user_id, update.as_of) == ("u", START + timedelta(minutes=3))
    assert (update.session.session_id, update.session.events, update.session.products) == ("s", 3, 2)
    assert [preference.name for preference in update.tags] == ["mug"]
    assert [preference.name for preference in update.categories] == ["Home > b", "Home > a"]
    assert sum(update.next_behavior.values()) == pytest.approx(1.0)


def test_a_shopper_without_events_is_not_published() -> None:
    assert shopper_updated("u", ShopperRow(), NextBehavior.load(), lambda _: None, PARAMETERS) is None


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x01", b"\x01\xc0"])
def test_an_unreadable_row_stops_the_worker_with_advice(data: bytes) -> None:
    with pytest.raises(StopWorker, match="rebuild the state"):
        apply_events(ShopperRow.from_bytes(data), [], DeltaBuilder(), PARAMETERS)
