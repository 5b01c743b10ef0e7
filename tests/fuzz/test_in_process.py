"""Without Kafka, for any bytes: no agent raises, and each record has one defined outcome."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.enrichment.enricher import Enricher
from schemas.keys import partition_for
from streams.topics import CATEGORY_FEEDBACK, DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR
from tests.fuzz import events, values
from tests.fuzz.account import Account, account
from tests.fuzz.agents import PARTITIONS, Agents
from tests.fuzz.records import Fuzzed, records

SEED, RECORDS, AT_ONCE = 7, 4_000, 1_000

topics = st.sampled_from([PRODUCT_CREATED, USER_BEHAVIOR, CATEGORY_FEEDBACK])
keys = st.none() | st.sampled_from([b"", b"p", b"u", b"\xff"]) | st.binary(max_size=20)
headers = st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=60)), max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def structured(draw: st.DrawFn) -> Fuzzed:
    """A valid event with any of its fields replaced by any value, and its own key or another one."""
    topic = draw(topics)
    fields: dict[str, Any] = events.valid(topic, Random(draw(st.integers(0, 2**32))))
    fields |= draw(st.dictionaries(st.sampled_from(events.fields(topic)), trees, max_size=3))
    value = values.dumped(fields, Random(0))
    name = str(fields.get("user_id") or fields.get("session_id") or fields.get("product_id"))
    return placed(topic, draw(st.just(name.encode("utf-8", "replace")) | keys), value, draw(headers))


def placed(topic: str, key: bytes | None, value: bytes | None, its: list[tuple[str, bytes | None]]) -> Fuzzed:
    return Fuzzed(topic, 0 if key is None else partition_for(key, PARTITIONS), key, value, its)


raw = st.builds(placed, topics, keys, st.none() | st.binary(max_size=200), headers)


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher.load()


async def run(enricher: Enricher, fuzzed: list[Fuzzed], seed: int = 0) -> tuple[Account, Agents]:
    """Let new agents process the records, `AT_ONCE` at a time, and check the outcomes."""
    agents, rng, written = Agents(enricher), Random(seed), []
    try:
        for start in range(0, len(fuzzed), AT_ONCE):
            part = [agents.write(each) for each in fuzzed[start : start + AT_ONCE]]
            await agents.process(part, rng)
            written += part
    finally:
        agents.close()
    return account(written, agents.outputs, enricher, PARTITIONS), agents


@settings(max_examples=150)
@given(st.lists(raw | structured(), min_size=1, max_size=12))
async def test_any_records_have_one_outcome_each(enricher: Enricher, fuzzed: list[Fuzzed]) -> None:
    result, agents = await run(enricher, fuzzed)
    assert agents.unexpected_errors == []
    assert result.faults == []
    assert result.adds_up


async def test_the_fuzzer_s_records_have_one_outcome_each(enricher: Enricher) -> None:
    fuzzed = list(islice(records(SEED, PARTITIONS), RECORDS))
    result, agents = await run(enricher, fuzzed, SEED)
    assert agents.unexpected_errors == []
    assert result.faults == []
    assert result.adds_up
    assert sum(tally.records for tally in result.topics.values()) == RECORDS
    for topic in (PRODUCT_CREATED, USER_BEHAVIOR, CATEGORY_FEEDBACK):
        # A fuzzer whose records are all invalid, or all valid, would test little.
        assert result.topics[topic].dead > 50
        assert result.topics[topic].processed > 50


def test_a_seed_gives_one_stream() -> None:
    assert list(islice(records(SEED), 1_000)) == list(islice(records(SEED), 1_000))
    assert list(islice(records(SEED), 1_000)) != list(islice(records(SEED + 1), 1_000))


def is_in_place(fuzzed: Fuzzed) -> bool:
    """Whether it is no behavior that is moved first: rows of moved shoppers are not compared."""
    topic, partition, key, *_ = fuzzed
    return topic != USER_BEHAVIOR or (key is not None and partition == partition_for(key, PARTITIONS))


@pytest.mark.parametrize("topic", [PRODUCT_ENRICHED, DEAD_LETTER, "shoppers"])
@pytest.mark.parametrize("change", ["lost", "twice", "other"])
async def test_the_account_finds_lost_repeated_and_changed_outputs(
    enricher: Enricher, topic: str, change: str
) -> None:
    agents = Agents(enricher)
    fuzzed = [each for each in islice(records(SEED, PARTITIONS), 250) if is_in_place(each)]
    written = [agents.write(each) for each in fuzzed]
    await agents.process(written, Random(SEED))
    agents.close()
    assert account(written, agents.outputs, enricher, PARTITIONS).adds_up
    kept = agents.topics[topic]
    times, keys = Counter(each.key for each in kept), {each.key for each in written}
    # Of the rows, that of a shopper who was written once: an earlier one could be the same.
    last = next(
        each
        for each in reversed(kept)
        if topic != "shoppers" or (times[each.key] == 1 and each.value and each.key in keys)
    )
    kept.remove(last)
    if change == "twice":
        agents.topics[topic] += [last, replace(last, key=b"somebody") if topic == "shoppers" else last]
    elif change == "other":
        agents.topics[topic].append(replace(last, key=b"x", value=b"x", headers=last.headers[:-1]))
    result = account(written, agents.outputs, enricher, PARTITIONS)
    assert result.faults
    assert not result.adds_up
