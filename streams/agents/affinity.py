"""The affinity agent: co-behaviour deltas and enriched products in, related products out."""

import asyncio
from collections.abc import Sequence

from models.behavior.affinity_row import AffinityRow, affinity_updated, remove_product
from models.behavior.delta_codec import decode_deltas
from models.behavior.deltas import DeltaBuilder, Deltas
from models.behavior.parameters import BehaviorParameters
from schemas.errors import InvalidEvent
from streams.agents.co_behavior import co_behavior
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.outputs import OutputMaker
from streams.agents.product_view import ProductView
from streams.records import Output, Record
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, PRODUCT_ENRICHED


def affinities_table(changelog: str) -> TableSpec[AffinityRow]:
    """The table of products' rows, kept in the topic `changelog`."""
    return TableSpec("affinities", changelog, AffinityRow.to_bytes, AffinityRow.from_bytes)


class AffinityProcessor:
    """Keeps a row per product and publishes its best neighbours when they changed enough to matter.

    Args:
        table: the products' table.
        partitions: the number of partitions of every topic.
        parameters: half-life, bounds and the publishing threshold.
        product_view: finds products with a similar text, for those without behaviour yet.
        dead_letter_builder: makes dead letters.
    """

    name = "affinity"
    topics = (PRODUCT_ENRICHED, CO_BEHAVIOR)

    def __init__(
        self,
        table: TableSpec[AffinityRow],
        partitions: int,
        parameters: BehaviorParameters,
        product_view: ProductView,
        dead_letter_builder: DeadLetterBuilder,
    ) -> None:
        self._table = table
        self._partitions = partitions
        self._parameters = parameters
        self._product_view = product_view
        self._dead_letter = dead_letter_builder
        self._make = OutputMaker(self.name, partitions)

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`. Numbers are crunched off the event loop: it has other lanes to serve."""
        work = self._products if records[0].topic == PRODUCT_ENRICHED else self._deltas
        return await asyncio.to_thread(work, records, tables.of(self._table))

    def _deltas(self, records: Sequence[Record], table: Table[AffinityRow]) -> list[Output]:
        """Merge the batch's deltas into rows, then publish each touched product at most once."""
        outputs: list[Output] = []
        decoded: list[Deltas] = []
        for record in records:
            try:
                decoded.append(decode_deltas(record.value or b""))
            except InvalidEvent as error:
                outputs.append(self._dead_letter(record, error, "decode"))
        if not decoded:
            return outputs
        # Joined, each row is pruned once a batch, which is cheaper and loses fewer neighbours.
        for product, deltas in Deltas.concatenated(decoded).by_product():
            row = table.get(product.encode()) or AffinityRow.empty()
            outputs.extend(self._publish(product, row.merged(deltas, self._parameters), table, records[-1]))
        return outputs

    def _products(self, records: Sequence[Record], table: Table[AffinityRow]) -> list[Output]:
        """Withdraw products that are gone; give those without behaviour neighbours by their text."""
        self._product_view.learn(records)
        outputs: list[Output] = []
        forgotten = DeltaBuilder()
        last = {record.key: record for record in records if record.key is not None}
        rows = {key: table.get(key) for key in last}
        lonely = {
            key.decode()
            for key, record in last.items()
            if record.value is not None and ((row := rows[key]) is None or not row.neighbors())
        }
        # Searched for all at once: one by one would cost many times as much.
        alike = self._product_view.similar(sorted(lonely), self._parameters.top_k)
        for key, record in last.items():
            row = rows[key]
            product = key.decode()
            if record.value is None:
                if row is not None:
                    remove_product(product, row, forgotten)
                table.put(key, None)
                outputs.append(self._make.tombstone(AFFINITY_UPDATED, product, record))
            elif product in lonely:
                outputs.extend(
                    self._publish(product, row or AffinityRow.empty(), table, record, alike.get(product, ()))
                )
        if len(forgotten):
            outputs.extend(co_behavior(forgotten, self._partitions, records[-1], self.name))
        return outputs

    def _publish(
        self,
        product: str,
        row: AffinityRow,
        table: Table[AffinityRow],
        cause: Record,
        similar: Sequence[tuple[str, float]] = (),
    ) -> list[Output]:
        """Store the row; say something if there is something new to say."""
        update = affinity_updated(product, row, self._parameters, similar)
        if not row.should_publish(update, self._parameters):
            table.put(product.encode(), row)
            return []
        table.put(product.encode(), row.with_published(update))
        return [self._make.event(update, product, cause)]
