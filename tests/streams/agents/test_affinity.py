"""The agent `affinity`: deltas and products become related products, and withdrawn products are removed."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from models.behavior.delta_codec import decode_deltas, encode_deltas
from models.behavior.deltas import REMOVAL, DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_affinity_updated, decode_product_enriched, encode
from schemas.events import Decision, DecisionOutcome, Embedding, ProductEnriched, Relation
from schemas.keys import partition_for
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.product_view import ProductView
from streams.lanes.processor import CatchingUp, Processor
from streams.records import Output
from streams.state.tables import Tables
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, DEAD_LETTER, PRODUCT_ENRICHED
from tests.support.processing import (
    NOW_MS,
    Source,
    caught_up,
    header,
    process_batch,
    processor_of,
    reasons,
    tables_of,
    to,
)

PARTITIONS = 4
ROWS = affinities_table("affinities-changelog")
DAY = 86_400.0
# 2026-01-01, in seconds.
START = 1_767_225_600.0


@pytest.fixture
def agent() -> Processor:
    return processor_of(
        affinity_agent(ROWS, PARTITIONS, BehaviorParameters(top_k=3), ProductView()), PARTITIONS
    )


@pytest.fixture
def tables() -> Tables:
    return tables_of(ROWS)


def product(product_id: str, vector: list[int] | None = None) -> bytes:
    """What is published of a product whose text points in the direction of `vector`."""
    embedding = None
    if vector is not None:
        data = b64encode(bytes(each % 256 for each in vector)).decode()
        embedding = Embedding(dimensions=len(vector), int8=data, model_version="m")
    decision = Decision(outcome=DecisionOutcome.MODEL, why="")
    event = ProductEnriched(
        product_id=product_id,
        decision=decision,
        model_version="m",
        taxonomy_version="t",
        embedding=embedding,
    )
    return encode(event)


def deltas(*pairs: tuple[str, str], relation: Relation = Relation.BOUGHT, day: float = 0.0) -> bytes:
    """Pairs of products as one co-behavior record."""
    builder = DeltaBuilder()
    for one, other in pairs:
        builder.add_pairs(one, [other], [START + day * DAY], relation)
    (record,) = encode_deltas(builder.build())
    return record


def related(outputs: list[Output]) -> dict[str, list[tuple[str, str]]]:
    """The published events: product to (neighbor, relation), best first."""
    found = {}
    for output in to(AFFINITY_UPDATED, outputs):
        event = decode_affinity_updated(output.value, output.key)
        assert output.partition == partition_for(output.key or b"", PARTITIONS)
        found[event.product_id] = [(each.product_id, each.relation.value) for each in event.related]
    return found


async def test_pairs_become_related_products(agent: Processor, tables: Tables) -> None:
    """Best first, in both products' events, and kept in their rows."""
    value = deltas(("a", "b"), ("a", "c"), ("a", "c"))
    outputs = await process_batch(agent, [Source(CO_BEHAVIOR).record(value)], tables)
    assert related(outputs) == {
        "a": [("c", "bought"), ("b", "bought")],
        "b": [("a", "bought")],
        "c": [("a", "bought")],
    }
    row = tables.of(ROWS).get(b"a")
    assert row is not None
    assert row.neighbors() == ["b", "c"]


async def test_each_product_is_published_once_a_batch(agent: Processor, tables: Tables) -> None:
    """All records that touch it count."""
    source = Source(CO_BEHAVIOR)
    batch = [source.record(deltas(("a", name))) for name in "bcb"]
    outputs = await process_batch(agent, batch, tables)
    assert related(outputs) == {
        "a": [("b", "bought"), ("c", "bought")],
        "b": [("a", "bought")],
        "c": [("a", "bought")],
    }
    assert len(outputs) == 3


async def test_a_small_change_is_not_published(agent: Processor, tables: Tables) -> None:
    """The thirtieth pair changes the score by less than a tenth. The row counts it nevertheless."""
    source = Source(CO_BEHAVIOR)
    await process_batch(agent, [source.record(deltas(*[("a", "b")] * 29))], tables)
    outputs = await process_batch(agent, [source.record(deltas(("a", "b")))], tables)
    row = tables.of(ROWS).get(b"a")
    assert outputs == []
    assert row is not None
    assert row.top_k(Relation.BOUGHT, 1)[0].support == 30


@pytest.mark.parametrize("value", [None, b"", b"{}", b"SFCB\x09", deltas(("a", "b"))[:-3]])
async def test_invalid_deltas_are_dead_lettered_and_others_count(
    agent: Processor, tables: Tables, value: bytes | None
) -> None:
    source = Source(CO_BEHAVIOR)
    batch = [source.record(deltas(("a", "b"))), source.record(value), source.record(deltas(("a", "c")))]
    outputs = await process_batch(agent, batch, tables)
    assert reasons(outputs) == ["malformed-deltas"]
    assert [output.value for output in to(DEAD_LETTER, outputs)] == [value]
    assert set(related(outputs)["a"]) == {("b", "bought"), ("c", "bought")}


async def test_a_batch_of_invalid_deltas_gives_dead_letters_only(agent: Processor, tables: Tables) -> None:
    outputs = await process_batch(agent, [Source(CO_BEHAVIOR).record(b"?")], tables)
    assert [output.topic for output in outputs] == [DEAD_LETTER]


async def test_a_product_without_behavior_gets_similar_ones(agent: Processor, tables: Tables) -> None:
    """Similar texts, nearest first, also of products in the same batch, without itself and unlike ones."""
    source = Source(PRODUCT_ENRICHED)
    batch = [
        source.record(product("unlike", [0, 100]), b"unlike"),
        source.record(product("far", [60, 80]), b"far"),
        source.record(product("near", [90, 10]), b"near"),
        source.record(product("cold", [100, 0]), b"cold"),
    ]
    outputs = await process_batch(agent, batch, tables)
    assert related(outputs)["cold"] == [("near", "similar"), ("far", "similar")]
    events = {output.key: decode_affinity_updated(output.value) for output in to(AFFINITY_UPDATED, outputs)}
    score = events[b"cold"].related[0].score
    assert score == pytest.approx(90 / (90**2 + 10**2) ** 0.5, abs=1e-6)


async def test_similar_texts_are_as_of_the_listing(agent: Processor, tables: Tables) -> None:
    """The time of the listing's event, or of the record where the event has none."""
    source, listed = Source(PRODUCT_ENRICHED), datetime(2026, 1, 2, tzinfo=UTC)
    timed = msgspec.structs.replace(decode_product_enriched(product("a", [100, 0])), listed_at=listed)
    batch = [source.record(encode(timed), b"a"), source.record(product("b", [100, 1]), b"b")]
    outputs = to(AFFINITY_UPDATED, await process_batch(agent, batch, tables))
    times = {output.key: decode_affinity_updated(output.value).as_of for output in outputs}
    assert times == {b"a": listed, b"b": datetime.fromtimestamp(NOW_MS / 1000, UTC)}


async def test_behavior_outweighs_similar_texts(agent: Processor, tables: Tables) -> None:
    """A product with behavior is no longer related by its text."""
    texts, meetings = Source(PRODUCT_ENRICHED), Source(CO_BEHAVIOR)
    listed = [texts.record(product(name, [100, number]), name.encode()) for number, name in enumerate("ab")]
    await process_batch(agent, listed, tables)
    outputs = await process_batch(agent, [meetings.record(deltas(("a", "c")))], tables)
    assert related(outputs)["a"] == [("c", "bought")]
    assert await process_batch(agent, [texts.record(product("a", [1, 100]), b"a")], tables) == []


async def test_own_sessions_are_published_beside_similar_texts(agent: Processor, tables: Tables) -> None:
    """A product that was viewed alone has no neighbor, and keeps the products with a similar text."""
    texts = Source(PRODUCT_ENRICHED)
    listed = [texts.record(product(name, [100, number]), name.encode()) for number, name in enumerate("ab")]
    await process_batch(agent, listed, tables)
    pair = decode_deltas(deltas(("a", "x")))
    alone = pair.take(pair.product == pair.ids.index("a"))
    value = encode_deltas(replace(alone, neighbor=alone.product))
    outputs = await process_batch(agent, [Source(CO_BEHAVIOR).record(value[0])], tables)
    (output,) = to(AFFINITY_UPDATED, outputs)
    event = decode_affinity_updated(output.value)
    assert event.sessions == {"bought": 1.0}
    assert related(outputs) == {"a": [("b", "similar")]}


async def test_a_product_that_is_listed_again_unchanged_is_not_published(
    agent: Processor, tables: Tables
) -> None:
    source = Source(PRODUCT_ENRICHED)
    batch = [source.record(product(name, [100, number]), name.encode()) for number, name in enumerate("ab")]
    assert set(related(await process_batch(agent, batch, tables))) == {"a", "b"}
    again = [source.record(record.value, record.key) for record in batch]
    assert await process_batch(agent, again, tables) == []


async def test_a_withdrawn_product_is_withdrawn_and_removed_from_its_neighbors(
    agent: Processor, tables: Tables
) -> None:
    """A tombstone downstream, no row, and a delta for the partition of every neighbor."""
    await process_batch(
        agent, [Source(CO_BEHAVIOR).record(deltas(("a", "b"), ("a", "c"), ("b", "c")))], tables
    )
    outputs = await process_batch(agent, [Source(PRODUCT_ENRICHED).record(None, b"a")], tables)
    assert [(output.key, output.value) for output in to(AFFINITY_UPDATED, outputs)] == [(b"a", None)]
    assert tables.of(ROWS).get(b"a") is None
    reported = set()
    for output in to(CO_BEHAVIOR, outputs):
        said = decode_deltas(output.value or b"")
        for row in range(len(said)):
            assert said.code[row] == REMOVAL
            name = said.ids[said.product[row]]
            assert output.partition == partition_for(name.encode(), PARTITIONS)
            reported.add((name, said.ids[said.neighbor[row]]))
    assert reported == {("b", "a"), ("c", "a")}
    source = Source(CO_BEHAVIOR, offset=10)
    after = await process_batch(agent, [source.moved(output) for output in to(CO_BEHAVIOR, outputs)], tables)
    assert related(after) == {"b": [("c", "bought")], "c": [("b", "bought")]}


async def test_the_withdrawal_of_an_unknown_product_is_published(agent: Processor, tables: Tables) -> None:
    """A consumer may know the product from before the state was rebuilt."""
    (output,) = await process_batch(agent, [Source(PRODUCT_ENRICHED).record(None, b"a")], tables)
    assert (output.topic, output.key, output.value) == (AFFINITY_UPDATED, b"a", None)


async def test_a_withdrawn_product_is_similar_to_nothing_any_more(agent: Processor, tables: Tables) -> None:
    source = Source(PRODUCT_ENRICHED)
    await process_batch(agent, [source.record(product("gone", [100, 0]), b"gone")], tables)
    batch = [source.record(None, b"gone"), source.record(product("cold", [100, 1]), b"cold")]
    assert related([each for each in await process_batch(agent, batch, tables) if each.value]) == {"cold": []}


async def test_the_last_record_of_a_product_in_a_batch_counts(agent: Processor, tables: Tables) -> None:
    """Listed and withdrawn is withdrawn; withdrawn and listed is listed."""
    source = Source(PRODUCT_ENRICHED)
    other = source.record(product("other", [100, 0]), b"other")
    listed = source.record(product("a", [100, 1]), b"a")
    outputs = await process_batch(agent, [other, listed, source.record(None, b"a")], tables)
    assert [(output.key, output.value) for output in outputs if output.key == b"a"] == [(b"a", None)]
    batch = [source.record(None, b"a"), source.record(listed.value, b"a")]
    assert related(await process_batch(agent, batch, tables))["a"] == [("other", "similar")]


async def test_a_foreign_product_record_does_not_hold_up_the_others(agent: Processor, tables: Tables) -> None:
    """A record that is invalid or has no key gets no similar products. The batch continues."""
    source = Source(PRODUCT_ENRICHED)
    batch = [
        source.record(b"{", b"broken"),
        source.record(b'{"a":' * 100_000, b"deep"),
        source.record(product("keyless", [1, 1])),
        source.record(product("a", [100, 0]), b"a"),
        source.record(product("b", [100, 1]), b"b"),
    ]
    outputs = await process_batch(agent, batch, tables)
    assert related(outputs) == {
        "a": [("b", "similar")],
        "b": [("a", "similar")],
        "broken": [],
        "deep": [],
    }


async def test_the_same_records_give_the_same_outputs_with_ids_of_their_own() -> None:
    """A repeated batch with the same state and view gives the same records."""
    texts, meetings = Source(PRODUCT_ENRICHED), Source(CO_BEHAVIOR)
    listed = [texts.record(product(name, [100, number]), name.encode()) for number, name in enumerate("abc")]
    batches = [
        listed,
        [meetings.record(deltas(("a", "b"), ("c", "d")))],
        [texts.record(None, b"a"), texts.record(None, b"c")],
    ]
    runs = []
    for _ in range(2):
        agent = processor_of(
            affinity_agent(ROWS, PARTITIONS, BehaviorParameters(), ProductView()), PARTITIONS
        )
        tables = tables_of(ROWS)
        runs.append([output for batch in batches for output in await process_batch(agent, batch, tables)])
    assert runs[0] == runs[1]
    ids = [header(output, "ce_id") for output in runs[0]]
    assert len(set(ids)) == len(ids) >= 9


async def test_products_listed_early_get_the_similar_ones_that_came_later() -> None:
    """Between two batches, once: then the lists are those of the whole catalog, as of their listings."""
    agent = affinity_agent(ROWS, PARTITIONS, BehaviorParameters(), ProductView())
    tables = tables_of(ROWS, partition_for(b"early", PARTITIONS))
    processor, source = processor_of(agent, PARTITIONS), Source(PRODUCT_ENRICHED, tables.partition)
    await process_batch(processor, [source.record(product("early", [100, 0]), b"early")], tables)
    later = source.record(product("late", [100, 1]), b"late", timestamp=NOW_MS + 60_000)
    await process_batch(processor, [later], tables)
    outputs = await caught_up(processor, tables)
    assert related(outputs) == {"early": [("late", "similar")]}
    event = decode_affinity_updated(outputs[0].value)
    assert event.as_of == datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert await caught_up(processor, tables) == []
    await process_batch(processor, [source.record(None, b"late")], tables)
    assert related(await caught_up(processor, tables)) == {"early": []}


async def test_catching_up_gives_the_lists_of_a_second_listing(tables: Tables) -> None:
    """What a second listing of the whole catalog would have changed is published already."""
    agent = affinity_agent(ROWS, PARTITIONS, BehaviorParameters(), ProductView())
    processor, source = processor_of(agent, PARTITIONS), Source(PRODUCT_ENRICHED)
    listed = [(f"p{number}", product(f"p{number}", [100, number % 90])) for number in range(600)]
    for name, value in listed:
        await process_batch(processor, [source.record(value, name.encode())], tables)
    parts = [await caught_up(processor, tables) for _ in range(4)]
    assert sum(map(len, parts)) > 300
    assert parts[-1] == []
    batch = [source.record(value, name.encode()) for name, value in listed]
    assert await process_batch(processor, batch, tables) == []


async def test_products_with_behavior_are_not_searched_for_again(tables: Tables) -> None:
    agent = affinity_agent(ROWS, PARTITIONS, BehaviorParameters(), ProductView())
    processor, source = processor_of(agent, PARTITIONS), Source(PRODUCT_ENRICHED)
    await process_batch(processor, [Source(CO_BEHAVIOR).record(deltas(("a", "b")))], tables)
    listed = [source.record(product(name, [100, number]), name.encode()) for number, name in enumerate("abc")]
    await process_batch(processor, listed, tables)
    assert await caught_up(processor, tables) == []


async def test_what_is_said_taken_back_and_said_again_has_three_ids() -> None:
    """Also for another agent on the same state, as after a restart."""
    tables, source, ids = tables_of(ROWS), Source(PRODUCT_ENRICHED), []
    for _ in range(2):
        processor = processor_of(affinity_agent(ROWS, 1, BehaviorParameters(), ProductView()))
        await process_batch(processor, [source.record(product("early", [100, 0]), b"early")], tables)
        for value, expected in ((product("late", [100, 1]), [("late", "similar")]), (None, [])):
            await process_batch(processor, [source.record(value, b"late")], tables)
            outputs = await caught_up(processor, tables)
            assert to(AFFINITY_UPDATED, outputs)
            assert [
                (each.product_id, each.relation) for each in decode_affinity_updated(outputs[0].value).related
            ] == expected
            ids += [header(output, "ce_id") for output in outputs]
    assert len(set(ids)) == len(ids) == 4


async def test_what_a_rolled_back_transaction_published_is_published_again() -> None:
    tables, source = tables_of(ROWS), Source(PRODUCT_ENRICHED)
    processor = processor_of(affinity_agent(ROWS, 1, BehaviorParameters(), ProductView()))
    assert isinstance(processor, CatchingUp)
    await process_batch(processor, [source.record(product("early", [100, 0]), b"early")], tables)
    await process_batch(processor, [source.record(product("late", [100, 1]), b"late")], tables)
    assert len(await processor.catch_up(tables)) == 1
    tables.discard()
    assert len(await caught_up(processor, tables)) == 1
    assert await caught_up(processor, tables) == []
