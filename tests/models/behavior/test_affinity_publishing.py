"""Affinity rows are published if the list changed enough, in the documented order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.parameters import BehaviorParameters
from schemas.events import AffinityUpdated, Relation
from tests.support.behavior import session_with

PARAMETERS = BehaviorParameters(half_life_days=10.0)
LISTED = datetime(2026, 1, 1, tzinfo=UTC)


def update_of(row: AffinityRow, similar: Sequence[tuple[str, float]] = ()) -> AffinityUpdated:
    return affinity_updated("a", row, PARAMETERS, LISTED, similar)


def test_neither_the_published_list_nor_its_decay_is_published_again() -> None:
    row = AffinityRow.empty().merged(session_with("a", ["b"]), PARAMETERS)
    assert row.should_publish(update_of(row), PARAMETERS)
    row = AffinityRow.from_bytes(row.with_published(update_of(row)).to_bytes())
    assert not row.should_publish(update_of(row), PARAMETERS)
    aged = msgspec.structs.replace(
        update_of(row),
        as_of=update_of(row).as_of + timedelta(days=10),
        related=[msgspec.structs.replace(entry, score=entry.score / 2) for entry in update_of(row).related],
    )
    assert not row.should_publish(aged, PARAMETERS)


@pytest.mark.parametrize(("weight", "published"), [(0.05, False), (0.15, True)])
def test_a_score_is_published_if_it_changed_by_more_than_the_threshold(
    weight: float, published: bool
) -> None:
    row = AffinityRow.empty().merged(session_with("a", ["b"]), PARAMETERS)
    row = row.with_published(update_of(row)).merged(session_with("a", ["b"], weight=weight), PARAMETERS)
    assert row.should_publish(update_of(row), PARAMETERS) is published


def test_another_order_or_neighbor_is_published() -> None:
    row = AffinityRow.empty().merged(session_with("a", ["b", "c"]), PARAMETERS)
    row = row.with_published(update_of(row))
    assert row.should_publish(
        update_of(row.merged(session_with("a", ["c"], weight=0.01), PARAMETERS)), PARAMETERS
    )
    assert row.should_publish(
        update_of(row.merged(session_with("a", ["d"], weight=0.01), PARAMETERS)), PARAMETERS
    )
    assert row.should_publish(update_of(row, [("s", 0.9)]), PARAMETERS)


def test_behavior_comes_before_similarity_and_scores_descend() -> None:
    row = AffinityRow.empty().merged(
        session_with("a", ["b"], relation=Relation.VIEWED, weight=0.5), PARAMETERS
    )
    row = row.merged(session_with("a", ["b", "c"]), PARAMETERS)
    related = update_of(row, [("s", 0.99), ("t", 0.5)]).related
    assert [(entry.product_id, entry.relation.value, entry.score, entry.support) for entry in related] == [
        ("b", "bought", 1.0, 1),
        ("c", "bought", 1.0, 1),
        ("b", "viewed", 0.5, 1),
        ("s", "similar", 0.99, 0),
        ("t", "similar", 0.5, 0),
    ]


def test_a_row_without_events_is_as_of_the_listing() -> None:
    update = update_of(AffinityRow.from_bytes(AffinityRow.empty().to_bytes()))
    assert (update.related, update.as_of) == ([], LISTED)


def test_a_list_as_of_1970_is_published_again_with_its_time() -> None:
    """Releases before the time of the listing counted published it so."""
    first = msgspec.structs.replace(
        update_of(AffinityRow.empty(), [("s", 0.9)]), as_of=datetime(1970, 1, 1, tzinfo=UTC)
    )
    row = AffinityRow.empty().with_published(first)
    assert row.should_publish(update_of(row, [("s", 0.9)]), PARAMETERS)
    row = row.with_published(update_of(row, [("s", 0.9)]))
    assert not row.should_publish(update_of(row, [("s", 0.9)]), PARAMETERS)
