"""The pairs of sessions equal the definition, whatever the order of arrival and the size of batches."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.delta_codec import decode_deltas, encode_deltas
from models.behavior.deltas import RELATIONS, DeltaBuilder, Deltas
from models.behavior.parameters import BehaviorParameters
from models.behavior.session_changes import LATE, LIMITED, OUT_OF_ORDER
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import Action, Relation, UserBehavior
from schemas.keys import shopper_id
from tests.support.behavior import START, behavior, brute_force_pairs

PARAMETERS = BehaviorParameters()
NARROW = BehaviorParameters(session_pair_products=3, damping_products=2.0, damping_step=1)
STEEP = BehaviorParameters(session_pair_products=5, damping_products=2.0, damping_step=2)
Counted = dict[tuple[str, str, Relation], tuple[dict[float, Any], int]]
"""By product, neighbor and relation: the weight by time, and the support."""


def summed(deltas: Sequence[Deltas]) -> Counted:
    weights: dict[tuple[str, str, Relation], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    support: Counter[tuple[str, str, Relation]] = Counter()
    for each in deltas:
        for row in range(len(each)):
            one, other = each.ids[each.product[row]], each.ids[each.neighbor[row]]
            key = one, other, RELATIONS[int(each.code[row])]
            weights[key][float(each.time[row])] += float(each.weight[row])
            support[key] += int(each.support[row])
    found = {
        key: ({at: pytest.approx(each) for at, each in by_time.items() if abs(each) > 1e-9}, support[key])
        for key, by_time in weights.items()
    }
    return {key: each for key, each in found.items() if each != ({}, 0)}


def deltas_of(
    batches: Sequence[Sequence[UserBehavior]],
    parameters: BehaviorParameters = PARAMETERS,
    counts: Counter[str] | None = None,
) -> list[Deltas]:
    """Apply batches as the agent does: each shopper's events of a batch together."""
    rows: dict[str, ShopperRow] = {}
    found = []
    for batch in batches:
        by_shopper: dict[str, list[UserBehavior]] = defaultdict(list)
        for event in batch:
            by_shopper[shopper_id(event)].append(event)
        builder = DeltaBuilder()
        for shopper, events in by_shopper.items():
            row = apply_events(rows.get(shopper, ShopperRow()), events, builder, parameters, counts)
            rows[shopper] = ShopperRow.from_bytes(row.to_bytes())
        if len(builder):
            found += [decode_deltas(record) for record in encode_deltas(builder.build())]
    return found


def by_definition(events: Sequence[UserBehavior], parameters: BehaviorParameters = PARAMETERS) -> Counted:
    builder = DeltaBuilder()
    for one, other, relation, at, weight in brute_force_pairs(events, parameters):
        if one == other:
            builder.add_sessions([one], [at], relation, weight)
        else:
            builder.add_pairs(one, [other], [at], relation, weight)
    return summed([builder.build()])


actions = st.sampled_from([Action.VIEW, Action.VIEW, Action.CART, Action.PURCHASE, Action.RETURN])
some_events = st.lists(
    st.builds(
        behavior,
        st.sampled_from("abcdef"),
        actions,
        minute=st.integers(0, 12).map(lambda step: step * 17.0),
        user_id=st.sampled_from(["u", None]),
        session_id=st.sampled_from([None, None, "s", "t"]),
    ).map(lambda event: msgspec.structs.replace(event, anonymous_id="g")),
    max_size=25,
)


@given(some_events, st.data(), st.sampled_from([PARAMETERS, NARROW, STEEP]))
def test_any_order_and_any_batches_give_the_pairs_of_the_definition(
    events: list[UserBehavior], data: st.DataObject, parameters: BehaviorParameters
) -> None:
    arrived = data.draw(st.permutations(events))
    ends = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    batches = [arrived[start:end] for start, end in zip([0, *ends], [*ends, len(arrived)], strict=True)]
    assert summed(deltas_of(batches, parameters)) == by_definition(events, parameters)


@given(st.permutations(range(40)), st.sampled_from([1, 7, 40]), st.sampled_from([PARAMETERS, NARROW, STEEP]))
def test_an_order_of_one_time_may_arrive_in_any_order(
    order: list[int], size: int, parameters: BehaviorParameters
) -> None:
    events = [behavior(f"p{number}") for number in order]
    batches = [events[at : at + size] for at in range(0, len(events), size)]
    assert summed(deltas_of(batches, parameters)) == by_definition(events, parameters)


@pytest.mark.parametrize("lines", [150, 600])
def test_the_lines_of_a_long_order_may_arrive_one_by_one(lines: int) -> None:
    events = [behavior(f"p{number}") for number in range(lines)]
    counts: Counter[str] = Counter()
    found = summed(deltas_of([[each] for each in events], counts=counts))
    assert found == by_definition(events)
    assert counts == {}


def test_the_products_of_one_time_weigh_alike() -> None:
    together = [behavior(f"p{number}") for number in range(41)]
    found = summed(deltas_of([[*together, behavior("last", minute=1)]]))
    weight = 1 / (1 + (15 / 25) ** 2)  # of rank 20, which is in the step from 15 on
    for one, other in (("p0", "p1"), ("p0", "p40"), ("p39", "p40")):
        assert found[one, other, Relation.BOUGHT] == ({START.timestamp(): weight}, 1)
    assert found["p0", "last", Relation.BOUGHT][0] == {START.timestamp() + 60: 1 / (1 + (30 / 25) ** 2)}


def test_sessions_without_id_become_one_when_a_late_event_lies_between_them() -> None:
    events = [behavior(name, minute=at, session_id=None) for name, at in (("a", 0), ("b", 50), ("c", 25))]
    assert summed(deltas_of([[each] for each in events])) == by_definition(events)
    assert len(by_definition(events)) == 9


def test_with_a_bound_of_three_products_seen_again_pair_once() -> None:
    events = [behavior(name, Action.VIEW, minute=at) for at, name in enumerate("ABCDAB")]
    found = summed(deltas_of([[each] for each in events], NARROW))
    assert {key[:2] for key in found} == {(one, other) for one in "ABC" for other in "ABC"}
    assert all(support == 1 for _, support in found.values())


def test_the_weight_falls_with_the_products_before() -> None:
    events = [behavior(f"p{number:03}", minute=number / 10) for number in range(150)]
    found = summed(deltas_of([events]))
    (first,) = found["p000", "p001", Relation.BOUGHT][0].values()
    (last,) = found["p000", "p099", Relation.BOUGHT][0].values()
    assert (first, last) == (1.0, 1 / (1 + (90 / 25) ** 2))
    assert ("p000", "p100", Relation.BOUGHT) not in found
    assert len(found) == 100 * 100


def test_a_guest_counts_less_and_as_much_as_a_user_after_an_event_with_a_user_id() -> None:
    guest = behavior("a", user_id=None, session_id="s")
    assert summed(deltas_of([[guest]]))["a", "a", Relation.BOUGHT] == ({START.timestamp(): 0.3}, 1)
    known = msgspec.structs.replace(behavior("b"), user_id="s")
    found = summed(deltas_of([[guest], [known]]))
    assert found["a", "a", Relation.BOUGHT] == ({START.timestamp(): 1.0}, 1)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 1, 2), (1, 3, 2, 0)])
def test_a_return_takes_back_the_latest_purchase_before_it(order: Sequence[int]) -> None:
    events = [
        behavior("a", minute=0, session_id="s"),
        behavior("b", minute=1, session_id="s"),
        behavior("a", minute=500, session_id="t"),
        behavior("a", Action.RETURN, minute=400, session_id="r"),
    ]
    found = summed(deltas_of([[events[number]] for number in order]))
    start = START.timestamp()
    assert found == {
        ("b", "b", Relation.BOUGHT): ({start + 60: 1.0}, 1),
        ("a", "a", Relation.BOUGHT): ({start + 500 * 60: 1.0}, 1),
    }


def test_a_session_of_more_events_than_a_person_makes_has_no_weight() -> None:
    parameters = BehaviorParameters(session_events=20)
    events = [behavior(f"p{number % 5}", Action.VIEW, minute=number) for number in range(21)]
    assert len(summed(deltas_of([events[:20]], parameters))) == 25
    assert summed(deltas_of([events[:20], events[20:]], parameters)) == {}


def test_a_shopper_has_a_limited_number_of_sessions_per_day() -> None:
    parameters = BehaviorParameters(sessions_per_day=2, sessions_at_once=3)
    counts: Counter[str] = Counter()

    def visits(day: int, number: int) -> list[UserBehavior]:
        return [behavior(f"p{day}", minute=day * 1440 + at, session_id=f"{day}-{at}") for at in range(number)]

    found = summed(deltas_of([visits(0, 10), visits(1, 2), visits(9, 9)], parameters, counts))
    start = START.timestamp()
    assert found["p0", "p0", Relation.BOUGHT] == ({start + minute * 60: 1.0 for minute in range(3)}, 3)
    assert found["p1", "p1", Relation.BOUGHT][1] == 2
    assert found["p9", "p9", Relation.BOUGHT][1] == 3
    assert counts == {LIMITED: 13}


def test_late_events_form_no_pairs_and_count_in_the_taste() -> None:
    counts: Counter[str] = Counter()
    days = [0, 32, 1]
    events = [behavior(f"p{day}", minute=day * 1440, session_id="s") for day in days]
    assert summed(deltas_of([events], counts=counts)) == by_definition(events[:2])
    assert counts == {LATE: 1}
    assert "p1" in apply_events(ShopperRow(), events, DeltaBuilder(), PARAMETERS).product_weights


def test_an_event_without_id_of_a_dropped_session_is_late() -> None:
    parameters = BehaviorParameters(open_sessions=2)
    counts: Counter[str] = Counter()
    events = [behavior("a", minute=at, session_id=None) for at in (0, 100, 200, 20, 40, 300)]
    found = summed(deltas_of([[each] for each in events], parameters, counts))
    assert found["a", "a", Relation.BOUGHT][1] == 4
    assert counts == {LATE: 2}


def test_corrections_of_a_session_are_bounded_and_support_stays_one() -> None:
    parameters = BehaviorParameters(session_corrections=50)
    counts: Counter[str] = Counter()
    events = [behavior(f"p{number}", Action.VIEW, minute=-number) for number in range(200)]
    deltas = deltas_of([[each] for each in events], parameters, counts)
    assert sum(map(len, deltas)) < 10 * 50
    assert all(support == 1 for _, support in summed(deltas).values())
    assert counts[OUT_OF_ORDER] > 150


def test_a_product_does_not_pair_with_itself() -> None:
    found = summed(deltas_of([[behavior("a"), behavior("a", minute=5)]]))
    assert found == {("a", "a", Relation.BOUGHT): ({START.timestamp(): 1.0}, 1)}


def test_a_session_of_a_million_items_costs_a_bounded_row() -> None:
    """Ten thousand stand for a million: from the 101st on each costs the same."""
    events = [behavior(f"p{number:05}", minute=number / 100) for number in range(10_000)]
    row, builder = ShopperRow(), DeltaBuilder()
    for at in range(0, len(events), 500):
        row = apply_events(row, events[at : at + 500], builder, PARAMETERS)
        assert len(row.to_bytes()) < 10_000
    assert len(builder) < 4 * 100 * 100


def test_a_thousand_events_in_a_second_are_a_session() -> None:
    events = [
        msgspec.structs.replace(
            behavior(f"p{number % 7}", session_id=None), occurred_at=START + timedelta(milliseconds=number)
        )
        for number in range(1000)
    ]
    assert summed(deltas_of([events])) == by_definition(events)


def test_one_event_a_year_has_a_session_each() -> None:
    events = [behavior("a", minute=year * 525_600, session_id=None) for year in range(20)]
    assert summed(deltas_of([[each] for each in events]))["a", "a", Relation.BOUGHT][1] == 20


@given(some_events, some_events)
def test_a_row_of_the_last_release_goes_on(old: list[UserBehavior], new: list[UserBehavior]) -> None:
    """It counted each pair with weight 1, and no sessions of products: the difference is emitted."""
    row, builder = ShopperRow(), DeltaBuilder()
    for event in (*old, *new):
        if event.action is Action.RETURN:
            return
    for event in old:
        row = apply_events(row, [msgspec.structs.replace(event, user_id="u")], DeltaBuilder(), PARAMETERS)
    before, state = row.copy_for_update()
    for session in state.sessions:
        session.counted = -1.0
    before = before.encoded()
    counted = DeltaBuilder()
    for session in state.sessions:
        for relation, products in session.entry_times.items():
            names = list(products)
            for at, name in enumerate(names):
                times = [max(products[name], products[each]) for each in names[:at]]
                counted.add_pairs(name, names[:at], times, Relation(relation))
    touch = [msgspec.structs.replace(event, user_id="u") for event in (*new, *old)]
    apply_events(before, touch, builder, PARAMETERS)
    everything = [msgspec.structs.replace(event, user_id="u") for event in (*old, *new)]
    assert summed([counted.build(), builder.build()]) == by_definition(everything)
