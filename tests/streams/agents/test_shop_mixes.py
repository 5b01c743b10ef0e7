"""The mixes of shops in the agent `enrich`: state of the lane, which commits or rolls back with the batch."""

from collections.abc import Iterator

import orjson
import pytest

from models.enrichment.shop_mix import LEAST_LISTINGS, ShopMix, ShopMixes
from schemas.codec import decode_listing, decode_product_enriched
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.agents.shop_mixes import shop_mixes_table
from streams.inference.predictor import Predictor
from streams.inference.thread import InferenceThread
from streams.lanes.processor import Processor
from streams.records import MemoryRecord, Output
from streams.state.stores import MemoryStore
from streams.state.tables import POSITIONS_KEY, Table, Tables
from streams.topics import DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.support.processing import Source, process_batch, processor_of, to
from tests.support.shipped import shipped_enricher

MIXES = shop_mixes_table("shop-mixes-changelog")
TITLES = ("Penguin twist lid", "Ceramic mug", "Stoneware teapot", "Glass bowl")


@pytest.fixture(scope="module")
def inference() -> Iterator[InferenceThread]:
    thread = InferenceThread(Predictor(shipped_enricher()))
    yield thread
    thread.close()


@pytest.fixture
def agent(inference: InferenceThread) -> Processor:
    return processor_of(enrich_agent(inference, 1, mixes=MIXES), 1)


@pytest.fixture
def tables() -> Tables:
    return Tables([Table(products_table(), MemoryStore()), Table(MIXES, MemoryStore())], 0)


def values(count: int, shop: str = "a") -> list[bytes]:
    return [
        orjson.dumps({"product_id": f"{shop}{number}", "title": TITLES[number % 4], "shop_id": shop})
        for number in range(count)
    ]


def records(listings: list[bytes], source: Source) -> list[MemoryRecord]:
    return [source.record(value) for value in listings]


def confidences(outputs: list[Output]) -> list[float]:
    events = [decode_product_enriched(output.value) for output in to(PRODUCT_ENRICHED, outputs)]
    return [event.category.confidence for event in events if event.category is not None]


def mix(tables: Tables, shop: bytes = b"a") -> ShopMix:
    return shipped_enricher().mix(tables.of(MIXES).get(shop))


async def test_batches_continue_the_mix_that_earlier_ones_committed(agent: Processor, tables: Tables) -> None:
    """The same listings give the same confidences as in one go, however they are cut into batches."""
    listings, source = values(LEAST_LISTINGS + 40), Source(PRODUCT_CREATED)
    found = []
    for start in range(0, len(listings), 90):
        found += confidences(
            await process_batch(agent, records(listings[start : start + 90], source), tables)
        )
    enricher = shipped_enricher()
    products = [decode_listing(value, None)[0] for value in listings]
    weighed = enricher.enrich(products, ShopMixes(enricher.mix(None)))
    expected = [each.category.confidence for each in weighed if each.category is not None]
    assert found == expected
    assert len(set(found)) > len(TITLES)
    assert mix(tables).listings == pytest.approx(len(listings), rel=0.05)


async def test_a_batch_that_fails_counts_nothing(agent: Processor, tables: Tables) -> None:
    source = Source(PRODUCT_CREATED)
    await process_batch(agent, records(values(3), source), tables)
    before = mix(tables).listings
    await agent.process(records(values(5), source), tables)
    assert mix(tables).listings > before
    tables.discard()
    assert mix(tables).listings == before


async def test_each_shop_has_a_row_and_listings_without_a_shop_share_one(
    agent: Processor, tables: Tables
) -> None:
    source = Source(PRODUCT_CREATED)
    listings = [*values(2, "a"), *values(3, "b"), b'{"product_id": "x", "title": "Ceramic mug"}', b"{"]
    outputs = await process_batch(agent, records(listings, source), tables)
    assert len(to(DEAD_LETTER, outputs)) == 1
    assert mix(tables, b"a").listings == pytest.approx(2, rel=0.01)
    assert mix(tables, b"b").listings == pytest.approx(3, rel=0.01)
    assert mix(tables, b"\x00shelfstream.no-shop").listings == pytest.approx(1, rel=0.01)


async def test_the_input_positions_stay_with_the_group(tables: Tables) -> None:
    """An operator who sets the group back gets listings enriched again; the table must not prevent it."""
    changes = tables.with_positions(tables.changes(), {})
    assert POSITIONS_KEY not in changes["shop-mixes"]


async def test_without_the_table_nothing_is_weighed(inference: InferenceThread, agent: Processor) -> None:
    tables = Tables([Table(products_table(), MemoryStore())], 0)
    plain = processor_of(enrich_agent(inference, 1), 1)
    listings = values(LEAST_LISTINGS + 8)
    found = confidences(await process_batch(plain, records(listings, Source(PRODUCT_CREATED)), tables))
    assert len(set(found)) == len(TITLES)
