"""The enrich agent: listings and people's corrections in, enriched products and questions for review out."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog

from models.enricher import Enrichment
from schemas.codec import decode_category_feedback, decode_product_created, decode_product_enriched, encode
from schemas.errors import InvalidEvent
from schemas.events import (
    CategoryFeedback,
    Change,
    DecisionOutcome,
    ProductCreated,
    ProductEnriched,
)
from schemas.keys import partition_for
from streams.agents.burial import MOVED_FROM, ORIGIN, Burial, input_of, moved_header, origin_header, source_of
from streams.agents.feedback import corrected
from streams.agents.inference import InferenceThread
from streams.agents.outputs import OutputMaker
from streams.lanes.records import Output, Record
from streams.lanes.tables import Table, Tables, TableSpec
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, PRODUCT_ENRICHED, PRODUCT_REPARTITION

log = structlog.get_logger()

# What an encoded row says if a person decided: the few such rows are decoded, the many others are not.
_PERSON = b'"outcome":"person"'


def _same(row: bytes) -> bytes:
    return row


def products_table() -> TableSpec[bytes]:
    """The table of enriched products: its rows are the records of product-enriched themselves."""
    return TableSpec("products", PRODUCT_ENRICHED, _same, _same, is_output=True)


def _known(row: bytes | None) -> ProductEnriched | None:
    """What was published of a product; None also where product-enriched holds what we never wrote."""
    if row is None:
        return None
    try:
        return decode_product_enriched(row)
    except InvalidEvent as error:
        # Neither the record in hand nor the store is at fault, and no restoring would help.
        log.warning("a product-enriched record is not ours and counts as none", error=str(error))
        return None


@dataclass(frozen=True, slots=True)
class _Read:
    """A record and what it says."""

    record: Record
    event: ProductCreated | CategoryFeedback
    enrichment: Enrichment | None = None


class EnrichProcessor:
    """Classifies listings in micro-batches and lets people overrule the model.

    Args:
        table: the table of enriched products.
        partitions: the number of partitions of every topic.
        inference: runs the model off the event loop.
        burial: makes dead letters.
    """

    name = "enrich"
    # People first: their word must not wait behind a catalogue's import.
    topics = (CATEGORY_FEEDBACK, PRODUCT_REPARTITION, PRODUCT_CREATED)

    def __init__(
        self, table: TableSpec[bytes], partitions: int, inference: InferenceThread, burial: Burial
    ) -> None:
        enricher = inference.enricher
        self._table = table
        self._partitions = partitions
        self._inference = inference
        self._enricher = enricher
        self._bury = burial
        self._make = OutputMaker(self.name, partitions, enricher.model_version, enricher.taxonomy_version)

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """See `Processor.process`. Only the model runs off the event loop."""
        outputs: list[Output] = []
        read: list[_Read] = []
        for record in records:
            try:
                moved = self._moved(record)
                if moved is None:
                    read.append(_Read(record, self._decode(record)))
                else:
                    outputs.append(moved)
            except InvalidEvent as error:
                outputs.append(self._bury(record, error, "decode"))
        table = tables.of(self._table)
        for each in await self._enriched(read):
            try:
                outputs.extend(self._outputs(each, table))
            except InvalidEvent as error:
                outputs.append(self._bury(each.record, error, self.name))
        return outputs

    def _decode(self, record: Record) -> ProductCreated | CategoryFeedback:
        if input_of(record) == CATEGORY_FEEDBACK:
            return decode_category_feedback(record.value, record.key)
        return decode_product_created(record.value, record.key)

    def _moved(self, record: Record) -> Output | None:
        """The record on its way to its key's partition, if it does not stand there.

        State lies where murmur2 puts the product's key. Producers with another partitioner, or without a
        key, write elsewhere; what they write goes through one more topic, in order for each key.
        """
        if record.topic == PRODUCT_REPARTITION:
            return None
        key = record.key
        if key is None:
            event = self._decode(record)
            key = event.product_id.encode()
        target = partition_for(key, self._partitions)
        if target == record.partition:
            return None
        headers = [header for header in record.headers if header[0] not in (ORIGIN, MOVED_FROM)]
        headers.append(moved_header(record))
        headers.append(origin_header(source_of(record)))
        return Output(PRODUCT_REPARTITION, target, key, record.value, headers)

    async def _enriched(self, read: Sequence[_Read]) -> list[_Read]:
        """Add what the model says to the listings; feedback and withdrawals need no model."""
        listings = [
            each.event
            for each in read
            if isinstance(each.event, ProductCreated) and each.event.change is not Change.WITHDRAWN
        ]
        if not listings:
            return list(read)
        enrichments = iter(await self._inference.enrich(listings))
        return [
            _Read(each.record, each.event, next(enrichments))
            if isinstance(each.event, ProductCreated) and each.event.change is not Change.WITHDRAWN
            else each
            for each in read
        ]

    def _outputs(self, read: _Read, table: Table[bytes]) -> list[Output]:
        record, event = read.record, read.event
        key = event.product_id.encode()
        if isinstance(event, CategoryFeedback):
            enriched = corrected(_known(table.get(key)), event, self._enricher, source_of(record))
            return [self._publish(enriched, record, table)]
        if read.enrichment is None:
            table.put(key, None)
            return [self._make.tombstone(PRODUCT_ENRICHED, event.product_id, record)]
        return self._listed(record, event, read.enrichment, table)

    def _listed(
        self, record: Record, event: ProductCreated, enrichment: Enrichment, table: Table[bytes]
    ) -> list[Output]:
        """Publish a listing; where a person has decided its category, that stays."""
        source = source_of(record)
        enriched = self._enricher.event(event, enrichment, source)
        review = self._enricher.review(event, enrichment, source)
        row = table.get(event.product_id.encode())
        known = _known(row) if row is not None and _PERSON in row else None
        if known is not None and known.decision.outcome is DecisionOutcome.PERSON:
            enriched = msgspec.structs.replace(enriched, category=known.category, decision=known.decision)
            if known.category is not None and known.category.id in self._enricher.taxonomy:
                tags = self._enricher.retagged(enriched, known.category)
                enriched = msgspec.structs.replace(enriched, tags=tags)
            review = None
        outputs = [self._publish(enriched, record, table)]
        if review is not None:
            outputs.append(self._make.event(review, event.product_id, record))
        return outputs

    def _publish(self, enriched: ProductEnriched, record: Record, table: Table[bytes]) -> Output:
        value = encode(enriched)
        table.put(enriched.product_id.encode(), value)
        return self._make.record(PRODUCT_ENRICHED, enriched.product_id, value, record)
