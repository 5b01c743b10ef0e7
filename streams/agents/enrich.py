"""The agent `enrich`: listings and category feedback in, enriched products and review requests out."""

from collections.abc import Sequence

import msgspec
import structlog

from schemas.codec import decode_category_feedback, decode_product_created, decode_product_enriched, encode
from schemas.errors import InvalidEvent
from schemas.events import CategoryFeedback, DecisionOutcome, EnrichmentReview, ProductEnriched
from schemas.keys import partition_for
from schemas.rules import check_unknown_key
from streams.agents.feedback import corrected
from streams.agents.outputs import OutputBuilder
from streams.agents.products import ProductRow, products_table
from streams.agents.totals import AgentTotals
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.protocol import Inference
from streams.lanes.agent import BatchAgent, Batches, batch_agent
from streams.lanes.batch import Batch
from streams.provenance import (
    MOVED_FROM,
    ORIGIN,
    input_of,
    is_repeated,
    moved_header,
    origin_header,
    source_of,
)
from streams.records import Output, Record
from streams.state.tables import Table
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED, PRODUCT_REPARTITION
from streams.wrapping.records import original_of

log = structlog.get_logger()


def enrich_agent(inference: Inference, partitions: int, totals: AgentTotals | None = None) -> BatchAgent:
    """Make the agent that classifies listings and applies category feedback.

    Args:
        inference: Runs the model off the event loop.
        partitions: The number of partitions of every topic.
        totals: Counts what no output tells.
    """
    products = products_table()
    totals = totals or AgentTotals()
    decisions = _Decisions(inference, partitions)

    # Feedback has priority over listings: it must not wait behind a large import.
    @batch_agent(CATEGORY_FEEDBACK, PRODUCT_REPARTITION, PRODUCT_CREATED, tables=[products])
    async def enrich(batches: Batches) -> None:
        async for batch in batches:
            inputs = _read(batch, partitions)
            listings = [_listing(record) for record, feedback in inputs if feedback is None]
            predictions = iter(await inference.predict(listings) if listings else ())
            table = batch.table(products)
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
                        outputs = decisions.of_model(record, prediction, table)
                        older += not outputs
                        batch.send_outputs(outputs)
                except InvalidEvent as error:
                    batch.dead_letter(record, error, enrich.name)
            if older:
                log.info("repeated listings are older than what is published, ignoring them", count=older)
            if unknown:
                totals.unknown_withdrawals += unknown
                log.warning(
                    "tombstones in product-created name no known product, ignoring them", count=unknown
                )

    return enrich


def _read(batch: Batch, partitions: int) -> list[tuple[Record, CategoryFeedback | None]]:
    """Decode feedback, move misplaced records to the partition of their key, and dead-letter invalid ones.

    Returns:
        The records that belong here, each with its feedback, or with None for a listing.
    """
    inputs: list[tuple[Record, CategoryFeedback | None]] = []
    for record in batch:
        try:
            moved = _moved(record, partitions)
            if moved is not None:
                batch.send_outputs([moved])
            elif input_of(record) == CATEGORY_FEEDBACK:
                inputs.append((record, decode_category_feedback(record.value, record.key)))
            else:
                inputs.append((record, None))
        except InvalidEvent as error:
            batch.dead_letter(record, error, "decode")
    return inputs


def _moved(record: Record, partitions: int) -> Output | None:
    """Return the record for the repartition topic, or None if it is in the partition of its key.

    State is in the partition that murmur2 gives for the product's key. Producers with another partitioner, or
    without keys, write to other partitions. Their records go through the repartition topic, in order per key.

    Raises:
        InvalidEvent: The record has no key, and its value names no product.
    """
    if record.topic == PRODUCT_REPARTITION:
        return None
    key = record.key
    if key is None:
        decode = decode_category_feedback if record.topic == CATEGORY_FEEDBACK else decode_product_created
        key = decode(record.value, None).product_id.encode()
    target = partition_for(key, partitions)
    if target == record.partition:
        return None
    original = original_of(record)
    headers = [header for header in record.headers if header[0] not in (ORIGIN, MOVED_FROM)]
    headers.append(moved_header(original))
    headers.append(origin_header(source_of(record)))
    # A wrapped record moves as it is, so that its dead letter has the original bytes.
    moved_key = key if original.key is None else original.key
    return Output(PRODUCT_REPARTITION, target, moved_key, original.value, headers)


def _listing(record: Record) -> Listing:
    source = source_of(record)
    return Listing(record.value, record.key, source.topic, source.partition, source.offset)


class _Decisions:
    """Outputs and rows that follow from decisions of the model and of persons."""

    def __init__(self, inference: Inference, partitions: int) -> None:
        self._inference = inference
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
        published = _published(table.get(feedback.product_id.encode()))
        enriched = corrected(published, feedback, model_info, source_of(record))
        row = ProductRow(encode(enriched), enriched.decision.outcome, enriched.listing, enriched.listed_at)
        return [self._publish(enriched.product_id, row, record, table, model_info.model_version)]

    def of_model(self, record: Record, prediction: Prediction, table: Table[ProductRow]) -> Sequence[Output]:
        """Publish a prediction. The category of a person stays.

        Nothing is published of a listing that a replay or a redrive repeats after a newer one.
        """
        product, enriched, review = prediction.product_id, prediction.enriched, prediction.review
        version = prediction.model_version
        source, listed_at = source_of(record), prediction.listed_at
        known = table.get(product.encode())
        if known is not None and is_repeated(record) and known.is_newer_than(source, listed_at):
            return []
        if enriched is None:
            table.put(product.encode(), None)
            return [self._build.record(PRODUCT_ENRICHED, product, None, record, version)]
        outcome = None if prediction.outcome is None else DecisionOutcome(prediction.outcome)
        if known is not None and known.outcome is DecisionOutcome.PERSON:
            published = _published(known)
            if published is not None:
                enriched, review, outcome = self._overruled(enriched, published), None, known.outcome
        row = ProductRow(enriched, outcome, source, listed_at)
        outputs = [self._publish(product, row, record, table, version)]
        if review is not None:
            outputs.append(self._build.record(EnrichmentReview.topic, product, review, record, version))
        return outputs

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
