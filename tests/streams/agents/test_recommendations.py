"""Published events recommend products from the row, from rows of similar texts, and by popularity."""

from datetime import UTC, datetime

import pytest

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_affinity_updated, encode
from schemas.events import AffinityUpdated, Related, Relation
from schemas.product_identity import ProductIdentity
from streams.agents.affinity import affinity_agent
from streams.agents.affinity_view import AffinityView
from streams.agents.product_view import ProductView
from streams.agents.recommendations import REUSED_S, Recommendations
from streams.lanes.processor import Processor
from streams.records import MemoryRecord, Output
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, PRODUCT_ENRICHED
from tests.streams.agents.test_affinity import PARTITIONS, ROWS, START, deltas, product
from tests.support.processing import Source, process_batch, processor_of, tables_of, to

AT = datetime.fromtimestamp(START, UTC)


def listed(product_id: str, *related: str, sessions: float = 0.0, shop_id: str | None = None) -> MemoryRecord:
    event = AffinityUpdated(
        product_id=product_id,
        related=[
            Related(product_id=name, relation=Relation.BOUGHT, score=9.0, support=9) for name in related
        ],
        as_of=AT,
        half_life_days=60.0,
        sessions={"bought": sessions} if sessions else {},
        shop_id=shop_id,
    )
    key = ProductIdentity("own-ids" if shop_id else "separate").key(shop_id, product_id)
    return MemoryRecord(AFFINITY_UPDATED, 0, 0, key=key.encode(), value=encode(event))


def agent_with(view: AffinityView | None) -> Processor:
    agent = affinity_agent(ROWS, PARTITIONS, BehaviorParameters(), ProductView(), affinity_view=view)
    return processor_of(agent, PARTITIONS)


def published(outputs: list[Output], product_id: str) -> AffinityUpdated:
    (last,) = [each for each in to(AFFINITY_UPDATED, outputs) if each.key == product_id.encode()]
    return decode_affinity_updated(last.value, last.key)


async def test_a_new_product_borrows_from_the_row_of_a_similar_text() -> None:
    view = AffinityView(10)
    view.update([listed("old", "kettle"), listed("best", "old", sessions=1000.0)])
    agent, tables, source = agent_with(view), tables_of(ROWS), Source(PRODUCT_ENRICHED)
    first = [
        source.record(product("old", [9, 1]), b"old"),
        source.record(product("far", [-9, 0]), b"far"),
    ]
    await process_batch(agent, first, tables)
    outputs = await process_batch(agent, [source.record(product("new", [9, 2]), b"new")], tables)
    event = published(outputs, "new")
    assert [entry.product_id for entry in event.recommended] == ["best", "kettle"]
    assert {entry.relation for entry in event.related} == {Relation.SIMILAR}


async def test_own_neighbors_come_before_popular_ones() -> None:
    view = AffinityView(10)
    view.update([listed("best", sessions=50.0)])
    outputs = await process_batch(
        agent_with(view), [Source(CO_BEHAVIOR).record(deltas(("a", "b")))], tables_of(ROWS)
    )
    event = published(outputs, "a")
    assert [entry.product_id for entry in event.recommended] == ["b", "best"]
    assert event.recommended[0].score == pytest.approx(1.0)


async def test_without_a_view_nothing_is_recommended() -> None:
    outputs = await process_batch(
        agent_with(None), [Source(CO_BEHAVIOR).record(deltas(("a", "b")))], tables_of(ROWS)
    )
    assert published(outputs, "a").recommended == []


def test_popular_products_are_of_the_shop_where_shops_have_ids_of_their_own() -> None:
    view = AffinityView(10, ProductIdentity("own-ids"))
    view.update([listed("1", sessions=5.0, shop_id="x"), listed("1", sessions=7.0, shop_id="y")])
    assert [name for name, _ in view.popular("x/2", START)] == ["x/1"]
    assert view.popular("z/2", START) == []
    view.update([MemoryRecord(AFFINITY_UPDATED, 0, 1, key=b"x/1", value=None)])
    assert view.popular("x/2", START) == []


def test_popular_products_are_of_the_shop_of_the_listing_where_ids_are_unique() -> None:
    shops: dict[str, str] = {}
    view = AffinityView(10, shop_of=shops.get)
    view.update([listed("mug", sessions=9.0)])
    assert [name for name, _ in view.popular("tea", START)] == ["mug"]
    shops.update(mug="north", tea="north", shoe="south")
    view.update([listed("mug", sessions=9.0), listed("shoe", sessions=5.0)])
    assert [name for name, _ in view.popular("tea", START)] == ["mug"]
    assert [name for name, _ in view.popular("shoe", START)] == ["shoe"]
    assert view.popular("of no shop", START) == []


def test_the_list_of_a_busy_product_is_computed_once_a_minute() -> None:
    """Of one with few neighbors each time, because its first ones change the list most."""
    view, parameters, now = AffinityView(10), BehaviorParameters(top_k=2), [0.0]
    recommendations = Recommendations(ProductView(), view, parameters, lambda: now[0])

    def recommended(*neighbors: str) -> list[str]:
        builder = DeltaBuilder()
        builder.add_pairs("a", list(neighbors), [START] * len(neighbors), Relation.BOUGHT)
        (touched,) = [each for product, each in builder.build().by_product() if product == "a"]
        row = AffinityRow.empty().merged(touched, parameters)
        update = affinity_updated("a", row, parameters, AT)
        event = recommendations.added(update, row, lambda _: True)
        return [entry.product_id for entry in event.recommended]

    assert recommended("b") == ["b"]
    assert recommended("b", "c") == ["b", "c"]
    assert recommended("x", "y") == ["b", "c"]
    now[0] = REUSED_S
    assert recommended("x", "y") == ["x", "y"]
