"""A guest who becomes a user is one shopper: the merged row is the one that one id would have had."""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder
from models.behavior.logins import MOST_GUESTS, log_in, logins, with_guest, without_events_until
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import RELATION_OF, ShopperRow, apply_events
from models.behavior.shopper_merge import merged_rows
from models.behavior.shopper_row import Login
from schemas.events import Action, UserBehavior
from tests.support.behavior import START, behavior

PARAMETERS = BehaviorParameters(open_sessions=32)
"""No session is dropped: which ones are depends on the order of arrival."""
GUEST, USER = "g", "u"
Pairs = dict[tuple[str, str, int, float], float]


class Partitions:
    """A guest's row and a user's row on two partitions, with the messages between them in order."""

    def __init__(self) -> None:
        self.rows = {GUEST: ShopperRow(), USER: ShopperRow()}
        self.pairs = DeltaBuilder()
        self.waiting: dict[str, deque[Any]] = {GUEST: deque(), USER: deque()}

    def arrive(self, event: UserBehavior) -> None:
        shopper = USER if event.user_id else GUEST
        if shopper == GUEST and self.rows[GUEST].login is not None:
            self.waiting[USER].append(msgspec.structs.replace(event, user_id=USER))
            return
        self._put(shopper, apply_events(self.rows[shopper], [event], self.pairs, PARAMETERS))
        if shopper == USER:
            self.waiting[GUEST].extend(logins(self.rows[USER], [event], PARAMETERS).values())

    def move(self, shopper: str) -> None:
        """Let the next message for a row arrive."""
        message = self.waiting[shopper].popleft()
        if isinstance(message, Login):
            result = log_in(self.rows[GUEST], message)
            if result is not None:
                self._put(GUEST, result.row)
                self.waiting[USER].append((message.at, result.handed_over))
        elif isinstance(message, UserBehavior):
            self._put(USER, apply_events(self.rows[USER], [message], self.pairs, PARAMETERS))
        else:
            at, row = message
            if row is not None:
                self._put(USER, merged_rows(self.rows[USER], row, self.pairs, PARAMETERS))
            self._put(USER, with_guest(self.rows[USER], GUEST, at))

    def drain(self) -> None:
        while any(self.waiting.values()):
            self.move(next(shopper for shopper, messages in self.waiting.items() if messages))

    def _put(self, shopper: str, row: ShopperRow) -> None:
        self.rows[shopper] = ShopperRow.from_bytes(row.to_bytes())


def counted(builder: DeltaBuilder) -> tuple[Pairs, dict[tuple[str, str, int], int]]:
    """Return the sum of the weights by pair and time, and of the support by pair, without zeros."""
    weights: Pairs = defaultdict(float)
    support: dict[tuple[str, str, int], int] = defaultdict(int)
    deltas = builder.build()
    for row in range(len(deltas)):
        pair = deltas.ids[deltas.product[row]], deltas.ids[deltas.neighbor[row]], int(deltas.code[row])
        weights[(*pair, float(deltas.time[row]))] += float(deltas.weight[row])
        support[pair] += int(deltas.support[row])
    counts = {key: number for key, number in support.items() if number}
    return {key: each for key, each in weights.items() if abs(each) > 1e-9}, counts


def of_user(events: Sequence[UserBehavior]) -> list[UserBehavior]:
    """Return what one shopper did who was a known user from the beginning."""
    return [msgspec.structs.replace(event, user_id=USER) for event in events]


def sessions_of(row: ShopperRow) -> dict[str, tuple[int, float, float, dict[str, dict[str, float]]]]:
    return {
        each.session_id: (each.events, each.started_at, each.last_at, each.entry_times)
        for each in row.sessions
    }


def guest(product_id: str, action: Action = Action.VIEW, **more: Any) -> UserBehavior:
    event = behavior(product_id, action, user_id=None, **more)
    return msgspec.structs.replace(event, anonymous_id=GUEST)


def user(product_id: str, action: Action = Action.VIEW, **more: Any) -> UserBehavior:
    return msgspec.structs.replace(behavior(product_id, action, **more), anonymous_id=GUEST)


def identify(minute: float = 0.0) -> UserBehavior:
    event = behavior("-", minute=minute, session_id=None)
    return msgspec.structs.replace(event, product_id=None, action=Action.IDENTIFY, anonymous_id=GUEST)


acts = st.sampled_from(
    [Action.VIEW, Action.VIEW, Action.CLICK, Action.PURCHASE, Action.RETURN, Action.IMPRESSION]
)
events_of_one = st.lists(
    st.builds(
        lambda make, *arguments, **more: make(*arguments, **more),
        st.sampled_from([guest, user, behavior]),
        st.sampled_from("abc"),
        acts,
        minute=st.integers(0, 200).map(float),
        session_id=st.sampled_from(["s", "s", "s", "t"]),
    ),
    max_size=20,
)


@given(events_of_one, st.data())
def test_any_split_and_any_order_give_the_row_of_one_shopper(
    events: list[UserBehavior], data: st.DataObject
) -> None:
    """The oracle is one row that gets all events. Messages arrive at any time, in their order."""
    partitions = Partitions()
    for event in [*events, identify(200)]:
        for shopper in data.draw(st.lists(st.sampled_from([GUEST, USER]), max_size=3)):
            if partitions.waiting[shopper]:
                partitions.move(shopper)
        partitions.arrive(event)
    partitions.drain()
    pairs = DeltaBuilder()
    expected = apply_events(ShopperRow(), of_user(events), pairs, PARAMETERS)
    merged = partitions.rows[USER]
    (weights, support), (expected_weights, expected_support) = counted(partitions.pairs), counted(pairs)
    assert weights == pytest.approx(expected_weights)
    assert support == expected_support
    assert sessions_of(merged) == sessions_of(expected)
    if all(event.action is not Action.RETURN for event in events):
        # A product's weight never falls below zero, so that a return before its purchase changes it.
        assert merged.product_weights.keys() == expected.product_weights.keys()
        for product, (weight, since) in expected.product_weights.items():
            assert merged.product_weights[product] == pytest.approx((weight, since), rel=1e-9)
    assert not partitions.rows[GUEST].has_behavior
    assert merged.guests.keys() == {GUEST}


visits = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from("abc"), st.sampled_from([*RELATION_OF, Action.RETURN])),
    min_size=1,
    max_size=10,
)


@given(visits, visits)
def test_a_guest_who_logs_in_later_has_the_transitions_of_one_shopper(
    as_guest: list[tuple[int, str, Action]], as_user: list[tuple[int, str, Action]]
) -> None:
    """Sessions follow each other: 1 begins a new one. The user's events may come before the guest's row."""
    partitions, events, session = Partitions(), list[UserBehavior](), 0
    for minute, (new, product, action) in enumerate([*as_guest, *as_user]):
        session += new
        make = guest if minute < len(as_guest) else user
        events.append(make(product, action, minute=minute, session_id=str(session)))
        partitions.arrive(events[-1])
    partitions.drain()
    expected = apply_events(ShopperRow(), of_user(events), DeltaBuilder(), PARAMETERS)
    merged = partitions.rows[USER]
    trimmed = {last: outcomes for last, outcomes in merged.transitions.items() if any(outcomes)}
    assert trimmed == {last: each for last, each in expected.transitions.items() if any(each)}
    assert sessions_of(merged) == sessions_of(expected)


def test_a_pair_of_both_parts_of_a_session_counts_once() -> None:
    """The user enters both products before the guest, whose row arrives last."""
    partitions = Partitions()
    for event in [guest("a", minute=5), guest("b", minute=6), user("a", minute=2), user("b", minute=3)]:
        partitions.arrive(event)
    partitions.drain()
    weights, support = counted(partitions.pairs)
    assert support == {("a", "b", 0): 1, ("b", "a", 0): 1, ("a", "a", 0): 1, ("b", "b", 0): 1}
    start, damped = START.timestamp(), pytest.approx(1.0)
    assert weights == {
        ("a", "a", 0, start + 120): pytest.approx(1.0),
        ("b", "b", 0, start + 180): pytest.approx(1.0),
        ("a", "b", 0, start + 180): damped,
        ("b", "a", 0, start + 180): damped,
    }


def test_a_session_that_the_guest_had_left_and_the_user_continues_is_not_left() -> None:
    partitions = Partitions()
    for event in [guest("a", minute=1), guest("b", minute=2, session_id="t"), user("c", minute=3)]:
        partitions.arrive(event)
    partitions.drain()
    merged = partitions.rows[USER]
    assert [(each.session_id, each.events, each.leave_counted) for each in merged.sessions] == [
        ("s", 2, False),
        ("t", 1, False),
    ]
    assert merged.transitions[0] == [1, 0, 0, 0, 0, 0, 0]


def test_a_guest_without_session_ids_continues_the_visit_within_the_gap() -> None:
    partitions = Partitions()
    for event in [
        guest("a", Action.CART, minute=0, session_id=None),
        user("b", Action.CART, minute=20, session_id=None),
        behavior("c", Action.CART, minute=90, session_id=None),
    ]:
        partitions.arrive(event)
    partitions.drain()
    assert [session.events for session in partitions.rows[USER].sessions] == [2, 1]
    weights, support = counted(partitions.pairs)
    assert {pair[:2] for pair in support} == {("a", "b"), ("b", "a"), ("a", "a"), ("b", "b"), ("c", "c")}
    assert {time - START.timestamp() for one, other, _, time in weights if one != other} == {20 * 60.0}


def test_an_event_that_was_seen_as_guest_is_a_duplicate_afterwards() -> None:
    partitions = Partitions()
    seen = guest("a", event_id="1")
    partitions.arrive(seen)
    partitions.arrive(user("b", minute=1))
    partitions.move(GUEST)
    partitions.arrive(seen)
    partitions.drain()
    assert [session.events for session in partitions.rows[USER].sessions] == [2]


def test_two_users_of_one_device_get_what_the_guest_did_before_each_login() -> None:
    def row_of(*products: str) -> ShopperRow:
        events = [guest(each) for each in products]
        return apply_events(ShopperRow(), events, DeltaBuilder(), PARAMETERS)

    first = log_in(row_of("a"), Login("u", 1.0))
    assert first is not None and first.handed_over is not None
    assert set(first.handed_over.product_weights) == {"a"}
    assert not first.handed_over.is_guest
    second = log_in(first.row, Login("v", 2.0))
    assert second is not None
    assert (second.handed_over, second.row.login) == (None, Login("v", 2.0))
    assert log_in(second.row, Login("u", 1.5)) is None


def test_a_login_is_repeated_after_the_session_gap_only() -> None:
    row = with_guest(ShopperRow(), GUEST, START.timestamp())
    assert logins(row, [user("a", minute=30)], PARAMETERS) == {}
    again = logins(row, [user("a", minute=31), user("a", minute=40), user("a", minute=35)], PARAMETERS)
    assert again == {GUEST: Login(USER, START.timestamp() + 40 * 60)}


@pytest.mark.parametrize(
    "event",
    [
        behavior("a"),
        guest("a"),
        msgspec.structs.replace(behavior("a"), anonymous_id=USER),
    ],
)
def test_events_that_name_no_guest_of_a_user_are_no_logins(event: UserBehavior) -> None:
    assert logins(ShopperRow(), [event], PARAMETERS) == {}


def test_identify_may_name_the_guest_by_the_session_id() -> None:
    event = msgspec.structs.replace(identify(), anonymous_id=None, session_id="s")
    assert logins(ShopperRow(), [event], PARAMETERS).keys() == {"s"}


def test_the_latest_guests_stay_in_a_row() -> None:
    row = ShopperRow()
    for number in range(MOST_GUESTS + 3):
        row = with_guest(row, f"g{number}", float(number))
    assert list(row.guests) == [f"g{number}" for number in range(3, MOST_GUESTS + 3)]


def test_what_an_erased_user_did_as_a_guest_is_left_out_of_the_handed_over_row() -> None:
    events: Sequence[UserBehavior] = [guest("a", minute=1), guest("b", minute=9, session_id="t")]
    row = apply_events(ShopperRow(), events, DeltaBuilder(), PARAMETERS)
    kept = without_events_until(row, START.timestamp() + 5 * 60)
    assert [session.session_id for session in kept.sessions] == ["t"]
    assert (set(kept.product_weights), kept.transitions) == ({"b"}, {})


def test_bounds_hold_after_a_merge() -> None:
    bounds = BehaviorParameters(
        open_sessions=2, session_pair_products=3, seen_events=4, preference_products=5
    )
    rows = []
    for products in ("abc", "defg"):
        events = [
            behavior(each, minute=number, session_id=session, event_id=f"{each}{session}")
            for session in "st"
            for number, each in enumerate(products)
        ]
        rows.append(apply_events(ShopperRow(), events, DeltaBuilder(), bounds))
    merged = merged_rows(rows[0], rows[1], DeltaBuilder(), bounds)
    assert len(merged.sessions) <= 2
    assert all(len(each) <= 3 for session in merged.sessions for each in session.entry_times.values())
    assert len(merged.product_weights) <= 5
    _, state = merged.copy_for_update()
    assert len(state.seen) == 4 * 8


def test_a_row_of_the_last_release_has_no_logins() -> None:
    """Rows are arrays: a release reads what it knows, and fields that are missing have defaults."""
    old = bytes((1,)) + msgspec.msgpack.encode([b"", [["s", True, 1.0, 2.0, 1, 7, 0]], {}, {}])
    row = ShopperRow.from_bytes(old)
    assert (row.login, row.guests, row.is_guest, row.sessions[0].first) == (None, {}, False, 7)
