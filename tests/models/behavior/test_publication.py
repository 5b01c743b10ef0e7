"""The minimum support of what is published."""

from datetime import UTC, datetime

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.parameters import BehaviorParameters
from schemas.events import Relation
from tests.support.behavior import session_with

LISTED = datetime(2026, 1, 1, tzinfo=UTC)


def published(row: AffinityRow, min_support: int, top_k: int = 20) -> list[tuple[str, int]]:
    parameters = BehaviorParameters(top_k=top_k, min_support=min_support)
    update = affinity_updated("a", row, parameters, LISTED, [("s", 0.9)])
    return [(each.product_id, each.support) for each in update.related if each.relation != Relation.SIMILAR]


def test_what_too_few_sessions_support_is_not_published() -> None:
    parameters = BehaviorParameters()
    row = AffinityRow.empty().merged(session_with("a", ["b", "c", "d"]), parameters)
    row = row.merged(session_with("a", ["c", "d"]), parameters)
    row = row.merged(session_with("a", ["d"]), parameters)
    assert published(row, 1) == [("d", 3), ("c", 2), ("b", 1)]
    assert published(row, 2) == [("d", 3), ("c", 2)]
    assert published(row, 4) == []


def test_the_best_of_those_that_may_be_published_are() -> None:
    parameters = BehaviorParameters()
    row = AffinityRow.empty().merged(session_with("a", ["b", "c"], weight=9.0), parameters)
    row = row.merged(session_with("a", ["d"], weight=1.0), parameters)
    row = row.merged(session_with("a", ["d"], weight=1.0), parameters)
    assert published(row, 2, top_k=1) == [("d", 2)], "d is not among the first, but the first that may be"
