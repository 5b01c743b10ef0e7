"""Behavior events for tests: a constructor, strategies, and affinities by brute force."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder, Deltas
from models.behavior.parameters import BehaviorParameters
from models.behavior.session_pairs import order_key
from models.behavior.sessions import RELATION_OF, ShopperRow
from schemas.events import Action, Relation, UserBehavior
from schemas.keys import shopper_id

START = datetime(2026, 1, 1, tzinfo=UTC)
PARAMETERS = BehaviorParameters()
Affinities = dict[tuple[str, Relation, str], tuple[float, int]]
"""Decayed score and support by product, relation and neighbor."""


def behavior(
    product_id: str,
    action: Action = Action.PURCHASE,
    *,
    minute: float = 0.0,
    user_id: str | None = "u",
    session_id: str | None = "s",
    event_id: str | None = None,
) -> UserBehavior:
    """Create an event `minute` minutes after the start of 2026."""
    return UserBehavior(
        occurred_at=START + timedelta(minutes=minute),
        product_id=product_id,
        action=action,
        user_id=user_id,
        session_id=session_id,
        event_id=event_id,
    )


named_events = st.builds(
    behavior,
    st.sampled_from("abcde"),
    st.sampled_from(Action),
    minute=st.integers(0, 40_000).map(float),
    user_id=st.sampled_from(["u", "v"]),
    session_id=st.sampled_from(["s", "t"]),
    event_id=st.none() | st.integers(0, 30).map(str),
)
"""Events of named sessions. Event ids may repeat with other content, as from a broken producer."""


def brute_force(
    events: Sequence[UserBehavior],
    half_life_days: float,
    as_of: datetime,
    parameters: BehaviorParameters = PARAMETERS,
) -> Affinities:
    """Compute affinities by their definition, for events within all bounds of a shopper's row.

    In each session, products pair at the later first entry, damped by the products before the later one.
    Events without a session id are of one session if no two consecutive ones are a gap apart.
    """
    found: dict[tuple[str, Relation, str], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for one, other, relation, at, pair_weight in brute_force_pairs(events, parameters):
        if one == other:
            continue
        age = as_of.timestamp() - at
        weight = pair_weight * 2.0 ** (-age / 86400 / half_life_days)
        for key in ((one, relation, other), (other, relation, one)):
            score, support = found[key]
            found[key] = (score + weight, support + 1)
    return dict(found)


def brute_force_pairs(
    events: Sequence[UserBehavior], parameters: BehaviorParameters = PARAMETERS
) -> list[tuple[str, str, Relation, float, float]]:
    """Return the pairs of sessions, by the definition: products, relation, time in seconds, and weight.

    Sessions of single products are pairs of a product with itself.
    """
    pairs = []
    for name, session in _sessions_by_definition(events, parameters).items():
        known = any(event.user_id is not None for event in session)
        weight = 1.0 if known else parameters.guest_weight
        entries: dict[Relation, dict[str, float]] = defaultdict(dict)
        for event in session:
            relation = RELATION_OF.get(event.action)
            if relation is not None and event.product_id is not None:
                at = event.occurred_at.timestamp()
                earliest = entries[relation].get(event.product_id, at)
                entries[relation][event.product_id] = min(at, earliest)
        for relation, products in entries.items():
            ordered = sorted(products, key=lambda product: order_key(product, products[product]))
            ordered = ordered[: int(parameters.session_pair_products)]
            for place, product in enumerate(ordered):
                time = products[product]
                pairs.append((name, product, product, relation, time, weight))
                before = sum(products[each] < time for each in ordered)
                together = sum(products[each] == time for each in ordered)
                rank = before + (together - 1) / 2
                k = rank // parameters.damping_step * parameters.damping_step
                damped = weight / (1 + (k / parameters.damping_products) ** 2)
                pairs += [(name, each, product, relation, time, damped) for each in ordered[:place]]
    returned = _returned_by_definition(events, pairs)
    return [
        (one, other, relation, at, weight)
        for name, one, other, relation, at, weight in pairs
        if relation is not Relation.BOUGHT or not {(name, one), (name, other)} & returned
    ]


_SessionName = tuple[str, str, str | int]


def _sessions_by_definition(
    events: Sequence[UserBehavior], parameters: BehaviorParameters
) -> dict[_SessionName, list[UserBehavior]]:
    """Group events by shopper, shop and session; those without a session id by gaps."""
    sessions: dict[_SessionName, list[UserBehavior]] = defaultdict(list)
    ends: dict[tuple[str, str], tuple[float, int]] = {}
    for event in sorted(events, key=lambda event: event.occurred_at):
        if event.action is Action.IDENTIFY:
            continue
        shopper, shop = shopper_id(event), event.shop_id or ""
        if event.session_id is not None:
            sessions[shopper, shop, event.session_id].append(event)
            continue
        at = event.occurred_at.timestamp()
        end, number = ends.get((shopper, shop), (at, 0))
        number += at - end > parameters.session_gap_s
        ends[shopper, shop] = at, number
        sessions[shopper, shop, number].append(event)
    return sessions


def _returned_by_definition(
    events: Sequence[UserBehavior],
    pairs: Sequence[tuple[_SessionName, str, str, Relation, float, float]],
) -> set[tuple[_SessionName, str]]:
    """Return the purchases that were returned: each return takes the latest one before it that is left."""
    bought = sorted(
        (at, str(name[2]), name, one)
        for name, one, other, relation, at, _ in pairs
        if one == other and relation is Relation.BOUGHT
    )
    returns = {
        (event.occurred_at.timestamp(), shopper_id(event), event.product_id)
        for event in events
        if event.action is Action.RETURN
    }
    returned: set[tuple[_SessionName, str]] = set()
    for at, shopper, product in sorted(returns):
        left = [
            (name, one)
            for bought_at, _, name, one in bought
            if one == product and name[0] == shopper and bought_at <= at and (name, one) not in returned
        ]
        if left:
            returned.add(left[-1])
    return returned


def without_corrections(data: bytes | None) -> bytes | None:
    """Return a shopper's row without the numbers of corrections, which depend on the size of batches."""
    if data is None:
        return None
    changed, state = ShopperRow.from_bytes(data).copy_for_update()
    for session in state.sessions:
        session.corrections = 0
    return changed.encoded().to_bytes()


def session_with(
    product: str,
    others: Sequence[str],
    *,
    day: float = 0.0,
    relation: Relation = Relation.BOUGHT,
    weight: float = 1.0,
) -> Deltas:
    """Return the deltas of `product` after one session with each of `others`."""
    builder = DeltaBuilder()
    builder.add_pairs(product, others, [day * 86400.0] * len(others), relation, weight)
    return dict(builder.build().by_product())[product]
