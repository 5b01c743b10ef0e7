"""The agent `enrich`: listings and category feedback in, enriched products and review requests out."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from schemas.codec import decode_product_enriched, encode
from schemas.errors import InvalidEvent
from schemas.events import (
    CategoryFeedback,
    DecisionOutcome,
    EnrichmentReview,
    ProductCreated,
    ProductEnriched,
)
from schemas.product_identity import ProductIdentity
from schemas.rules import check_unknown_key
from streams.agents.feedback import corrected
from streams.agents.outputs import OutputBuilder
from streams.agents.product_records import ProductRecords
from streams.agents.products import ProductRow, products_table
from streams.agents.shop_mixes import ShopMixRows
from streams.agents.signal_tags import decode_signals, with_signals
from streams.agents.totals import AgentTotals
from streams.inference.messages import InvalidListing, Listing, Prediction, Predictions
from streams.inference.protocol import Inference
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.provenance import is_repeated, source_of
from streams.records import Output, Record
from streams.state.tables import Table, TableSpec
from streams.topics import (
    CATEGORY_FEEDBACK,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
    PRODUCT_SIGNALS,
)

log = structlog.get_logger()


def enrich_agent(
    inference: Inference,
    partitions: int,
    totals: AgentTotals | None = None,
    identity: ProductIdentity | None = None,
    *,
    signals: bool = False,
    mixes: TableSpec[bytes] | None = None,
) -> BatchAgent:
    """Make the agent that classifies listings and applies category feedback.

    Args:
        inference: Runs the model off the event loop.
        partitions: The number of partitions of every topic.
        totals: Counts what no output tells.
        identity: What makes two products the same, and whether shops count.
        signals: Whether tags by behavior come from product-signals.
        mixes: The table of the shops' mixes of departments; None if none weighs what the model says.
    """
    products = products_table()
    totals = totals or AgentTotals()
    identity = identity or ProductIdentity()
    records = ProductRecords(identity, partitions, totals)
    decisions = _Decisions(inference, partitions, identity)

    # Feedback has priority over listings: it must not wait behind a large import.
    topics = (CATEGORY_FEEDBACK, PRODUCT_REPARTITION, PRODUCT_CREATED)

    tables: list[TableSpec[Any]] = [products] if mixes is None else [products, mixes]

    @batch_agent(*topics, *([PRODUCT_SIGNALS] if signals else []), tables=tables)
    async def enrich(batches: Batches) -> None:
        async for batch in batches:
            if batch.topic == PRODUCT_SIGNALS:
                decisions.of_behavior(batch, batch.table(products))
                continue
            rows = None if mixes is None else _mix_rows(batch.table(mixes), inference)
            await _process(batch, batch.table(products), records, decisions, inference, totals, rows)

    return enrich


async def _process(
    batch: Batch,
    table: Table[ProductRow],
    records: ProductRecords,
    decisions: "_Decisions",
    inference: Inference,
    totals: AgentTotals,
    mixes: ShopMixRows | None,
) -> None:
    """Process listings and feedback."""
    inputs = records.read(batch)
    listings = [records.listing(record) for record, feedback in inputs if feedback is None]
    predictions = iter(await _predict(listings, inference, mixes) if listings else ())
    older = unknown = 0
    for record, feedback in inputs:
        try:
            if feedback is not None:
                batch.send_outputs(decisions.of_person(record, feedback, table))
            elif isinstance(prediction := next(predictions), InvalidListing):
                batch.dead_letter(record, prediction.error(), "decode")
            elif record.value is None and table.get(prediction.product_id.encode()) is None:
                check_unknown_key(prediction.product_id)
                unknown += 1
            else:
                totals.count_fields(ProductCreated, prediction.ignored, record.value)
                outputs = decisions.of_model(record, prediction, table)
                older += not outputs
                batch.send_outputs(outputs)
        except InvalidEvent as error:
            batch.dead_letter(record, error, "enrich")
    totals.unknown_withdrawals += unknown
    _log_ignored(older, unknown)


async def _predict(listings: list[Listing], inference: Inference, mixes: ShopMixRows | None) -> Predictions:
    """Predict listings with the mixes of their shops, and count the listings in the mixes."""
    if mixes is None:
        return await inference.predict(listings)
    predictions = await inference.predict(mixes.attached(listings))
    mixes.count(predictions)
    return predictions


def _mix_rows(table: Table[bytes], inference: Inference) -> ShopMixRows:
    model_info = inference.model_info
    return ShopMixRows(table, model_info.taxonomy_version, len(model_info.taxonomy.roots))


def _log_ignored(older: int, unknown: int) -> None:
    if older:
        log.info("repeated listings are older than what is published, ignoring them", count=older)
    if unknown:
        log.warning("tombstones in product-created name no known product, ignoring them", count=unknown)


class _Decisions:
    """Outputs and rows that follow from decisions of the model and of persons."""

    def __init__(self, inference: Inference, partitions: int, identity: ProductIdentity) -> None:
        self._inference = inference
        self._identity = identity
        model_info = inference.model_info
        self._build = OutputBuilder(
            "enrich", partitions, model_info.model_version, model_info.taxonomy_version
        )

    def of_person(
        self, record: Record, feedback: CategoryFeedback, table: Table[ProductRow]
    ) -> Sequence[Output]:
        """Publish the category that a person decided.

        Raises:
            InvalidEvent: The category does not exist, or there is nothing to accept.
        """
        model_info = self._inference.model_info
        key = self._identity.key(feedback.shop_id, feedback.product_id)
        known = table.get(key.encode())
        if known is not None and feedback.shop_id is not None:
            self._check_shop(known, feedback.shop_id)
        enriched = corrected(_published(known), feedback, model_info, source_of(record))
        signals = () if known is None else known.signals
        enriched = with_signals(enriched, signals)
        row = ProductRow(
            encode(enriched),
            enriched.decision.outcome,
            enriched.listing,
            enriched.listed_at,
            msgspec.UNSET if known is None else known.shop_id,
            signals,
        )
        return [self._publish(key, row, record, table, model_info.model_version)]

    def of_model(self, record: Record, prediction: Prediction, table: Table[ProductRow]) -> Sequence[Output]:
        """Publish a prediction. The category of a person stays.

        Nothing is published of a listing that a replay or a redrive repeats after a newer one.
        """
        product, enriched, review = self._key(record, prediction), prediction.enriched, prediction.review
        version = prediction.model_version
        source, listed_at = source_of(record), prediction.listed_at
        known = table.get(product.encode())
        if known is not None and is_repeated(record) and known.is_newer_than(source, listed_at):
            return []
        if known is not None and (enriched is not None or prediction.shop_id is not None):
            self._check_shop(known, prediction.shop_id)
        if enriched is None:
            table.put(product.encode(), None)
            return [self._build.record(PRODUCT_ENRICHED, product, None, record, version)]
        outcome = None if prediction.outcome is None else DecisionOutcome(prediction.outcome)
        if known is not None and known.outcome is DecisionOutcome.PERSON:
            published = _published(known)
            if published is not None:
                enriched, review, outcome = self._overruled(enriched, published), None, known.outcome
        signals = () if known is None else known.signals
        if signals:
            enriched = encode(with_signals(decode_product_enriched(enriched), signals))
        row = ProductRow(enriched, outcome, source, listed_at, prediction.shop_id, signals)
        outputs = [self._publish(product, row, record, table, version)]
        if review is not None:
            outputs.append(self._build.record(EnrichmentReview.topic, product, review, record, version))
        return outputs

    def of_behavior(self, batch: Batch, table: Table[ProductRow]) -> None:
        """Publish products with other tags by behavior. Unknown products have none."""
        for record in batch:
            known = None if record.key is None else table.get(record.key)
            published = _published(known)
            if known is None or published is None or record.key is None:
                continue
            try:
                names = decode_signals(record.value)
            except InvalidEvent as error:
                batch.dead_letter(record, error, "decode")
                continue
            if names == known.signals:
                continue
            event = msgspec.structs.replace(
                with_signals(published, names), source=source_of(record), listing=known.listing
            )
            row = known._replace(event=encode(event), signals=names)
            model_version = self._inference.model_info.model_version
            batch.send_outputs([self._publish(record.key.decode(), row, record, table, model_version)])

    def _key(self, record: Record, prediction: Prediction) -> str:
        """Return the key of a product. A tombstone has no other name for it."""
        if record.value is None:
            return prediction.product_id
        return self._identity.key(prediction.shop_id, prediction.product_id)

    def _check_shop(self, known: ProductRow, shop_id: str | None) -> None:
        """Raise InvalidEvent if a product is another shop's, and its id is unique over all shops."""
        if self._identity.separate and not known.may_be_of(shop_id):
            raise InvalidEvent(
                "other-shop",
                "$.shop_id: another shop lists a product with this product_id, which would be overwritten; "
                "use ids that are unique over all shops, or set SHELFSTREAM_SHOPS to own-ids, where each "
                "shop has ids of its own, or to joined, where shops do not count",
                "$.shop_id",
            )

    def _overruled(self, enriched: bytes, published: ProductEnriched) -> bytes:
        """Return the model's event with the category that a person decided."""
        event = msgspec.structs.replace(
            decode_product_enriched(enriched), category=published.category, decision=published.decision
        )
        model_info = self._inference.model_info
        if published.category is not None and published.category.id in model_info.taxonomy:
            event = msgspec.structs.replace(event, tags=model_info.retagged(event, published.category))
        return encode(event)

    def _publish(
        self, product: str, row: ProductRow, record: Record, table: Table[ProductRow], model_version: str
    ) -> Output:
        table.put(product.encode(), row)
        output = self._build.record(PRODUCT_ENRICHED, product, row.event, record, model_version)
        return msgspec.structs.replace(output, summary=row.outcome)


def _published(row: ProductRow | None) -> ProductEnriched | None:
    """Decode the event that was published for a product.

    Returns:
        The event. None if there is no row, or if another program wrote the row and it does not decode.
    """
    if row is None:
        return None
    try:
        return decode_product_enriched(row.event)
    except InvalidEvent as error:
        # Neither the input record nor the store is at fault, and restoring would bring the same row.
        log.warning("ignoring a product-enriched record of another program", error=str(error))
        return None
