"""The agent `enrich`: every listing and every feedback record has a defined result."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from models.enrichment.enricher import Enricher
from models.enrichment.event_builder import TITLE_CHARACTERS
from models.serving_config import ServingConfig
from schemas.codec import decode_enrichment_review, decode_product_enriched
from schemas.dead_letters import SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC, STAGE
from schemas.events import DecisionOutcome, Price, ProductEnriched
from schemas.events import Source as Origin
from schemas.keys import partition_for
from streams.agents.enrich import enrich_agent
from streams.agents.products import ProductRow, products_table
from streams.agents.totals import AgentTotals
from streams.inference.messages import Listing, PredictorConfig
from streams.inference.predictor import Predictor, load_predictor
from streams.inference.thread import InferenceThread
from streams.lanes.processor import Processor
from streams.provenance import REPLAY, origin_header, position_of
from streams.records import MemoryRecord, Output
from streams.state.stores import Checkpoint
from streams.state.tables import Tables
from streams.topics import (
    CATEGORY_FEEDBACK,
    DEAD_LETTER,
    ENRICHMENT_REVIEW,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
)
from tests.support.processing import Source, header, process_batch, processor_of, reasons, tables_of, to

SHOES, DOGS = 187, 5
TITLE = "Nike Men's Running Shoes Blue Size 10"
PARTITIONS = 4
HOME = partition_for(b"p", PARTITIONS)


@pytest.fixture(scope="module")
def inference() -> Iterator[InferenceThread]:
    """The shipped model."""
    thread = InferenceThread(Predictor(Enricher.load()))
    yield thread
    thread.close()


@pytest.fixture
def agent(inference: InferenceThread) -> Processor:
    """The agent where every topic has one partition, so that every record is in the partition of its key."""
    return processor_of(enrich_agent(inference, 1), 1)


@pytest.fixture
def spread(inference: InferenceThread) -> Processor:
    """The agent where every topic has four partitions."""
    return processor_of(enrich_agent(inference, PARTITIONS), PARTITIONS)


@pytest.fixture
def tables() -> Tables:
    return tables_of(products_table())


def listing(product_id: str = "p", title: str = TITLE, **more: object) -> bytes:
    return orjson.dumps({"product_id": product_id, "title": title, **more})


def feedback(category_id: int | None = None, product_id: str = "p", **more: object) -> bytes:
    verdict = "accept" if category_id is None else "correct"
    return orjson.dumps({"product_id": product_id, "verdict": verdict, "category_id": category_id, **more})


def enriched(output: Output) -> ProductEnriched:
    assert output.topic == PRODUCT_ENRICHED
    return decode_product_enriched(output.value, output.key)


async def enrich_one(agent: Processor, tables: Tables, record: MemoryRecord) -> ProductEnriched:
    """Process one record that must give exactly one product-enriched event."""
    (output,) = to(PRODUCT_ENRICHED, await process_batch(agent, [record], tables))
    return enriched(output)


async def test_a_clear_listing_is_published_with_its_source(agent: Processor, tables: Tables) -> None:
    """The category is the model's, the key is the product's id, and the event is kept as a row."""
    (output,) = await process_batch(
        agent, [Source(PRODUCT_CREATED, offset=7).record(listing(), b"p")], tables
    )
    event = enriched(output)
    assert event.category is not None
    assert event.category.id == SHOES
    assert event.decision.outcome is DecisionOutcome.MODEL
    assert event.source == Origin(topic=PRODUCT_CREATED, partition=0, offset=7)
    assert (output.key, tables.of(products_table()).get(b"p")) == (
        b"p",
        ProductRow(output.value or b"", DecisionOutcome.MODEL, event.source, shop_id=None),
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty-value"),
        (b'{"product_id": "p"', "malformed-json"),
        (b'{"product_id": "p", "title": "\xff"}', "malformed-json"),
        (b'{"product_id": "p", "title": "\\ud800"}', "malformed-json"),
        (b"[]", "invalid-field"),
        (listing(title=[]), "invalid-field"),  # type: ignore[arg-type]
        (b'{"title": "t"}', "invalid-field"),
        (b'{"product_id": "p"}', "invalid-field"),
        (listing("p\x00"), "invalid-field"),
        (listing(""), "invalid-field"),
        (listing("p" * 257), "invalid-field"),
        (listing(change="exploded"), "invalid-field"),
        (listing(schema_version=2), "unknown-version"),
        (listing("another"), "key-mismatch"),
    ],
)
async def test_an_invalid_listing_is_dead_lettered_and_the_others_are_published(
    agent: Processor, tables: Tables, value: bytes, reason: str
) -> None:
    """The dead letter has the original bytes, the reason and the position."""
    source = Source(PRODUCT_CREATED)
    batch = [source.record(listing("a"), b"a"), source.record(value, b"p"), source.record(listing("z"), b"z")]
    outputs = await process_batch(agent, batch, tables)
    (letter,) = to(DEAD_LETTER, outputs)
    assert (letter.key, letter.value, reasons(outputs)) == (b"p", value, [reason])
    place = [header(letter, name) for name in (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, STAGE)]
    assert place == [PRODUCT_CREATED, "0", "1", "decode"]
    assert [output.key for output in to(PRODUCT_ENRICHED, outputs)] == [b"a", b"z"]


@pytest.mark.parametrize("title", ["", " \t\n", "\x00\x00", "qqzx vvrk", "﷽" * 50])
async def test_an_uninformative_title_goes_to_review(agent: Processor, tables: Tables, title: str) -> None:
    """It is published as abstained, with a review request."""
    outputs = await process_batch(agent, [Source(PRODUCT_CREATED).record(listing(title=title), b"p")], tables)
    assert enriched(outputs[0]).decision.outcome is DecisionOutcome.ABSTAINED
    (question,) = to(ENRICHMENT_REVIEW, outputs)
    assert decode_enrichment_review(question.value, question.key).why
    assert reasons(outputs) == []


@pytest.mark.parametrize(
    "value",
    [
        listing(title=f"{TITLE} " * 20_000),
        listing(title=TITLE + "\x00"),
        listing(occurred_at="1970-01-01T00:00:00Z"),
        listing(occurred_at="9999-12-31T23:59:59Z"),
        listing(attributes={"\x00": "\x00", "": ""}, unknown=[{"more": None}]),
    ],
)
async def test_odd_listings_are_still_listings(agent: Processor, tables: Tables, value: bytes) -> None:
    """Huge titles, NUL bytes, any time and unknown fields are accepted."""
    event = await enrich_one(agent, tables, Source(PRODUCT_CREATED).record(value, b"p"))
    assert event.category is not None
    assert event.category.id == SHOES
    assert len(event.title) <= TITLE_CHARACTERS


@pytest.mark.parametrize("withdrawal", [None, b'{"product_id": "p", "change": "withdrawn"}'])
async def test_a_withdrawal_is_published_and_deletes_the_row(
    agent: Processor, tables: Tables, withdrawal: bytes | None
) -> None:
    """Tombstone or event: downstream gets a tombstone."""
    source = Source(PRODUCT_CREATED)
    await process_batch(agent, [source.record(listing(), b"p")], tables)
    (output,) = await process_batch(agent, [source.record(withdrawal, b"p")], tables)
    assert (output.topic, output.key, output.value) == (PRODUCT_ENRICHED, b"p", None)
    assert tables.of(products_table()).get(b"p") is None


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"p\x00"])
async def test_a_tombstone_without_a_product_is_dead_lettered(
    agent: Processor, tables: Tables, key: bytes | None
) -> None:
    outputs = await process_batch(agent, [Source(PRODUCT_CREATED).record(None, key)], tables)
    assert reasons(outputs) == ["invalid-key"]
    assert len(outputs) == 1


async def test_the_last_of_several_listings_of_a_product_counts(agent: Processor, tables: Tables) -> None:
    """All are published, each with its own id. The row is that of the last one."""
    source = Source(PRODUCT_CREATED)
    batch = [source.record(listing(title=title), b"p") for title in ("Large Wooden Dog Bed", TITLE, TITLE)]
    outputs = await process_batch(agent, batch, tables)
    assert [output.key for output in outputs] == [b"p"] * 3
    assert len({header(output, "ce_id") for output in outputs}) == 3
    row = tables.of(products_table()).get(b"p")
    assert row is not None
    assert row.event == outputs[-1].value


async def test_the_same_records_give_the_same_outputs(agent: Processor) -> None:
    """A repeated batch gives the same records and ids, also if it is read in parts."""
    source = Source(PRODUCT_CREATED)
    values = [(listing(), b"p"), (listing("q", ""), b"q"), (None, b"p"), (b"{", b"r"), (listing(), b"p")]
    batch = [source.record(value, key) for value, key in values]
    whole = await process_batch(agent, batch, tables_of(products_table()))
    tables = tables_of(products_table())
    pieces = [output for record in batch for output in await process_batch(agent, [record], tables)]
    assert sorted(map(repr, whole)) == sorted(map(repr, pieces))


# People's words


async def test_feedback_survives_new_listings(agent: Processor, tables: Tables) -> None:
    """The person's category, decision and tags stay. Changed text is published."""
    source, people = Source(PRODUCT_CREATED), Source(CATEGORY_FEEDBACK)
    await process_batch(agent, [source.record(listing(), b"p")], tables)
    published = await enrich_one(agent, tables, people.record(feedback(DOGS, by="Ann"), b"p"))
    outputs = await process_batch(agent, [source.record(listing(title=f"{TITLE} new"), b"p")], tables)
    again = enriched(outputs[0])
    assert published.category is not None
    assert (published.category.id, published.category.confidence) == (DOGS, 1.0)
    assert "dog supplies" in {tag.name for tag in published.tags}
    assert "shoes" not in {tag.name for tag in published.tags}
    assert (again.category, again.decision, again.tags) == (
        published.category,
        published.decision,
        published.tags,
    )
    assert again.title.endswith("new")
    assert to(ENRICHMENT_REVIEW, outputs) == []


async def test_feedback_answers_a_review_for_good(agent: Processor, tables: Tables) -> None:
    """After feedback no second review of an uninformative title is requested."""
    source = Source(PRODUCT_CREATED)
    await process_batch(agent, [source.record(listing(title=""), b"p")], tables)
    await process_batch(agent, [Source(CATEGORY_FEEDBACK).record(feedback(DOGS), b"p")], tables)
    outputs = await process_batch(agent, [source.record(listing(title=""), b"p")], tables)
    assert [output.topic for output in outputs] == [PRODUCT_ENRICHED]
    assert enriched(outputs[0]).decision.outcome is DecisionOutcome.PERSON


async def test_feedback_ends_with_the_listing(agent: Processor, tables: Tables) -> None:
    """After a withdrawal a product of the same id is a new product."""
    source = Source(PRODUCT_CREATED)
    await process_batch(agent, [source.record(listing(), b"p")], tables)
    await process_batch(agent, [Source(CATEGORY_FEEDBACK).record(feedback(DOGS), b"p")], tables)
    await process_batch(agent, [source.record(None, b"p")], tables)
    event = await enrich_one(agent, tables, source.record(listing(), b"p"))
    assert event.decision.outcome is DecisionOutcome.MODEL


@pytest.mark.parametrize(
    ("value", "reason", "stage"),
    [
        (None, "null-value", "decode"),
        (b"{", "malformed-json", "decode"),
        (b'{"product_id": "p", "verdict": "perhaps"}', "invalid-field", "decode"),
        (b'{"product_id": "p", "verdict": "correct"}', "missing-category", "decode"),
        (feedback(DOGS, "another"), "key-mismatch", "decode"),
        (feedback(-1), "unknown-category", "enrich"),
        (feedback(), "nothing-to-accept", "enrich"),
    ],
)
async def test_invalid_feedback_is_dead_lettered(
    agent: Processor, tables: Tables, value: bytes | None, reason: str, stage: str
) -> None:
    """The dead letter has the reason, and the row does not change."""
    outputs = await process_batch(agent, [Source(CATEGORY_FEEDBACK).record(value, b"p")], tables)
    assert reasons(outputs) == [reason]
    assert [header(output, STAGE) for output in outputs] == [stage]
    assert tables.of(products_table()).get(b"p") is None


@pytest.mark.parametrize("row", [b"not ours", b'{"outcome":"person"}'])
async def test_a_record_of_another_program_in_product_enriched_is_ignored(
    agent: Processor, tables: Tables, row: bytes
) -> None:
    """Neither feedback nor a listing becomes a dead letter because of it."""
    table = tables.of(products_table())
    table.store.apply({b"p": row}, Checkpoint((1, 1)))
    published = await enrich_one(agent, tables, Source(CATEGORY_FEEDBACK).record(feedback(DOGS), b"p"))
    assert published.decision.outcome is DecisionOutcome.PERSON
    table.restore({b"p": row}, Checkpoint((2, 2)))
    event = await enrich_one(agent, tables, Source(PRODUCT_CREATED).record(listing(), b"p"))
    assert event.decision.outcome is DecisionOutcome.MODEL


# Records that stand in another partition than their key's


@pytest.mark.parametrize("key", [None, b"p"])
async def test_a_listing_in_the_wrong_partition_is_moved_and_keeps_its_source(
    spread: Processor, tables: Tables, key: bytes | None
) -> None:
    """Without a key, or with another partitioner: the output is the same as for the right partition."""
    wrong = (HOME + 1) % PARTITIONS
    trace = ("traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")
    record = Source(PRODUCT_CREATED, wrong, offset=9).record(listing(), key, [trace])
    (moved,) = await process_batch(spread, [record], tables)
    assert (moved.topic, moved.partition, moved.key) == (PRODUCT_REPARTITION, HOME, b"p")
    assert moved.value == record.value
    arrived = Source(PRODUCT_REPARTITION, HOME, offset=40).moved(moved)
    (output,) = await process_batch(spread, [arrived], tables_of(products_table(), HOME))
    assert enriched(output).source == Origin(topic=PRODUCT_CREATED, partition=wrong, offset=9)
    assert output.partition == HOME
    assert header(output, "traceparent") == trace[1].decode()


async def test_a_listing_without_a_key_in_the_right_partition_is_not_moved(
    spread: Processor, tables: Tables
) -> None:
    (output,) = await process_batch(spread, [Source(PRODUCT_CREATED, HOME).record(listing())], tables)
    assert output.topic == PRODUCT_ENRICHED


async def test_feedback_in_the_wrong_partition_is_moved_and_stays_feedback(
    spread: Processor, tables: Tables
) -> None:
    record = Source(CATEGORY_FEEDBACK, (HOME + 1) % PARTITIONS, offset=3).record(feedback(DOGS))
    (moved,) = await process_batch(spread, [record], tables)
    event = await enrich_one(spread, tables, Source(PRODUCT_REPARTITION, HOME).moved(moved))
    assert event.decision.outcome is DecisionOutcome.PERSON
    assert event.source == Origin(topic=CATEGORY_FEEDBACK, partition=record.partition, offset=3)


async def test_an_invalid_moved_record_is_dead_lettered_as_it_was_before_the_move(
    spread: Processor, tables: Tables
) -> None:
    """A redrive sends it back to its input, without the headers of the move."""
    record = Source(PRODUCT_CREATED, (HOME + 1) % PARTITIONS, offset=5).record(b"{", b"p", [("own", b"1")])
    (moved,) = await process_batch(spread, [record], tables)
    outputs = await process_batch(spread, [Source(PRODUCT_REPARTITION, HOME).moved(moved)], tables)
    assert reasons(outputs) == ["malformed-json"]
    place = [header(outputs[0], name) for name in (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET)]
    assert place == [PRODUCT_CREATED, str(record.partition), "5"]
    assert header(outputs[0], "own") == "1"
    assert "shelfstream.moved-from" not in dict(outputs[0].headers)


@pytest.mark.parametrize("key", [b"p", None])
async def test_the_dead_letter_of_a_moved_record_with_an_origin_has_its_input_position(
    spread: Processor, tables: Tables, key: bytes | None
) -> None:
    """The record was replayed, or its producer set an origin. The dead letter names its input position."""
    source = Source(CATEGORY_FEEDBACK, (HOME + 1) % PARTITIONS, offset=5)
    record = source.record(feedback(999_999_999), key, [("shelfstream.origin", b"product-created:9:9")])
    (moved,) = await process_batch(spread, [record], tables)
    outputs = await process_batch(spread, [Source(PRODUCT_REPARTITION, HOME).moved(moved)], tables)
    assert reasons(outputs) == ["unknown-category"]
    assert outputs[0].key == key
    place = [header(outputs[0], name) for name in (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET)]
    assert place == [CATEGORY_FEEDBACK, str(record.partition), "5"]


async def test_a_record_without_key_and_product_is_dead_lettered_with_its_position(
    spread: Processor, tables: Tables
) -> None:
    outputs = await process_batch(spread, [Source(PRODUCT_CREATED, 2).record(b"{")], tables)
    assert reasons(outputs) == ["malformed-json"]


@pytest.mark.parametrize(
    "forged",
    [
        ("shelfstream.moved-from", CATEGORY_FEEDBACK.encode()),
        ("shelfstream.moved-from", b"\xff"),
        ("shelfstream.origin", b"\xff:::"),
        ("shelfstream.origin", None),
        ("empty", None),
    ],
)
async def test_headers_of_producers_do_not_affect_a_move(
    spread: Processor, tables: Tables, forged: tuple[str, bytes]
) -> None:
    """Forged provenance headers are dropped, and null header values, which Kafka allows, stay."""
    record = Source(PRODUCT_CREATED, (HOME + 1) % PARTITIONS, offset=5).record(listing(), b"p", [forged])
    (moved,) = await process_batch(spread, [record], tables)
    assert moved.size > len(record.value or b"")
    event = await enrich_one(spread, tables, Source(PRODUCT_REPARTITION, HOME).moved(moved))
    assert event.source == Origin(topic=PRODUCT_CREATED, partition=record.partition, offset=5)


async def test_a_record_of_another_program_in_the_repartition_topic_is_a_listing(
    spread: Processor, tables: Tables
) -> None:
    """Its position is its source, and invalid headers are ignored."""
    stranger = Source(PRODUCT_REPARTITION, HOME, offset=8).record(
        listing(), b"p", [("shelfstream.origin", b"nowhere"), ("shelfstream.moved-from", b"\xff")]
    )
    event = await enrich_one(spread, tables, stranger)
    assert event.source == Origin(topic=PRODUCT_REPARTITION, partition=HOME, offset=8)


async def test_predicted_listings_count_for_drift() -> None:
    watching = InferenceThread(load_predictor(PredictorConfig(serving=ServingConfig(cascade=False))))
    assert watching.drift is not None
    assert watching.drift.listings == 0
    values = [listing(product_id=str(number)) for number in range(400)]
    await watching.predict([Listing(value, None, PRODUCT_CREATED, 0, 0) for value in values])
    watching.close()
    assert watching.drift.listings > 50


# Repeated listings


def repeated(record: MemoryRecord, offset: int) -> MemoryRecord:
    """The record as a replay writes it, at another offset."""
    headers = [*record.headers, origin_header(position_of(record)), (REPLAY, b"r1")]
    return replace(record, offset=offset, headers=headers)


async def test_a_replay_never_overwrites_a_newer_listing(agent: Processor, tables: Tables) -> None:
    source = Source(PRODUCT_CREATED)
    old, new = source.record(listing(title=TITLE)), source.record(listing(title="Blue cotton shirt for men"))
    await process_batch(agent, [old, new], tables)
    assert await process_batch(agent, [repeated(old, 70)], tables) == []
    (output,) = await process_batch(agent, [repeated(new, 71)], tables)
    assert enriched(output).title == "Blue cotton shirt for men"
    assert enriched(output).listing == Origin(topic=PRODUCT_CREATED, partition=0, offset=new.offset)


async def test_a_replay_never_withdraws_what_was_listed_since(agent: Processor, tables: Tables) -> None:
    source = Source(PRODUCT_CREATED)
    withdrawal, new = source.record(listing(change="withdrawn")), source.record(listing())
    await process_batch(agent, [withdrawal, new], tables)
    assert await process_batch(agent, [repeated(withdrawal, 70)], tables) == []


async def test_feedback_keeps_the_listing_that_later_replays_are_compared_with(
    agent: Processor, tables: Tables
) -> None:
    source = Source(PRODUCT_CREATED)
    old, new = source.record(listing()), source.record(listing(title="Dog leash"))
    await process_batch(agent, [old, new], tables)
    (output,) = await process_batch(agent, [Source(CATEGORY_FEEDBACK).record(feedback(DOGS))], tables)
    assert enriched(output).listing == Origin(topic=PRODUCT_CREATED, partition=0, offset=new.offset)
    assert await process_batch(agent, [repeated(old, 70)], tables) == []


async def test_between_partitions_the_event_times_decide(agent: Processor, tables: Tables) -> None:
    """A producer of another partitioner, or one that changed it, lists a product in two partitions."""
    new = Source(PRODUCT_CREATED).record(listing(occurred_at="2026-11-02T00:00:00Z"))
    await process_batch(agent, [new], tables)
    for day, published in (("01", 0), ("03", 1)):
        other = Source("product-created-2").record(listing(occurred_at=f"2026-11-{day}T00:00:00Z"))
        assert len(await process_batch(agent, [repeated(other, 80)], tables)) == published


async def test_a_listing_that_nobody_repeated_is_published_whatever_its_offset(
    agent: Processor, tables: Tables
) -> None:
    """A topic that was created again begins at offset 0."""
    source = Source(PRODUCT_CREATED)
    first, later = source.record(listing()), source.record(listing(title="Dog leash"))
    await process_batch(agent, [later], tables)
    (output,) = await process_batch(agent, [first], tables)
    assert enriched(output).title == TITLE


def test_a_row_of_an_earlier_version_takes_its_source_for_the_listing() -> None:
    source = b'"source":{"topic":"product-created","partition":0,"offset":7}'
    row = ProductRow.from_bytes(b'{"decision":{"outcome":"model","why":""},' + source + b"}")
    assert row.is_newer_than(Origin(topic=PRODUCT_CREATED, partition=0, offset=6), None)
    assert not row.is_newer_than(Origin(topic=PRODUCT_CREATED, partition=0, offset=7), None)
    person = ProductRow.from_bytes(b'{"decision":{"outcome":"person","why":""},' + source + b"}")
    assert not person.is_newer_than(Origin(topic=PRODUCT_CREATED, partition=0, offset=6), None)


async def test_a_wrong_optional_field_is_left_out_counted_and_named_in_the_output(
    inference: InferenceThread, tables: Tables
) -> None:
    """The listing is published, and so are the fields that are right, also after a person decided."""
    totals = AgentTotals()
    agent = processor_of(enrich_agent(inference, 1, totals), 1)
    value = listing(price="19.99", url="https://shop/p", image_url="i", sale_price="5 EUR", descripton="x")
    record = Source(PRODUCT_CREATED).record(value, b"p", headers=[("ce_time", b"2024-05-01T12:30:00Z")])
    event = await enrich_one(agent, tables, record)
    assert [each.field for each in event.ignored_fields] == ["$.price"]
    assert (event.price, event.sale_price, event.url) == (
        None,
        Price(amount=5.0, currency="EUR"),
        "https://shop/p",
    )
    assert event.listed_at == datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    assert totals.ignored_fields == {(PRODUCT_CREATED, "price"): 1}
    assert totals.misspelled_fields == {(PRODUCT_CREATED, "description"): 1}
    decided = await enrich_one(agent, tables, Source(CATEGORY_FEEDBACK).record(feedback(DOGS, by=7), b"p"))
    assert (decided.url, decided.image_url, decided.sale_price) == (event.url, "i", event.sale_price)
    assert decided.ignored_fields == event.ignored_fields
    assert decided.decision.outcome is DecisionOutcome.PERSON
    assert totals.ignored_fields[CATEGORY_FEEDBACK, "by"] == 1
