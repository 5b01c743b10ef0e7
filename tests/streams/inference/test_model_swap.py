"""Models change between batches, never within one; each event and its id name the model that predicted."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enrichment.enricher import Enricher
from models.registry.deployment import on_canary
from models.serving_config import ServingConfig
from schemas.codec import decode_product_enriched
from schemas.envelope import output_id
from schemas.events import DecisionOutcome
from schemas.events import Source as Place
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.inference.predictor import Predictor
from streams.inference.serving import ServingInference, ServingModels
from streams.inference.thread import InferenceThread
from streams.records import Output
from streams.topics import CATEGORY_FEEDBACK, ENRICHMENT_REVIEW, PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.support.model_folders import recalibrated
from tests.support.processing import Source, header, process_batch, processor_of, tables_of, to

TITLES = ("Nike Men's Running Shoes Blue Size 10", "Ceramic mug", "zzzz", "Large Wooden Dog Bed", "")


class Kept(InferenceThread):
    """Stays open after it was replaced, because these tests swap the same models back and forth."""

    def close(self) -> None:
        """Stay open."""


@pytest.fixture(scope="module")
def old() -> Kept:
    return Kept(Predictor(Enricher.load(ServingConfig(cascade=False))))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = recalibrated(tmp_path_factory.mktemp("models") / "new")
    return Kept(Predictor(Enricher.load(ServingConfig(model=folder, cascade=False))))


@pytest.fixture
def inference(old: Kept) -> ServingInference:
    return ServingInference(old)


def listing(number: int) -> tuple[bytes, bytes]:
    value = b'{"product_id": "p%d", "title": "%s"}' % (number, TITLES[number % len(TITLES)].encode())
    return value, b"p%d" % number


def version(model: Kept) -> str:
    return model.model_info.model_version


def versions_of(outputs: Sequence[Output]) -> list[str]:
    """The model version of each enriched product. The id of each output must agree with it."""
    versions = []
    for output in to(PRODUCT_ENRICHED, outputs):
        event = decode_product_enriched(output.value, output.key)
        assert event.source is not None
        subject = event.product_id
        identity = output_id(
            event.source, event.model_version, event.taxonomy_version, PRODUCT_ENRICHED, subject
        )
        assert header(output, "ce_id") == identity
        versions.append(event.model_version)
    return versions


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.booleans()), max_size=12))
def test_a_swap_at_any_moment_falls_between_batches(
    old: Kept, new: Kept, batches: list[tuple[int, bool, bool]]
) -> None:
    """A swap before a batch applies to it; a swap during a batch does not."""
    models = (old, new)

    async def scenario() -> None:
        inference = ServingInference(old)
        agent = processor_of(enrich_agent(inference, 1), 1)
        tables, source = tables_of(products_table()), Source(PRODUCT_CREATED)
        for size, before, within in batches:
            await inference.replace(ServingModels(models[before]))
            records = [source.record(*listing(number)) for number in range(size)]
            work = asyncio.create_task(process_batch(agent, records, tables))
            await asyncio.sleep(0)
            swap = asyncio.create_task(inference.replace(ServingModels(models[within])))
            assert versions_of(await work) == [version(models[before])] * size
            await swap

    asyncio.run(scenario())


async def test_a_canary_s_products_say_so_whatever_comes_of_them(
    inference: ServingInference, old: Kept, new: Kept
) -> None:
    """All outputs of a product, reviews and withdrawals too, come from one model."""
    await inference.replace(ServingModels(old, new, 0.3))
    agent = processor_of(enrich_agent(inference, 1), 1)
    tables, source = tables_of(products_table()), Source(PRODUCT_CREATED)
    outputs = await process_batch(agent, [source.record(*listing(number)) for number in range(200)], tables)
    expected = [version(new) if on_canary(b"p%d" % number, 0.3) else version(old) for number in range(200)]
    assert versions_of(outputs) == expected
    by_key = dict(zip([output.key for output in to(PRODUCT_ENRICHED, outputs)], expected, strict=True))
    questions = to(ENRICHMENT_REVIEW, outputs)
    assert questions
    for question in questions:
        assert f'"model_version":"{by_key[question.key]}"'.encode() in (question.value or b"")
    gone = [source.record(None, key) for key in by_key]
    for record, output in zip(gone, await process_batch(agent, gone, tables), strict=True):
        model_version, taxonomy = by_key[output.key], old.model_info.taxonomy_version
        subject = (output.key or b"").decode()
        assert header(output, "ce_id") == output_id(
            Place(topic=record.topic, partition=record.partition, offset=record.offset),
            model_version,
            taxonomy,
            PRODUCT_ENRICHED,
            subject,
        )


async def test_a_replay_by_the_same_model_is_the_same_statement_and_by_another_is_not(
    inference: ServingInference, old: Kept, new: Kept
) -> None:
    async def identities(model: Kept) -> list[str]:
        await inference.replace(ServingModels(model))
        agent = processor_of(enrich_agent(inference, 1), 1)
        source = Source(PRODUCT_CREATED)
        records = [source.record(*listing(number)) for number in range(20)]
        return [
            header(each, "ce_id") for each in await process_batch(agent, records, tables_of(products_table()))
        ]

    first, other, again = await identities(old), await identities(new), await identities(old)
    assert first == again
    assert not set(first) & set(other)


async def test_a_person_s_word_stays_when_another_model_takes_over(
    inference: ServingInference, old: Kept, new: Kept
) -> None:
    await inference.replace(ServingModels(old))
    agent = processor_of(enrich_agent(inference, 1), 1)
    tables, source = tables_of(products_table()), Source(PRODUCT_CREATED)
    await process_batch(agent, [source.record(*listing(0))], tables)
    word = b'{"product_id": "p0", "verdict": "correct", "category_id": 5}'
    await process_batch(agent, [Source(CATEGORY_FEEDBACK).record(word, b"p0")], tables)
    await inference.replace(ServingModels(new))
    (output,) = await process_batch(agent, [source.record(*listing(0))], tables)
    event = decode_product_enriched(output.value, output.key)
    assert event.category is not None
    assert (event.category.id, event.decision.outcome) == (5, DecisionOutcome.PERSON)
    assert event.model_version == version(new)
