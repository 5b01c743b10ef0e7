"""Shops are walls: what each value of the setting lets cross from one shop to another."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from models.behavior.delta_codec import decode_deltas
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from schemas.codec import (
    decode_affinity_updated,
    decode_product_enriched,
    encode,
)
from schemas.dead_letters import MESSAGE
from schemas.events import Decision, DecisionOutcome, Embedding, ProductEnriched
from schemas.keys import partition_for
from schemas.product_identity import SHOPS, ProductIdentity, Shops, qualified_id
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.enrich import enrich_agent
from streams.agents.erasures import shoppers_table
from streams.agents.product_view import ProductView
from streams.agents.products import products_table
from streams.agents.sessions import sessions_agent
from streams.lanes.processor import Processor
from streams.records import Output
from streams.state.tables import Tables
from streams.topics import (
    AFFINITY_UPDATED,
    CATEGORY_FEEDBACK,
    CO_BEHAVIOR,
    DEAD_LETTER,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
    USER_BEHAVIOR,
)
from tests.support.plain_inference import PlainInference
from tests.support.processing import Source, header, process_batch, processor_of, reasons, tables_of, to

SHOPPERS, ROWS = shoppers_table("shoppers-changelog"), affinities_table("affinities-changelog")


def enriching(shops: Shops, partitions: int = 1) -> tuple[Processor, Tables]:
    agent = enrich_agent(PlainInference(), partitions, identity=ProductIdentity(shops))
    return processor_of(agent, partitions), tables_of(products_table())


def listing(shop: str | None, product_id: str = "1", **fields: Any) -> bytes:
    return orjson.dumps({"product_id": product_id, "title": f"of {shop}", "shop_id": shop, **fields})


async def run(agent: Processor, tables: Tables, *records: tuple[bytes | None, bytes | None]) -> list[Output]:
    """Process records of product-created, given as values and keys."""
    source = Source(PRODUCT_CREATED)
    return await process_batch(agent, [source.record(value, key) for value, key in records], tables)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a", None), (None, "b")])
async def test_a_listing_never_overwrites_another_shop_s_product(one: str | None, other: str | None) -> None:
    """The dead letter names the setting. The shop's own listing and its withdrawal go on."""
    agent, tables = enriching("separate")
    outputs = await run(agent, tables, (listing(one), b"1"), (listing(other), b"1"), (listing(one), b"1"))
    assert [output.topic for output in outputs] == [PRODUCT_ENRICHED, DEAD_LETTER, PRODUCT_ENRICHED]
    assert reasons(outputs) == ["other-shop"]
    assert "SHELFSTREAM_SHOPS" in header(outputs[1], MESSAGE)
    (gone,) = await run(agent, tables, (None, b"1"))
    assert (gone.key, gone.value) == (b"1", None)
    (free,) = await run(agent, tables, (listing(other), b"1"))
    assert decode_product_enriched(free.value, free.key).shop_id == other


async def test_another_shop_cannot_withdraw_a_product() -> None:
    agent, tables = enriching("separate")
    await run(agent, tables, (listing("a"), b"1"))
    outputs = await run(agent, tables, (listing("b", change="withdrawn"), b"1"))
    assert reasons(outputs) == ["other-shop"]
    (gone,) = await run(agent, tables, (b'{"product_id": "1", "change": "withdrawn"}', b"1"))
    assert (gone.topic, gone.value) == (PRODUCT_ENRICHED, None)


async def test_a_row_of_an_earlier_release_takes_the_shop_of_the_next_listing() -> None:
    agent, tables = enriching("separate")
    (output,) = await run(agent, tables, (listing("a"), b"1"))
    fields = orjson.loads(output.value or b"")
    del fields["shop_id"]
    table = tables.of(products_table())
    table.put(b"1", table.spec.decode(orjson.dumps(fields)))
    outputs = await run(agent, tables, (listing("b"), b"1"), (listing("a"), b"1"))
    assert [output.topic for output in outputs] == [PRODUCT_ENRICHED, DEAD_LETTER]


async def test_joined_shops_overwrite_each_other() -> None:
    agent, tables = enriching("joined")
    outputs = await run(agent, tables, (listing("a"), b"1"), (listing("b"), b"1"))
    assert [decode_product_enriched(output.value, output.key).shop_id for output in outputs] == ["a", "b"]


@pytest.mark.parametrize("key", [None, b"1", b"a%2Fb/1"])
async def test_with_ids_of_their_own_shops_have_products_of_their_own(key: bytes | None) -> None:
    """The key may be the product's id, the qualified one, or missing."""
    agent, tables = enriching("own-ids")
    outputs = await run(agent, tables, (listing("a/b"), key), (listing("b"), b"1"), (listing(None), b"1"))
    assert [output.key for output in outputs] == [b"a%2Fb/1", b"b/1", b"/1"]
    events = [decode_product_enriched(output.value, output.key) for output in outputs]
    assert [(event.shop_id, event.product_id) for event in events] == [("a/b", "1"), ("b", "1"), (None, "1")]
    (gone,) = await run(agent, tables, (None, b"a%2Fb/1"))
    assert (gone.key, gone.value) == (b"a%2Fb/1", None)
    (gone,) = await run(agent, tables, (listing("b", change="withdrawn"), b"1"))
    assert (gone.key, gone.value) == (b"b/1", None)
    assert await run(agent, tables, (None, b"b/1")) == []


async def test_with_ids_of_their_own_a_tombstone_names_the_shop() -> None:
    agent, tables = enriching("own-ids")
    assert reasons(await run(agent, tables, (None, b"1"), (listing("a"), b"b/1"))) == [
        "invalid-key",
        "key-mismatch",
    ]


async def test_with_ids_of_their_own_records_move_to_the_partition_of_the_qualified_id() -> None:
    agent, tables = enriching("own-ids", partitions=4)
    values = [listing("a", f"p{number}") for number in range(20)]
    source = Source(PRODUCT_CREATED)
    outputs = await process_batch(agent, [source.record(value) for value in values], tables)
    moved = to(PRODUCT_REPARTITION, outputs)
    assert moved
    assert all(output.partition == partition_for(output.key or b"", 4) != 0 for output in moved)
    target = moved[0].partition
    there = Source(PRODUCT_REPARTITION, target)
    outputs = await process_batch(
        agent,
        [there.moved(output) for output in moved if output.partition == target],
        tables_of(products_table(), target),
    )
    keys = [output.key for output in outputs]
    assert keys == [output.key for output in moved if output.partition == target]
    assert {output.topic for output in outputs} == {PRODUCT_ENRICHED}


async def test_feedback_is_of_a_shop_s_product() -> None:
    feedback = {"product_id": "1", "verdict": "correct", "category_id": 1}
    of_b = orjson.dumps({**feedback, "shop_id": "b"})
    source = Source(CATEGORY_FEEDBACK)
    agent, tables = enriching("own-ids")
    await run(agent, tables, (listing("a"), None), (listing("b"), None))
    (output,) = await process_batch(agent, [source.record(of_b, b"1")], tables)
    event = decode_product_enriched(output.value, output.key)
    assert (output.key, event.title, event.decision.outcome) == (b"b/1", "of b", DecisionOutcome.PERSON)
    agent, tables = enriching("separate")
    await run(agent, tables, (listing("a"), b"1"))
    assert reasons(await process_batch(agent, [source.record(of_b, b"1")], tables)) == ["other-shop"]
    (output,) = await process_batch(agent, [source.record(orjson.dumps(feedback), b"1")], tables)
    assert decode_product_enriched(output.value, output.key).shop_id == "a"


def behaving(shops: Shops) -> Processor:
    return processor_of(
        sessions_agent(
            SHOPPERS,
            1,
            BehaviorParameters(),
            shipped_next_behavior(),
            lambda _: None,
            identity=ProductIdentity(shops),
        )
    )


async def pairs(agent: Processor, bought: Sequence[tuple[str | None, str]]) -> set[frozenset[str]]:
    """The pairs of one session with purchases of (shop, product)."""
    source = Source(USER_BEHAVIOR)
    batch = [
        source.record(
            orjson.dumps(
                {
                    "occurred_at": "2026-01-01T00:00:00Z",
                    "product_id": product,
                    "action": "purchase",
                    "session_id": "s",
                    "shop_id": shop,
                }
            )
        )
        for shop, product in bought
    ]
    outputs = await process_batch(agent, batch, tables_of(SHOPPERS))
    found = set()
    for output in to(CO_BEHAVIOR, outputs):
        deltas = decode_deltas(output.value or b"")
        for one, other in zip(deltas.product, deltas.neighbor, strict=True):
            if one != other:
                found.add(frozenset((deltas.ids[one], deltas.ids[other])))
    return found


@pytest.mark.parametrize("shops", SHOPS)
async def test_pairs_of_a_session_stay_within_a_shop(shops: Shops) -> None:
    bought = [("a", "1"), ("b", "2"), (None, "3"), ("a", "4"), ("b", "5"), (None, "6")]
    found = await pairs(behaving(shops), bought)
    if shops == "joined":
        assert len(found) == 15
    elif shops == "own-ids":
        assert found == {frozenset(each) for each in (("a/1", "a/4"), ("b/2", "b/5"), ("/3", "/6"))}
    else:
        assert found == {frozenset(each) for each in (("1", "4"), ("2", "5"), ("3", "6"))}


def enriched(shop: str | None, product_id: str, *, shop_known: bool = True) -> bytes:
    """What is published of a product; all have nearly the same text."""
    data = b64encode(bytes((100, int(product_id)))).decode()
    event = encode(
        ProductEnriched(
            product_id=product_id,
            decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
            model_version="m",
            taxonomy_version="t",
            embedding=Embedding(dimensions=2, int8=data, model_version="m"),
            shop_id=shop,
        )
    )
    if shop_known:
        return event
    fields = orjson.loads(event)
    del fields["shop_id"]
    return orjson.dumps(fields)


@pytest.mark.parametrize("shops", SHOPS)
async def test_similar_texts_stay_within_a_shop(shops: Shops) -> None:
    identity, source = ProductIdentity(shops), Source(PRODUCT_ENRICHED)
    agent = processor_of(affinity_agent(ROWS, 1, BehaviorParameters(), ProductView(identity), identity))
    listed = [("a", "1"), ("b", "2"), (None, "3"), ("a", "4"), ("b", "5")]
    batch = [source.record(enriched(*each), identity.key(*each).encode()) for each in listed]
    outputs = to(AFFINITY_UPDATED, await process_batch(agent, batch, tables_of(ROWS)))
    events = {output.key: decode_affinity_updated(output.value, output.key) for output in outputs}
    found = {key: {related.product_id for related in event.related} for key, event in events.items()}
    if shops == "joined":
        assert all(len(related) == 4 for related in found.values())
        return
    own = shops == "own-ids"
    expected = {
        ("a", "1"): {"4"},
        ("a", "4"): {"1"},
        ("b", "2"): {"5"},
        ("b", "5"): {"2"},
        (None, "3"): set(),
    }
    assert found == {
        (qualified_id(*each) if own else each[1]).encode(): ids for each, ids in expected.items()
    }
    assert [event.shop_id for event in events.values()] == (["a", "b", None, "a", "b"] if own else [None] * 5)


async def test_products_whose_shop_is_not_known_yet_stay_similar() -> None:
    """An earlier release published no shop: until they are listed again, they may be of any."""
    view, source = ProductView(), Source(PRODUCT_ENRICHED)
    view.update(
        [
            source.record(enriched("a", "1"), b"1"),
            source.record(enriched("a", "2", shop_known=False), b"2"),
        ]
    )
    assert {name: [each for each, _ in found] for name, found in view.similar(["1", "2"], 5).items()} == {
        "1": ["2"],
        "2": ["1"],
    }
    view.update([source.record(enriched("b", "3"), b"3")])
    assert {name: [each for each, _ in found] for name, found in view.similar(["1", "3"], 5).items()} == {
        "1": ["2"],
        "3": ["2"],
    }


async def test_behavior_without_a_shop_relates_no_products_that_are_known_to_be_of_two() -> None:
    """The front end may not know the shop. The listings do."""
    identity, source = ProductIdentity(), Source(PRODUCT_ENRICHED)
    agent = processor_of(affinity_agent(ROWS, 1, BehaviorParameters(), ProductView(identity), identity))
    tables = tables_of(ROWS)
    batch = [source.record(enriched(shop, name), name.encode()) for shop, name in (("a", "1"), ("b", "2"))]
    await process_batch(agent, batch, tables)
    sent = Source(USER_BEHAVIOR)
    events = [
        sent.record(
            orjson.dumps(
                {
                    "occurred_at": "2026-01-01T00:00:00Z",
                    "product_id": product,
                    "action": "purchase",
                    "session_id": "s",
                }
            )
        )
        for product in ("1", "2", "unlisted")
    ]
    deltas = await process_batch(behaving("separate"), events, tables_of(SHOPPERS))
    moved = Source(CO_BEHAVIOR)
    outputs = await process_batch(agent, [moved.moved(each) for each in to(CO_BEHAVIOR, deltas)], tables)
    found = {
        output.key: {each.product_id for each in decode_affinity_updated(output.value).related}
        for output in to(AFFINITY_UPDATED, outputs)
    }
    assert found == {b"1": {"unlisted"}, b"2": {"unlisted"}, b"unlisted": {"1", "2"}}
