"""Behavior events for tests: a constructor, strategies, and affinities by brute force."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import strategies as st

from models.behavior.deltas import DeltaBuilder, Deltas
from models.behavior.sessions import RELATION_OF
from schemas.events import Action, Relation, UserBehavior

START = datetime(2026, 1, 1, tzinfo=UTC)
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
    minute=st.integers(0, 300_000).map(float),
    user_id=st.sampled_from(["u", "v"]),
    session_id=st.sampled_from(["s", "t"]),
    event_id=st.none() | st.integers(0, 30).map(str),
)
"""Events of named sessions. Event ids may repeat with other content, as from a broken producer."""


def brute_force(events: Sequence[UserBehavior], half_life_days: float, as_of: datetime) -> Affinities:
    """Compute affinities by their definition: in each session, pairs of products at the later first entry."""
    entries: dict[tuple[str | None, str | None, Relation], dict[str, datetime]] = defaultdict(dict)
    for event in events:
        relation = RELATION_OF.get(event.action)
        if relation is not None and event.product_id is not None:
            session = entries[event.user_id, event.session_id, relation]
            known = session.get(event.product_id, event.occurred_at)
            session[event.product_id] = min(known, event.occurred_at)
    found: dict[tuple[str, Relation, str], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for (_, _, relation), products in entries.items():
        for one, other in combinations(products, 2):
            age = as_of - max(products[one], products[other])
            weight = 2.0 ** (-age.total_seconds() / 86400 / half_life_days)
            for key in ((one, relation, other), (other, relation, one)):
                score, support = found[key]
                found[key] = (score + weight, support + 1)
    return dict(found)


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
