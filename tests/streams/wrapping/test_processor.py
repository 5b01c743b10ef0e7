"""Wrapped records through the agents: outputs of the event, dead letters of the original bytes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.enrichment.enricher import Enricher
from schemas.dead_letters import STAGE
from schemas.erasure import erasure_header
from schemas.errors import InvalidEvent, RetryLater, StopWorker
from schemas.keys import partition_for
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.inference.predictor import Predictor
from streams.inference.thread import InferenceThread
from streams.lanes.agent import AgentProcessor
from streams.lanes.processor import Processor
from streams.records import MemoryRecord, Output
from streams.settings import Settings
from streams.topics import (
    CATEGORY_FEEDBACK,
    DEAD_LETTER,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
    USER_BEHAVIOR,
)
from streams.wrapping.processor import unwrapping
from streams.wrapping.records import original_of
from streams.wrapping.topics import TopicUnwrapper
from tests.support.processing import Source, header, process_batch, reasons, tables_of, to

PARTITIONS = 4
HOME = partition_for(b"111", PARTITIONS)
ROW = {"product_id": 111, "title": "Nike Men's Running Shoes Blue Size 10"}
KEY = orjson.dumps({"id": 111})


def change(op: str, before: Any = None, after: Any = None) -> bytes:
    return orjson.dumps({"op": op, "before": before, "after": after, "source": {"ts_ms": 1_714_566_600_000}})


@pytest.fixture(scope="module")
def inference() -> Iterator[InferenceThread]:
    """The shipped model."""
    thread = InferenceThread(Predictor(Enricher.load()))
    yield thread
    thread.close()


def enrich_processor(inference: InferenceThread, partitions: int, **settings: Any) -> Processor:
    """The agent `enrich`, adapted as a worker does it."""
    letters = DeadLetterBuilder("group", partitions)
    agent = AgentProcessor(enrich_agent(inference, partitions), partitions, letters)
    return unwrapping(Settings(**settings))(agent, letters)


async def test_a_row_is_published_and_its_deletion_withdraws_it(inference: InferenceThread) -> None:
    processor = enrich_processor(inference, 1, product_values="debezium")
    tables, source = tables_of(products_table()), Source(PRODUCT_CREATED)
    listed = await process_batch(processor, [source.record(change("c", after=ROW), KEY)], tables)
    (published,) = to(PRODUCT_ENRICHED, listed)
    assert published.key == b"111"
    assert orjson.loads(published.value or b"")["listed_at"] == "2024-05-01T12:30:00Z"
    withdrawn = await process_batch(
        processor, [source.record(change("d", before=ROW), KEY), source.record(None, KEY)], tables
    )
    assert [(each.topic, each.key, each.value) for each in withdrawn] == [(PRODUCT_ENRICHED, b"111", None)]
    assert tables.of(products_table()).get(b"111") is None


@pytest.mark.parametrize("key", [KEY, None])
async def test_a_record_moves_to_the_partition_of_its_product_as_it_is(
    inference: InferenceThread, key: bytes | None
) -> None:
    processor = enrich_processor(inference, PARTITIONS, product_values="debezium")
    value = change("c", after=ROW)
    record = Source(PRODUCT_CREATED, (HOME + 1) % PARTITIONS).record(value, key)
    (moved,) = await process_batch(processor, [record], tables_of(products_table(), record.partition))
    assert (moved.topic, moved.partition, moved.value) == (PRODUCT_REPARTITION, HOME, value)
    assert moved.key == (key or b"111")
    arrived = Source(PRODUCT_REPARTITION, HOME).moved(moved)
    outputs = await process_batch(processor, [arrived], tables_of(products_table(), HOME))
    assert [each.key for each in to(PRODUCT_ENRICHED, outputs)] == [b"111"]


@pytest.mark.parametrize("moved", [False, True])
async def test_a_dead_letter_has_the_original_bytes(inference: InferenceThread, moved: bool) -> None:
    """Also if the event is invalid and not its wrapping, and if the record was moved."""
    processor = enrich_processor(inference, PARTITIONS, product_values="debezium")
    value = change("c", after={"product_id": 111, "title": "x", "language": 5, "change": "no such change"})
    at = (HOME + 1) % PARTITIONS if moved else HOME
    source = Source(PRODUCT_CREATED, at)
    record: MemoryRecord = source.record(value, KEY)
    outputs: list[Output] = await process_batch(processor, [record], tables_of(products_table(), at))
    (letter,) = to(DEAD_LETTER, outputs)
    assert (letter.key, letter.value) == (KEY, value)
    assert reasons(outputs) == ["invalid-field"]


async def test_values_that_cannot_be_unwrapped_are_dead_lettered_beside_the_others(
    inference: InferenceThread,
) -> None:
    processor = enrich_processor(inference, 1, product_values="debezium")
    source = Source(PRODUCT_CREATED)
    plain = orjson.dumps({"product_id": "p", "title": "Tee"})
    records = [source.record(plain, b"p"), source.record(change("c", after=ROW), KEY)]
    outputs = await process_batch(processor, records, tables_of(products_table()))
    (letter,) = to(DEAD_LETTER, outputs)
    assert (letter.value, header(letter, STAGE)) == (plain, "unwrap")
    assert reasons(outputs) == ["not-wrapped"]
    assert len(to(PRODUCT_ENRICHED, outputs)) == 1
    (only,) = await process_batch(processor, [source.record(plain, b"p")], tables_of(products_table()))
    assert only.topic == DEAD_LETTER


async def test_binary_mode_fills_the_time_without_a_setting(inference: InferenceThread) -> None:
    processor = enrich_processor(inference, 1)
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"e"), ("ce_time", b"2024-05-01T12:30:00Z")]
    plain = orjson.dumps({"product_id": "p", "title": "Tee"})
    record = Source(PRODUCT_CREATED).record(plain, b"p", headers)
    (published,) = to(PRODUCT_ENRICHED, await process_batch(processor, [record], tables_of(products_table())))
    assert orjson.loads(published.value or b"")["listed_at"] == "2024-05-01T12:30:00Z"


class _Inner:
    """A processor that keeps what it gets."""

    name = "sessions"
    topics = (USER_BEHAVIOR, CATEGORY_FEEDBACK)

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def process(self, records: Any, tables: Any) -> list[Output]:
        self.records = list(records)
        return []


async def test_a_plain_batch_passes_as_the_same_object() -> None:
    inner = _Inner()
    processor = unwrapping(Settings())(inner, DeadLetterBuilder("group", 1))
    records = [Source(USER_BEHAVIOR).record(b"{}", b"u")]
    await processor.process(records, tables_of(products_table()))
    assert inner.records[0] is records[0]


async def test_requests_of_erasure_are_never_wrapped() -> None:
    inner = _Inner()
    processor = unwrapping(Settings(behavior_values="debezium"))(inner, DeadLetterBuilder("group", 1))
    record = Source(USER_BEHAVIOR).record(None, b"u", [erasure_header(datetime(2024, 5, 1, tzinfo=UTC))])
    await processor.process([record, Source(USER_BEHAVIOR).record(None, b"u")], tables_of(products_table()))
    assert inner.records == [record]


async def test_other_agents_are_not_adapted() -> None:
    inner = _Inner()
    inner.topics = (PRODUCT_ENRICHED, "co-behavior")
    assert unwrapping(Settings(product_values="debezium"))(inner, DeadLetterBuilder("group", 1)) is inner


ORDERS = """
topic = "user-behavior"
for_each = "lines"
[fields]
user_id = "document.customer"
product_id = "product"
action = "'purchase'"
occurred_at = "document.at"
quantity = "count"
"""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A mapping of an order to a purchase for each of its lines."""
    path = tmp_path / "orders.toml"
    path.write_text(ORDERS)
    return path


async def test_one_invalid_action_of_several_keeps_all_of_them_out(orders: Path) -> None:
    inner = _Inner()
    processor = unwrapping(Settings(behavior_mapping=orders))(inner, DeadLetterBuilder("group", 1))
    source = Source(USER_BEHAVIOR)
    records = [
        source.record(orjson.dumps({"customer": "7", "at": "2024-05-01T12:30:00Z", "lines": lines}), b"7")
        for lines in ([{"product": "a"}, {"product": "b"}], [{"product": "c"}, {"count": 1}])
    ]
    outputs = await processor.process(records, tables_of(products_table()))
    assert [original_of(each) for each in inner.records] == [records[0], records[0]]
    assert [each.value for each in outputs] == [records[1].value]


def test_a_mapping_that_cannot_be_used_stops_the_worker(orders: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("fields")
    for settings, sentence in (
        (Settings(product_mapping=orders), "needs one for product-created"),
        (Settings(behavior_mapping=broken), "correct SHELFSTREAM_BEHAVIOR_MAPPING"),
        (Settings(behavior_mapping=tmp_path / "none"), "No such file"),
    ):
        with pytest.raises(StopWorker, match=sentence):
            TopicUnwrapper(settings)


async def test_a_registry_that_is_down_repeats_the_batch() -> None:
    settings = Settings(product_values="confluent", schema_registry_url="http://127.0.0.1:9")
    processor = unwrapping(settings)(_Inner(), DeadLetterBuilder("group", 1))
    record = Source(CATEGORY_FEEDBACK).record(b"{}", b"p")
    await processor.process([record], tables_of(products_table()))
    framed = Source(PRODUCT_CREATED).record(b"\x00\x00\x00\x00\x01x", b"p")
    with pytest.raises(RetryLater, match=r"the schema registry http://127\.0\.0\.1:9 does not answer"):
        await processor.process([framed], tables_of(products_table()))


def test_readable_leaves_what_it_cannot_unwrap() -> None:
    unwrapper = TopicUnwrapper(Settings(product_values="debezium"))
    source = Source(PRODUCT_CREATED)
    good, bad = source.record(change("c", after=ROW), KEY), source.record(b"{}", b"p")
    first, second = unwrapper.readable([good, bad])
    assert orjson.loads(first.value or b"")["product_id"] == "111"
    assert second is bad
    with pytest.raises(InvalidEvent):
        unwrapper.unwrap(bad)
