"""The agent `affinity`: co-behavior deltas and enriched products in, related products out."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any

from models.behavior.affinity_row import AffinityRow, affinity_updated, merge_rows, remove_product
from models.behavior.delta_codec import decode_deltas
from models.behavior.deltas import DeltaBuilder, Deltas
from models.behavior.event_time import instant
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from models.behavior.signals import Partner
from schemas.errors import InvalidEvent
from schemas.events import AffinityUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_events import as_published, may_relate_to
from streams.agents.affinity_view import AffinityView
from streams.agents.co_behavior import co_behavior
from streams.agents.outputs import OutputBuilder
from streams.agents.product_signals import ProductSignals
from streams.agents.product_view import ProductView
from streams.agents.publication_debounce import PublicationDebounce
from streams.agents.recommendations import Recommendations
from streams.agents.similar_sweep import SimilarSweep
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.records import Output, Record
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, PRODUCT_ENRICHED

_PARTNERS = 3
"""A product has at most as many tags that name products."""


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
    publish_interval_s: float = 0.0,
    clock: Callable[[], float] = monotonic,
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
        publish_interval_s: Seconds between two publications of a product with behavior at least.
        clock: Returns a time in seconds that never goes back.
    """
    identity = identity or ProductIdentity()
    recommendations = None
    if affinity_view is not None and noise is None:
        recommendations = Recommendations(product_view, affinity_view, parameters)
    debounce = PublicationDebounce(publish_interval_s, clock)
    rows = _Rows(partitions, parameters, product_view, identity, signals, recommendations, noise, debounce)
    specs: list[TableSpec[Any]] = [affinities, *([] if signals is None else [signals.spec])]

    def catch_up(tables: Tables) -> list[Output]:
        table = tables.of(affinities)
        outputs = rows.publish_waiting(table, tables.partition)
        outputs += rows.search_again(table, tables.partition)
        return outputs + rows.tag(tables, table)

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
        debounce: PublicationDebounce,
    ) -> None:
        self._identity, self._noise = identity, noise
        self._debounce = debounce
        self._signals = signals
        self._recommendations = recommendations
        self._partitions = partitions
        self._parameters = parameters
        self._product_view = product_view
        self._build = OutputBuilder("affinity", partitions)
        self._sweep = SimilarSweep(product_view, partitions, parameters.similar_min_cosine)

    def merge_deltas(self, batch: Batch, table: Table[AffinityRow]) -> None:
        """Merge the deltas of a batch into rows. Publish each product once at most, touched or waiting."""
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
        rows = {name: row for name in deltas.changed() if (row := table.get(name.encode())) is not None}
        merged = merge_rows(rows, deltas, self._parameters)
        changed_at: dict[str, float] = {}
        for product, row in merged.items():
            table.put(product.encode(), row)
            if self._debounce.look(table, product):
                changed_at[product] = cause.timestamp / 1000
            else:
                self._debounce.put_off(table, product, cause.timestamp / 1000)
        changed_at |= self._debounce.take(table)
        for product, event in self._events(changed_at, table):
            batch.send_outputs([self._build.event(event, product, cause)])

    def tag(self, tables: Tables, table: Table[AffinityRow]) -> list[Output]:
        """Give and take some tags by behavior."""
        if self._signals is None:
            return []
        counts = tables.of(self._signals.spec)
        return self._signals.decide(counts, tables.partition, partial(self._partners, table))

    def _partners(self, table: Table[AffinityRow], product: str) -> dict[str, Partner] | None:
        """Return the products of its shop that were most often bought with a product, by their ids there.

        None where publications have noise: tags would give away the exact numbers.
        """
        if self._noise is not None:
            return None
        row = table.get(product.encode())
        if row is None:
            return {}
        may_relate = may_relate_to(product, self._product_view, self._identity)
        return {
            self._identity.product_id(other): partner
            for other, partner in row.partners(_PARTNERS, self._parameters.min_support).items()
            if may_relate(other)
        }

    def publish_waiting(self, table: Table[AffinityRow], partition: int) -> list[Output]:
        """Publish products that changed while they were published a moment ago."""
        waiting = self._debounce.take(table)
        return [
            self._build.again(event, product, table, partition)
            for product, event in self._events(waiting, table)
        ]

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
        known: dict[str, Record] = {}
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
                table.put(key, row or AffinityRow.empty())
                known[product] = record
        known_at = {product: record.timestamp / 1000 for product, record in known.items()}
        for product, event in self._events(known_at, table):
            batch.send_outputs([self._build.event(event, product, known[product])])
        if len(forgotten):
            batch.send_outputs(co_behavior(forgotten, self._partitions, batch.records[-1], "affinity"))

    def search_again(self, table: Table[AffinityRow], partition: int) -> list[Output]:
        """Publish again the lists of some products without behavior, if the catalog gives them others now.

        What was published in the same transaction is not.
        """
        staged = table.savepoint()
        rows = self._sweep.rows(table, partition)
        listed_at = {
            product: at
            for product in rows
            if product.encode() not in staged and (at := self._product_view.listed_at(product)) is not None
        }
        return [
            self._build.again(event, product, table, partition)
            for product, event in self._events(listed_at, table, rows)
        ]

    def _events(
        self,
        known_at: Mapping[str, float],
        table: Table[AffinityRow],
        read: Mapping[str, AffinityRow] | None = None,
    ) -> Iterator[tuple[str, AffinityUpdated]]:
        """Yield the events of rows that differ enough from the published ones, and stage these rows.

        Args:
            known_at: Products with the time of a row without events and without a listing, in seconds since
                1970. Products without a row are left out.
            table: The lane's table.
            read: Rows that were read already. Others are read through the table's cache.
        """
        view, parameters = self._product_view, self._parameters
        found = {name: (read or {}).get(name) or table.get(name.encode()) for name in known_at}
        rows = {name: row for name, row in found.items() if row is not None}
        # One search for all products costs a fraction of one search per product. A product that was never
        # with another one keeps its similar texts beside its own sessions.
        alone = sorted(product for product, row in rows.items() if not row.has_neighbors())
        similar = view.similar(alone, parameters.top_k, parameters.similar_min_cosine)
        updates = []
        for product, row in rows.items():
            listed_at = view.listed_at(product)
            exact = affinity_updated(
                product,
                row,
                parameters,
                instant(known_at[product] if listed_at is None else listed_at),
                similar.get(product, ()),
                may_relate_to(product, view, self._identity),
            )
            update = self._to_publish(row, exact)
            if update is not None:
                table.put(product.encode(), row.with_published(update))
                updates.append((update, row))
        if self._recommendations is not None:
            self._recommendations.search([update.product_id for update, _ in updates])
        for update, row in updates:
            yield update.product_id, as_published(self._with_recommended(update, row), self._identity)

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
