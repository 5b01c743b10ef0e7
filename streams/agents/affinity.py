"""The agent `affinity`: co-behavior deltas and enriched products in, related products out."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from models.behavior.affinity_row import AffinityRow, affinity_updated, merge_rows, remove_product
from models.behavior.delta_codec import decode_deltas
from models.behavior.deltas import DeltaBuilder, Deltas
from models.behavior.event_time import instant
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from schemas.errors import InvalidEvent
from schemas.events import AffinityUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_events import as_published, may_relate_to
from streams.agents.affinity_view import AffinityView
from streams.agents.co_behavior import co_behavior
from streams.agents.outputs import OutputBuilder
from streams.agents.product_signals import ProductSignals
from streams.agents.product_view import ProductView
from streams.agents.recommendations import Recommendations
from streams.agents.similar_sweep import SimilarSweep
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.records import Output, Record
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, PRODUCT_ENRICHED


def affinities_table(changelog: str, parameters: BehaviorParameters | None = None) -> TableSpec[AffinityRow]:
    """Describe the table of related products. Its rows are kept in the topic `changelog`."""
    half_life_s = (parameters or BehaviorParameters()).half_life_s
    decode = partial(AffinityRow.from_bytes, half_life_s=half_life_s)
    return TableSpec("affinities", changelog, AffinityRow.to_bytes, decode)


def affinity_agent(
    affinities: TableSpec[AffinityRow],
    partitions: int,
    parameters: BehaviorParameters,
    product_view: ProductView,
    identity: ProductIdentity | None = None,
    signals: ProductSignals | None = None,
    affinity_view: AffinityView | None = None,
    noise: NoisedUpdates | None = None,
) -> BatchAgent:
    """Make the agent that keeps a row per product and publishes its neighbors when they change enough.

    Args:
        affinities: The table of related products.
        partitions: The number of partitions of every topic.
        parameters: Half-life, bounds and the publishing threshold.
        product_view: Finds products with a similar text, for products without behavior.
        identity: What makes two products the same, and whether shops count.
        signals: Counts sessions, and tells which tags products get by them; None does not.
        affinity_view: Knows the related products of all partitions, for the recommended ones. None if none
            are to be published.
        noise: Adds noise to what is published, and lets nothing be recommended; None if it is exact.
    """
    identity = identity or ProductIdentity()
    recommendations = (
        None
        if affinity_view is None or noise is not None
        else Recommendations(product_view, affinity_view, parameters)
    )
    rows = _Rows(partitions, parameters, product_view, identity, signals, recommendations, noise)
    specs: list[TableSpec[Any]] = [affinities, *([] if signals is None else [signals.spec])]

    def catch_up(tables: Tables) -> list[Output]:
        outputs = rows.search_again(tables.of(affinities), tables.partition)
        if signals is not None:
            outputs += signals.decide(tables.of(signals.spec), tables.partition)
        return outputs

    @batch_agent(PRODUCT_ENRICHED, CO_BEHAVIOR, tables=specs, catch_up=catch_up)
    async def affinity(batches: Batches) -> None:
        async for batch in batches:
            update = rows.update_products if batch.topic == PRODUCT_ENRICHED else rows.merge_deltas
            # This is CPU-bound work: it runs off the event loop, which serves the other lanes.
            await asyncio.to_thread(update, batch, batch.table(affinities))

    return affinity


class _Rows:
    """Changes rows of related products, and publishes them."""

    def __init__(
        self,
        partitions: int,
        parameters: BehaviorParameters,
        product_view: ProductView,
        identity: ProductIdentity,
        signals: ProductSignals | None,
        recommendations: Recommendations | None,
        noise: NoisedUpdates | None,
    ) -> None:
        self._identity, self._noise = identity, noise
        self._signals = signals
        self._recommendations = recommendations
        self._partitions = partitions
        self._parameters = parameters
        self._product_view = product_view
        self._build = OutputBuilder("affinity", partitions)
        self._sweep = SimilarSweep(product_view, partitions, parameters.similar_min_cosine)

    def merge_deltas(self, batch: Batch, table: Table[AffinityRow]) -> None:
        """Merge the deltas of a batch into rows, and publish each touched product once at most."""
        decoded: list[Deltas] = []
        for record in batch:
            try:
                decoded.append(decode_deltas(record.value or b""))
            except InvalidEvent as error:
                batch.dead_letter(record, error, "decode")
        if not decoded:
            return
        deltas = Deltas.concatenated(decoded)
        if self._signals is not None:
            self._signals.count(deltas, batch.table(self._signals.spec))
        cause = batch.records[-1]
        changed = deltas.changed()
        if self._recommendations is not None:
            self._recommendations.search(changed)
        rows = {name: row for name in changed if (row := table.get(name.encode())) is not None}
        merged = merge_rows(rows, deltas, self._parameters)
        # A product that was never with another one keeps its similar texts beside its own sessions.
        alone = sorted(product for product, row in merged.items() if not row.has_neighbors())
        similar = self._product_view.similar(
            alone, self._parameters.top_k, self._parameters.similar_min_cosine
        )
        for product, row in merged.items():
            batch.send_outputs(self._publish(product, row, table, cause, similar.get(product, ())))

    def update_products(self, batch: Batch, table: Table[AffinityRow]) -> None:
        """Withdraw deleted products. Give products without behavior neighbors with a similar text."""
        self._product_view.update(batch.records)
        forgotten = DeltaBuilder()
        last = {record.key: record for record in batch if record.key is not None}
        if self._recommendations is not None:
            self._recommendations.forget(key.decode() for key in last)
        rows = {key: table.get(key) for key in last}
        without_neighbors = {
            key.decode()
            for key, record in last.items()
            if record.value is not None and ((row := rows[key]) is None or not row.has_neighbors())
        }
        # One search for all products costs a fraction of one search per product.
        parameters = self._parameters
        similar = self._product_view.similar(
            sorted(without_neighbors), parameters.top_k, parameters.similar_min_cosine
        )
        for key, record in last.items():
            row = rows[key]
            product = key.decode()
            if record.value is None:
                if row is not None:
                    remove_product(product, row, forgotten)
                table.put(key, None)
                if self._signals is not None:
                    counts = batch.table(self._signals.spec)
                    batch.send_outputs(self._signals.withdraw(product, counts, record))
                batch.send_outputs([self._build.tombstone(AFFINITY_UPDATED, product, record)])
            elif product in without_neighbors:
                row = row or AffinityRow.empty()
                batch.send_outputs(self._publish(product, row, table, record, similar.get(product, ())))
        if len(forgotten):
            batch.send_outputs(co_behavior(forgotten, self._partitions, batch.records[-1], "affinity"))

    def search_again(self, table: Table[AffinityRow], partition: int) -> list[Output]:
        """Publish again the lists of some products without behavior, if the catalog gives them others now."""
        view, parameters = self._product_view, self._parameters
        rows = self._sweep.rows(table, partition)
        similar = view.similar(sorted(rows), parameters.top_k, parameters.similar_min_cosine)
        outputs = []
        for product, row in rows.items():
            listed_at = view.listed_at(product)
            if listed_at is None:
                continue
            exact = affinity_updated(product, row, parameters, instant(listed_at), similar.get(product, ()))
            update = self._to_publish(row, exact)
            if update is not None:
                table.put(product.encode(), row.with_published(update))
                published = as_published(self._with_recommended(update, row), self._identity)
                outputs.append(self._build.again(published, product, table, partition))
        return outputs

    def _publish(
        self,
        product: str,
        row: AffinityRow,
        table: Table[AffinityRow],
        cause: Record,
        similar: Sequence[tuple[str, float]] = (),
    ) -> list[Output]:
        """Stage a row. Return its event if it differs enough from the published one."""
        listed_at = self._product_view.listed_at(product)
        known_at = instant(cause.timestamp / 1000 if listed_at is None else listed_at)
        exact = affinity_updated(
            product,
            row,
            self._parameters,
            known_at,
            similar,
            may_relate_to(product, self._product_view, self._identity),
        )
        update = self._to_publish(row, exact)
        if update is None:
            table.put(product.encode(), row)
            return []
        table.put(product.encode(), row.with_published(update))
        published = as_published(self._with_recommended(update, row), self._identity)
        return [self._build.event(published, product, cause)]

    def _to_publish(self, row: AffinityRow, exact: AffinityUpdated) -> AffinityUpdated | None:
        """Return what is to be published of a row; None if that differs too little from what was."""
        update: AffinityUpdated | None = exact
        if self._noise is not None:
            update = self._noise.publication(exact, row.published_as_of, self._parameters)
        return update if update is not None and row.should_publish(update, self._parameters) else None

    def _with_recommended(self, update: AffinityUpdated, row: AffinityRow) -> AffinityUpdated:
        """Add what is recommended. It is as of the publication: it does not cause one."""
        if self._recommendations is None:
            return update
        may_relate = may_relate_to(update.product_id, self._product_view, self._identity)
        return self._recommendations.added(update, row, may_relate)
