"""The three agents without Kafka: real processors and bisection, tables in memory, topics as lists."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.enrichment.enricher import Enricher
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.enrich import enrich_agent
from streams.agents.erasures import shoppers_table
from streams.agents.product_view import ProductView
from streams.agents.products import products_table
from streams.agents.sessions import sessions_agent
from streams.inference.predictor import Predictor
from streams.inference.thread import InferenceThread
from streams.lanes.agent import AgentProcessor
from streams.lanes.bisection import Bisection
from streams.lanes.processor import Processor
from streams.lanes.runtime import LaneLimits
from streams.records import MemoryRecord, Output, Partition, Record
from streams.state.tables import Tables
from streams.topics import (
    CO_BEHAVIOR,
    DEAD_LETTER,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
    SHOPPER_REPARTITION,
)
from tests.fuzz.account import Outputs
from tests.fuzz.records import Fuzzed
from tests.support.processing import NOW_MS, tables_of

PARTITIONS = 4


class _Lane:
    """One agent's partition: processes a batch, returns its outputs and keeps its rows."""

    def __init__(self, processor: Processor, tables: Tables, dead_letters: DeadLetterBuilder) -> None:
        self.processor, self.tables = processor, tables
        self._bisection = Bisection(
            processor,
            LaneLimits(),
            lambda record, error: self._dead_letter(dead_letters, record, error),
        )
        self.unexpected_errors: list[tuple[Record, Exception]] = []

    def _dead_letter(self, dead_letters: DeadLetterBuilder, record: Record, error: Exception) -> Output:
        self.unexpected_errors.append((record, error))
        return dead_letters(record, error, self.processor.name)

    async def process(self, records: Sequence[Record]) -> list[Output]:
        outputs, changes = await self._bisection.process(records, self.tables)
        changelog = self.tables.changelog(changes)
        written = {Partition(each.topic, each.partition): 1 for each in [*outputs, *changelog]}
        self.tables.apply(changes, written, NOW_MS)
        return [*outputs, *changelog]


class Agents:
    """All agents on all partitions. An agent reads what another one writes for it at once.

    Attributes:
        topics: The records that were written, by topic.
        unexpected_errors: Records whose processing raised, with the errors. There should be none.
    """

    def __init__(self, enricher: Enricher) -> None:
        self.topics: defaultdict[str, list[MemoryRecord]] = defaultdict(list)
        self._offsets: defaultdict[Partition, int] = defaultdict(int)
        dead_letters = DeadLetterBuilder("group", PARTITIONS)
        parameters, product_view = BehaviorParameters(), ProductView()
        self._inference = InferenceThread(Predictor(enricher))
        products, shoppers = products_table(), shoppers_table("shoppers")
        affinities = affinities_table("affinities")
        enrich = AgentProcessor(enrich_agent(self._inference, PARTITIONS), PARTITIONS, dead_letters)
        sessions = AgentProcessor(
            sessions_agent(
                shoppers,
                PARTITIONS,
                parameters,
                shipped_next_behavior(),
                product_view.describe,
                moves=True,
            ),
            PARTITIONS,
            dead_letters,
        )
        affinity = AgentProcessor(
            affinity_agent(affinities, PARTITIONS, parameters, product_view), PARTITIONS, dead_letters
        )
        self._lanes = {
            Partition(topic, partition): lane
            for processor, spec in ((enrich, products), (sessions, shoppers), (affinity, affinities))
            for partition in range(PARTITIONS)
            for lane in [_Lane(processor, tables_of(spec, partition), dead_letters)]
            for topic in processor.topics
        }

    @property
    def unexpected_errors(self) -> list[tuple[Record, Exception]]:
        lanes = {id(lane): lane for lane in self._lanes.values()}
        return [each for lane in lanes.values() for each in lane.unexpected_errors]

    @property
    def outputs(self) -> Outputs:
        """The records that the agents wrote, for the account."""
        latest = {(each.partition, each.key): each.value for each in self.topics["shoppers"]}
        rows = {(at, key): row for (at, key), row in latest.items() if key is not None and row is not None}
        return Outputs(self.topics[PRODUCT_ENRICHED], self.topics[DEAD_LETTER], rows)

    def write(self, fuzzed: Fuzzed) -> MemoryRecord:
        """Append a record to its topic: it gets an offset and a timestamp."""
        topic, partition, key, value, headers = fuzzed
        # Null header values are legal in Kafka, though the types of records do not say so.
        return self._appended(Output(topic, partition, key, value, headers))  # type: ignore[arg-type]

    async def process(self, records: Sequence[MemoryRecord], rng: Random) -> None:
        """Let the agents process records in batches of random sizes, then what they write for each other."""
        waiting: defaultdict[Partition, list[MemoryRecord]] = defaultdict(list)
        for record in records:
            waiting[Partition(record.topic, record.partition)].append(record)
        while waiting:
            at = next(iter(waiting))
            size = rng.choice((1, 30, 400))
            batch, rest = waiting[at][:size], waiting[at][size:]
            if rest:
                waiting[at] = rest
            else:
                del waiting[at]
            for output in await self._lanes[at].process(batch):
                record = self._appended(output)
                if record.topic in (PRODUCT_REPARTITION, SHOPPER_REPARTITION, CO_BEHAVIOR, PRODUCT_ENRICHED):
                    waiting[Partition(record.topic, record.partition)].append(record)

    def close(self) -> None:
        """End the inference thread."""
        self._inference.close()

    def _appended(self, output: Output) -> MemoryRecord:
        at = Partition(output.topic, output.partition)
        record = MemoryRecord(*at, self._offsets[at], NOW_MS, output.key, output.value, output.headers)
        self._offsets[at] += 1
        self.topics[output.topic].append(record)
        return record
