"""The enrich agent: listings and people's corrections in, enriched products and questions for review out."""

from collections.abc import Sequence

import msgspec
import structlog

from schemas.codec import decode_category_feedback, decode_product_created, decode_product_enriched, encode
from schemas.errors import InvalidEvent
from schemas.events import CategoryFeedback, DecisionOutcome, EnrichmentReview, ProductEnriched
from schemas.keys import partition_for
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.feedback import corrected
from streams.agents.outputs import OutputMaker
from streams.agents.products import ProductRow
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.thread import Inference
from streams.provenance import MOVED_FROM, ORIGIN, input_of, moved_header, origin_header, source_of
from streams.records import Output, Record
from streams.state.tables import Table, Tables, TableSpec
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED, PRODUCT_REPARTITION

log = structlog.get_logger()


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


class EnrichProcessor:
    """Classifies listings in micro-batches and lets people overrule the model.

    Args:
        table: the table of enriched products.
        partitions: the number of partitions of every topic.
        inference: runs the model off the event loop.
        dead_letter_builder: makes dead letters.
    """

    name = "enrich"
    # People first: their word must not wait behind a catalogue import.
    topics = (CATEGORY_FEEDBACK, PRODUCT_REPARTITION, PRODUCT_CREATED)

    def __init__(
        self,
        table: TableSpec[ProductRow],
        partitions: int,
        inference: Inference,
        dead_letter_builder: DeadLetterBuilder,
    ) -> None:
        self._table = table
        self._partitions = partitions
        self._inference = inference
        self._dead_letter = dead_letter_builder
        model_info = inference.model_info
        self._make = OutputMaker(self.name, partitions, model_info.model_version, model_info.taxonomy_version)

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`. Listings are read, judged and written off the event loop."""
        outputs: list[Output] = []
        waiting: list[tuple[Record, CategoryFeedback | None]] = []
        for record in records:
            try:
                moved = self._moved(record)
                if moved is not None:
                    outputs.append(moved)
                elif input_of(record) == CATEGORY_FEEDBACK:
                    waiting.append((record, decode_category_feedback(record.value, record.key)))
                else:
                    waiting.append((record, None))
            except InvalidEvent as error:
                outputs.append(self._dead_letter(record, error, "decode"))
        table = tables.of(self._table)
        listings = [_listing(record) for record, feedback in waiting if feedback is None]
        predictions = iter(await self._inference.judge(listings) if listings else ())
        for record, feedback in waiting:
            word = next(predictions) if feedback is None else feedback
            try:
                outputs.extend(self._outputs(record, word, table))
            except InvalidEvent as error:
                outputs.append(self._dead_letter(record, error, self.name))
        return outputs

    def _moved(self, record: Record) -> Output | None:
        """The record on its way to its key's partition, if it does not stand there.

        State lies where murmur2 puts the product's key. Producers with another partitioner, or without a
        key, write elsewhere; what they write goes through one more topic, in order for each key.
        """
        if record.topic == PRODUCT_REPARTITION:
            return None
        key = record.key
        if key is None:
            decode = decode_category_feedback if record.topic == CATEGORY_FEEDBACK else decode_product_created
            key = decode(record.value, None).product_id.encode()
        target = partition_for(key, self._partitions)
        if target == record.partition:
            return None
        headers = [header for header in record.headers if header[0] not in (ORIGIN, MOVED_FROM)]
        headers.append(moved_header(record))
        headers.append(origin_header(source_of(record)))
        return Output(PRODUCT_REPARTITION, target, key, record.value, headers)

    def _outputs(
        self, record: Record, word: CategoryFeedback | Prediction | InvalidListing, table: Table[ProductRow]
    ) -> list[Output]:
        """What follows from a person's word, or from what the model says of a listing."""
        if isinstance(word, Prediction):
            return self._listed(record, word, table)
        if isinstance(word, InvalidListing):
            return [self._dead_letter(record, word.error(), "decode")]
        known = _published(table.get(word.product_id.encode()))
        enriched = corrected(known, word, self._inference.model_info, source_of(record))
        version = self._inference.model_info.model_version
        row = ProductRow(encode(enriched), enriched.decision.outcome)
        return [self._publish(enriched.product_id, row, record, table, version)]

    def _listed(self, record: Record, prediction: Prediction, table: Table[ProductRow]) -> list[Output]:
        """Publish a listing; where a person has decided its category, that stays."""
        product, enriched, review = prediction.product_id, prediction.enriched, prediction.review
        if enriched is None:
            table.put(product.encode(), None)
            return [self._make.record(PRODUCT_ENRICHED, product, None, record, prediction.model_version)]
        row = table.get(product.encode())
        known = _published(row) if row is not None and row.outcome is DecisionOutcome.PERSON else None
        outcome = prediction.outcome
        if known is not None:
            enriched, review, outcome = self._overruled(enriched, known), None, DecisionOutcome.PERSON
        version = prediction.model_version
        row = ProductRow(enriched, None if outcome is None else DecisionOutcome(outcome))
        outputs = [self._publish(product, row, record, table, version)]
        if review is not None:
            outputs.append(self._make.record(EnrichmentReview.topic, product, review, record, version))
        return outputs

    def _overruled(self, enriched: bytes, known: ProductEnriched) -> bytes:
        """What the model made of a listing, with the category that a person decided."""
        event = msgspec.structs.replace(
            decode_product_enriched(enriched), category=known.category, decision=known.decision
        )
        model_info = self._inference.model_info
        if known.category is not None and known.category.id in model_info.taxonomy:
            event = msgspec.structs.replace(event, tags=model_info.retagged(event, known.category))
        return encode(event)

    def _publish(
        self, product: str, row: ProductRow, record: Record, table: Table[ProductRow], model_version: str
    ) -> Output:
        table.put(product.encode(), row)
        output = self._make.record(PRODUCT_ENRICHED, product, row.event, record, model_version)
        return msgspec.structs.replace(output, summary=row.outcome)


def _listing(record: Record) -> Listing:
    source = source_of(record)
    return Listing(record.value, record.key, source.topic, source.partition, source.offset)
