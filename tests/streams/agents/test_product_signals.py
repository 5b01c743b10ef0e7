"""Tags by behavior: counted by `affinity`, published by `enrich`, until nothing changes."""

import numpy as np
import orjson
import pytest

from models.behavior.delta_codec import encode_deltas
from models.behavior.deltas import RELATIONS, Deltas
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_product_enriched
from schemas.events import Relation
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.enrich import enrich_agent
from streams.agents.product_signals import ProductSignals, signals_table
from streams.agents.product_view import ProductView
from streams.agents.products import products_table
from streams.lanes.agent import AgentProcessor
from streams.records import Output
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables
from streams.topics import (
    CATEGORY_FEEDBACK,
    CO_BEHAVIOR,
    DEAD_LETTER,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_SIGNALS,
)
from tests.support.plain_inference import PlainInference
from tests.support.processing import Source, caught_up, header, process_batch, processor_of, reasons, to

DAY = 86_400.0
START = 1_767_225_600.0
"""2026-01-01, in seconds."""
AFFINITIES, COUNTS = affinities_table("affinities-changelog"), signals_table("signals-changelog")


class Flow:
    """Both agents in one partition, each with its tables. What one writes for the other is handed over."""

    def __init__(self) -> None:
        self.view = ProductView()
        self.affinity_tables = Tables([Table(spec, MemoryStore()) for spec in (AFFINITIES, COUNTS)], 0)
        self.enrich_tables = Tables([Table(products_table(), MemoryStore())], 0)
        self.enrich = processor_of(enrich_agent(PlainInference(), 1, signals=True))
        self.restart()
        self.sources: dict[str, Source] = {}
        self.published: list[Output] = []

    def restart(self) -> None:
        """Begin again with the same state."""
        signals = ProductSignals(COUNTS, self.view, 1)
        agent = affinity_agent(AFFINITIES, 1, BehaviorParameters(), self.view, None, signals)
        self.affinity: AgentProcessor = processor_of(agent)

    async def write(self, topic: str, value: bytes | None, key: bytes | None = None) -> None:
        """Write an input record, and let the agents work until nothing more comes of it."""
        waiting = [(topic, key, value)]
        while waiting:
            outputs = await self._process(*waiting.pop(0))
            if not waiting:
                for _ in range(4):
                    outputs += await caught_up(self.affinity, self.affinity_tables)
            self.published += outputs
            waiting += [
                (output.topic, output.key, output.value)
                for output in outputs
                if output.topic in (PRODUCT_ENRICHED, PRODUCT_SIGNALS)
            ]

    async def _process(self, topic: str, key: bytes | None, value: bytes | None) -> list[Output]:
        record = self.sources.setdefault(topic, Source(topic)).record(value, key)
        if topic in (PRODUCT_ENRICHED, CO_BEHAVIOR):
            return await process_batch(self.affinity, [record], self.affinity_tables)
        return await process_batch(self.enrich, [record], self.enrich_tables)

    def tags(self, product: str) -> list[tuple[str, str]] | None:
        """Return name and source of the tags that were published last; None if the product is withdrawn."""
        last = [each for each in to(PRODUCT_ENRICHED, self.published) if each.key == product.encode()][-1]
        if last.value is None:
            return None
        return [(tag.name, tag.source.value) for tag in decode_product_enriched(last.value).tags]

    async def list_product(self, product: str) -> None:
        value = orjson.dumps({"product_id": product, "title": product})
        await self.write(PRODUCT_CREATED, value, product.encode())

    async def buy(self, day: int, sessions: dict[str, float]) -> None:
        """Write so many sessions with a purchase of each product."""
        await self.buy_pairs(day, {(product, product): count for product, count in sessions.items()})

    async def buy_pairs(self, day: int, sessions: dict[tuple[str, str], float]) -> None:
        """Write so many sessions with a purchase of each pair; a product and itself are all its sessions."""
        ids = sorted({each for pair in sessions for each in pair})
        products, others = np.array([[ids.index(each) for each in pair] for pair in sessions], np.uint32).T
        (value,) = encode_deltas(
            Deltas(
                ids,
                products,
                others,
                np.full(len(sessions), RELATIONS.index(Relation.BOUGHT), dtype=np.uint8),
                np.full(len(sessions), START + day * DAY),
                np.array(list(sessions.values())),
                np.ones(len(sessions), dtype=np.int32),
            )
        )
        await self.write(CO_BEHAVIOR, value)


@pytest.fixture
async def flow() -> Flow:
    """Two products, of which one is the bestseller, and the other is trending."""
    flow = Flow()
    for product in ("p", "q"):
        await flow.list_product(product)
    for day in range(100):
        await flow.buy(day, {"p": 1, "q": 900} if day < 93 else {"p": 20, "q": 900})
    return flow


async def test_products_get_their_tags_once(flow: Flow) -> None:
    """The cycle of agents ends: each write returns when nothing more comes of it."""
    assert flow.tags("p") == [("trending", "behavior")]
    assert flow.tags("q") == [("bestseller", "behavior")]
    assert len(to(PRODUCT_SIGNALS, flow.published)) == 2
    assert len(to(PRODUCT_ENRICHED, flow.published)) == 4
    assert to(DEAD_LETTER, flow.published) == []
    ids = [header(output, "ce_id") for output in flow.published]
    assert len(set(ids)) == len(ids)


async def test_a_listing_and_feedback_keep_the_tags(flow: Flow) -> None:
    await flow.list_product("p")
    assert flow.tags("p") == [("trending", "behavior")]
    value = orjson.dumps({"product_id": "p", "verdict": "correct", "category_id": 2})
    await flow.write(CATEGORY_FEEDBACK, value, b"p")
    assert flow.tags("p") == [("b", "category"), ("trending", "behavior")]
    await flow.list_product("p")
    assert flow.tags("p") == [("b", "category"), ("trending", "behavior")]


async def test_tags_end_when_their_reason_has_ended(flow: Flow) -> None:
    """Also for products that nobody visits any more, and after a restart."""
    flow.restart()
    for day in range(100, 160):
        await flow.buy(day, {"q": 900})
    assert flow.tags("p") == []
    assert flow.tags("q") == [("bestseller", "behavior")]


async def test_products_are_tagged_with_what_is_often_bought_with_them(flow: Flow) -> None:
    """Of 20 purchases of p, most are with q; of the many purchases of q, hardly any is with p."""
    await flow.buy_pairs(100, {("p", "p"): 200, ("p", "q"): 180, ("q", "q"): 900, ("q", "p"): 180})
    await flow.buy(101, {"q": 1})
    assert ("often-bought-with:q", "behavior") in (flow.tags("p") or [])
    assert flow.tags("q") == [("bestseller", "behavior")]
    for day in range(102, 110):
        await flow.buy(day, {"p": 400, "q": 900})
    assert ("often-bought-with:q", "behavior") not in (flow.tags("p") or [])


async def test_a_withdrawn_product_is_forgotten(flow: Flow) -> None:
    await flow.write(PRODUCT_CREATED, None, b"p")
    assert flow.tags("p") is None
    assert to(PRODUCT_SIGNALS, flow.published)[-1].value is None
    await flow.list_product("p")
    assert flow.tags("p") == []
    await flow.buy(101, {"q": 1})
    assert flow.tags("p") == []


async def test_tags_are_no_tastes_and_unknown_products_have_none(flow: Flow) -> None:
    labels = flow.view.describe("p")
    assert labels is not None
    assert labels.tags == ()
    before = len(to(PRODUCT_ENRICHED, flow.published))
    await flow.buy(99, {"unknown": 500})
    await flow.buy(100, {"unknown": 500})
    await flow.write(PRODUCT_SIGNALS, b'{"tags":["trending"]}', b"unknown")
    assert len(to(PRODUCT_ENRICHED, flow.published)) == before
    await flow.write(PRODUCT_SIGNALS, b"{", b"p")
    assert reasons(flow.published) == ["malformed-json"]
