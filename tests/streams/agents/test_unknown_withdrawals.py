"""A tombstone whose key names no known product changes nothing, and is not silent."""

import orjson
import pytest
from structlog.testing import capture_logs

from schemas.dead_letters import MESSAGE
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.agents.totals import AgentTotals
from streams.lanes.processor import Processor
from streams.state.tables import Tables
from streams.topics import PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.support.plain_inference import PlainInference
from tests.support.processing import Source, header, process_batch, processor_of, reasons, tables_of, to


@pytest.fixture
def totals() -> AgentTotals:
    return AgentTotals()


@pytest.fixture
def agent(totals: AgentTotals) -> Processor:
    return processor_of(enrich_agent(PlainInference(), 1, totals), 1)


@pytest.fixture
def tables() -> Tables:
    return tables_of(products_table())


async def test_a_tombstone_of_an_unknown_product_is_counted(
    agent: Processor, tables: Tables, totals: AgentTotals
) -> None:
    source = Source(PRODUCT_CREATED)
    with capture_logs() as logs:
        assert (
            await process_batch(agent, [source.record(None, b"a"), source.record(None, b"b")], tables) == []
        )
    assert totals.unknown_withdrawals == 2
    (line,) = logs
    assert (line["log_level"], line["count"]) == ("warning", 2)


async def test_a_tombstone_whose_key_is_a_json_object_is_dead_lettered(
    agent: Processor, tables: Tables, totals: AgentTotals
) -> None:
    """Connectors write such keys. The dead letter says what to set."""
    (letter,) = await process_batch(agent, [Source(PRODUCT_CREATED).record(None, b'{"id": 111}')], tables)
    assert reasons([letter]) == ["json-key"]
    assert (letter.key, letter.value) == (b'{"id": 111}', None)
    assert "ExtractField$Key" in header(letter, MESSAGE)
    assert totals.unknown_withdrawals == 0


@pytest.mark.parametrize("product_id", ["a", '{"id": 111}'])
async def test_a_tombstone_withdraws_what_the_same_batch_lists(
    agent: Processor, tables: Tables, totals: AgentTotals, product_id: str
) -> None:
    """The key of a known product may look as it likes. Withdrawn again, it is unknown."""
    source, key = Source(PRODUCT_CREATED), product_id.encode()
    listed = orjson.dumps({"product_id": product_id, "title": "mug"})
    outputs = await process_batch(agent, [source.record(listed, key), source.record(None, key)], tables)
    assert [(output.key, output.value is None) for output in to(PRODUCT_ENRICHED, outputs)] == [
        (key, False),
        (key, True),
    ]
    assert totals.unknown_withdrawals == 0


async def test_an_event_withdraws_an_unknown_product(agent: Processor, tables: Tables) -> None:
    """It names the product on purpose: what is known of its behavior ends too."""
    record = Source(PRODUCT_CREATED).record(b'{"product_id": "a", "change": "withdrawn"}', b"a")
    (output,) = await process_batch(agent, [record], tables)
    assert (output.topic, output.key, output.value) == (PRODUCT_ENRICHED, b"a", None)
