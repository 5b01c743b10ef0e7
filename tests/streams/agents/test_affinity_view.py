"""The affinity view has the last published list of each product, and ignores invalid records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.codec import encode
from schemas.events import AffinityUpdated, Related, Relation
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_view import AffinityView
from streams.records import MemoryRecord
from streams.topics import AFFINITY_UPDATED

AT = datetime(2011, 8, 1, tzinfo=UTC)
Entry = tuple[str, Relation, float]


def affinity(product_id: str, *related: Entry, days: float = 0.0, **more: Any) -> bytes:
    listed = [
        Related(product_id=name, relation=relation, score=score, support=1)
        for name, relation, score in related
    ]
    return encode(
        AffinityUpdated(
            product_id=product_id, related=listed, as_of=AT + timedelta(days), half_life_days=75.0, **more
        )
    )


def view_of(
    *values: tuple[str | None, bytes | None], identity: ProductIdentity | None = None
) -> AffinityView:
    """A view after records with these keys and values."""
    view = AffinityView(10, identity)
    view.update(
        MemoryRecord(AFFINITY_UPDATED, 0, offset, key=None if key is None else key.encode(), value=value)
        for offset, (key, value) in enumerate(values)
    )
    return view


def test_the_last_list_of_a_product_counts() -> None:
    view = view_of(
        ("a", affinity("a", ("b", Relation.VIEWED, 1.0))),
        ("a", affinity("a", ("c", Relation.BOUGHT, 4.0), ("b", Relation.VIEWED, 2.0))),
    )
    assert view.top("a") == [("b", Relation.VIEWED, 2.0), ("c", Relation.BOUGHT, 4.0)]
    found = view.of("a")
    assert found is not None and found.as_of == AT.timestamp()
    assert view.top("unknown") == []
    assert len(view) == 1


def test_a_withdrawn_product_is_left_out_of_the_lists_of_others() -> None:
    """Until it is published again: a row of a neighbor may name it for long."""
    listed = ("a", affinity("a", ("b", Relation.VIEWED, 1.0), ("c", Relation.VIEWED, 0.5)))
    assert view_of(listed, ("b", affinity("b")), ("b", None)).top("a") == [("c", Relation.VIEWED, 0.5)]
    assert len(view_of(listed, ("b", None), ("b", affinity("b"))).top("a")) == 2


def test_similar_texts_and_relations_of_later_releases_are_left_out() -> None:
    later = affinity("a", ("b", Relation.SIMILAR, 0.9), ("c", Relation.CARTED, 1.0)).replace(
        b'"similar"', b'"gifted"'
    )
    assert b"gifted" in later
    assert view_of(("a", later)).top("a") == [("c", Relation.CARTED, 1.0)]
    assert view_of(("a", affinity("a", ("b", Relation.SIMILAR, 0.9)))).top("a") == []


def test_the_weight_of_a_product_is_that_of_its_sessions() -> None:
    """Of the session with the neighbor of the most, where an earlier release published no sessions."""
    before = affinity(
        "a", ("b", Relation.VIEWED, 2.0), ("c", Relation.VIEWED, 1.0), ("b", Relation.BOUGHT, 1.0)
    )
    now = affinity("a", ("b", Relation.VIEWED, 2.0), sessions={"viewed": 4.0, "carted": 1.0})
    assert view_of(("a", before)).weights() == [("a", 2.0 + 5.0, AT.timestamp())]
    assert view_of(("a", now)).weights() == [("a", 4.0 + 3.0, AT.timestamp())]


def test_products_of_shops_with_ids_of_their_own_are_named_by_their_keys() -> None:
    event = affinity("1", ("2", Relation.VIEWED, 1.0), shop_id="x/y")
    view = view_of(("x%2Fy/1", event), identity=ProductIdentity("own-ids"))
    assert view.top("x%2Fy/1") == [("x%2Fy/2", Relation.VIEWED, 1.0)]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"related": []}',
        b'{"as_of": "2011-08-01T00:00:00Z", "related": [{"product_id": 5}]}',
        affinity("x", ("b", Relation.VIEWED, 1e300)),
        b'{"a":' * 100_000,
    ],
)
def test_an_invalid_record_is_logged_and_ignored(bad: bytes) -> None:
    good = affinity("a", ("b", Relation.VIEWED, 1.0))
    with capture_logs() as logs:
        view = view_of(("a", good), ("x", bad), (None, good), ("b", good))
    assert [entry["offset"] for entry in logs] == [1]
    assert len(view) == 2
