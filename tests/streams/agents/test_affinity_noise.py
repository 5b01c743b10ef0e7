"""The agent `affinity` with noise: a product is published once in a period, and a retry repeats the bytes."""

from models.behavior.delta_codec import encode_deltas
from models.behavior.deltas import DeltaBuilder
from models.behavior.noised_counts import Contribution, NoisedCounts, PrivacyBudget
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_affinity_updated
from schemas.events import AffinityUpdated, Relation
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.product_view import ProductView
from streams.lanes.agent import AgentProcessor
from streams.records import Output
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR
from tests.support.processing import Source, process_batch, processor_of, tables_of, to

ROWS = affinities_table("affinities-changelog")
DAY = 86_400.0
PERIOD = 28 * DAY
START = 736 * PERIOD
"""The start of a period, in 2026, in seconds since 1970."""


def agent() -> AgentProcessor:
    counts = NoisedCounts(
        PrivacyBudget(3.0), Contribution.of_sessions(2, BehaviorParameters()), b"s" * 32, PERIOD
    )
    noise = NoisedUpdates(counts, top_k=2)
    return processor_of(affinity_agent(ROWS, 1, BehaviorParameters(), ProductView(), noise=noise))


def sessions(neighbor: str, count: int, day: float) -> bytes:
    """So many sessions with the product p and another one."""
    builder = DeltaBuilder()
    builder.add_pairs("p", [neighbor] * count, [START + day * DAY] * count, Relation.BOUGHT)
    (record,) = encode_deltas(builder.build())
    return record


def published(outputs: list[Output]) -> list[AffinityUpdated]:
    updates = [decode_affinity_updated(each.value, each.key) for each in to(AFFINITY_UPDATED, outputs)]
    return [update for update in updates if update.product_id == "p"]


async def test_a_product_is_published_once_in_a_period_and_a_retry_repeats_it() -> None:
    source = Source(CO_BEHAVIOR)
    first = [source.record(sessions("a", 400, 1)), source.record(sessions("rare", 1, 1))]
    later = [source.record(sessions("a", 100, 2))]
    next_period = [source.record(sessions("a", 100, 29))]
    runs = []
    for _ in range(2):
        processor, tables = agent(), tables_of(ROWS)
        runs.append([await process_batch(processor, each, tables) for each in (first, later, next_period)])
    once, again, then = runs[0]
    [update] = published(once)
    assert [entry.product_id for entry in update.related] == ["a"], "rare is one session's"
    assert update.as_of.timestamp() == START + PERIOD
    assert update.related[0].score != 400.0
    assert published(again) == []
    assert published(then)[0].as_of.timestamp() == START + 2 * PERIOD
    assert [[(each.key, each.value) for each in part] for part in runs[0]] == [
        [(each.key, each.value) for each in part] for part in runs[1]
    ]
