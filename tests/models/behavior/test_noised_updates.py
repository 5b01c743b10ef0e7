"""Events with noise: decayed to the end of the period, and without anything exact."""

from datetime import UTC, datetime

import pytest

from models.behavior.noised_counts import Contribution, NoisedCounts, PrivacyBudget
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from schemas.events import AffinityUpdated, Related, Relation

DAY = 86_400.0
CLOSE = NoisedUpdates(
    NoisedCounts(PrivacyBudget(1e9), Contribution.of_sessions(2, BehaviorParameters()), b"s" * 32, 28 * DAY),
    top_k=2,
)
"""So large an epsilon that there is hardly any noise."""
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def update(*related: Related, sessions: dict[str, float] | None = None) -> AffinityUpdated:
    return AffinityUpdated(
        product_id="p", related=list(related), as_of=AS_OF, half_life_days=28.0, sessions=sessions or {}
    )


def test_counts_decay_to_the_end_of_the_period_and_nothing_exact_is_left() -> None:
    entries = [
        Related(product_id=name, relation=Relation.BOUGHT, score=score, support=1_000)
        for name, score in (("a", 400.0), ("b", 300.0), ("c", 200.0))
    ]
    similar = Related(product_id="s", relation=Relation.SIMILAR, score=0.9, support=0)
    found = CLOSE.noised(
        update(*entries, similar, sessions={"bought": 500.0}), BehaviorParameters(half_life_days=28.0)
    )
    end = CLOSE.counts.end_of_period(AS_OF.timestamp())
    assert found.as_of.timestamp() == end
    decay = 2 ** ((AS_OF.timestamp() - end) / (28 * DAY))
    assert [each.product_id for each in found.related] == ["a", "b", "s"]
    assert found.related[0].score == pytest.approx(400 * decay, abs=0.02)
    assert found.related[0].support == pytest.approx(400 * decay, abs=1.02)
    assert (found.sessions, found.recommended) == ({}, [])


def test_a_product_is_published_once_in_a_period() -> None:
    entry = Related(product_id="a", relation=Relation.BOUGHT, score=400.0, support=1_000)
    end = CLOSE.counts.end_of_period(AS_OF.timestamp())
    assert CLOSE.publication(update(entry), end - 28 * DAY, BehaviorParameters()) is not None
    assert CLOSE.publication(update(entry), end, BehaviorParameters()) is None
    assert CLOSE.publication(update(), AS_OF.timestamp(), BehaviorParameters()) is not None


def test_an_event_without_behavior_stays_as_it_is() -> None:
    similar = Related(product_id="s", relation=Relation.SIMILAR, score=0.9, support=0)
    assert CLOSE.noised(update(similar), BehaviorParameters()) == update(similar)
