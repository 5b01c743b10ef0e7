"""The input records of the agent `enrich`: whose product they are about, and where they belong."""

from typing import NamedTuple

from schemas.codec import decode_category_feedback, decode_feedback, decode_product_created
from schemas.envelope import EVENT_HEADERS
from schemas.errors import InvalidEvent
from schemas.events import CategoryFeedback, ProductCreated
from schemas.keys import partition_for
from schemas.product_identity import ProductIdentity, split_id
from schemas.rules import key_mismatch, product_of_tombstone
from schemas.tolerant_reader import field_name
from streams.agents.totals import AgentTotals
from streams.inference.messages import Listing
from streams.lanes.batch import Batch
from streams.provenance import MOVED_FROM, ORIGIN, input_of, moved_header, origin_header, source_of
from streams.records import Output, Record
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_REPARTITION
from streams.wrapping.records import original_of


class ProductInput(NamedTuple):
    """A record that belongs to the partition in which it is.

    Attributes:
        record: The record.
        feedback: Its feedback; None for a listing.
    """

    record: Record
    feedback: CategoryFeedback | None


class ProductRecords:
    """Reads the records of products.

    Args:
        identity: What makes two products the same.
        partitions: The number of partitions of every topic.
        totals: Counts the fields of feedback that are left out.
    """

    def __init__(self, identity: ProductIdentity, partitions: int, totals: AgentTotals) -> None:
        self._totals = totals
        self._own_ids = identity.own_ids
        self._identity = identity
        self._partitions = partitions

    def read(self, batch: Batch) -> list[ProductInput]:
        """Decode feedback, move misplaced records to the partition of their key, dead-letter invalid ones.

        Returns:
            The records that belong here.
        """
        inputs: list[ProductInput] = []
        for record in batch:
            try:
                moved = self._moved(record)
                if moved is not None:
                    batch.send_outputs([moved])
                elif input_of(record) == CATEGORY_FEEDBACK:
                    key = None if self._own_ids else record.key
                    feedback, ignored = decode_feedback(record.value, key, headers=record.headers)
                    self._totals.count_fields(CategoryFeedback, map(field_name, ignored), record.value)
                    inputs.append(ProductInput(record, feedback))
                else:
                    inputs.append(ProductInput(record, None))
            except InvalidEvent as error:
                batch.dead_letter(record, error, "decode")
        return inputs

    def listing(self, record: Record) -> Listing:
        """Return what a model reads of a record."""
        source = source_of(record)
        # The key of a product with an id of its shop's own is not its id, and was compared with both before.
        key = None if self._own_ids and record.value is not None else record.key
        headers = tuple(each for each in record.headers or () if each[0] in EVENT_HEADERS)
        return Listing(record.value, key, source.topic, source.partition, source.offset, headers)

    def _moved(self, record: Record) -> Output | None:
        """Return the record for the repartition topic, or None if it is in the partition of its key.

        State is in the partition that murmur2 gives for the product's key. Producers with another
        partitioner, without keys, or with ids of a shop's own as keys, write to other partitions. Their
        records go through the repartition topic, in order per key.

        Raises:
            InvalidEvent: The record has no key, and its value names no product.
        """
        if record.topic == PRODUCT_REPARTITION:
            return None
        key = self._qualified_key(record) if self._own_ids else record.key
        if key is None:
            key = _decoded(record).product_id.encode()
        target = partition_for(key, self._partitions)
        if target == record.partition:
            return None
        original = original_of(record)
        headers = [header for header in record.headers if header[0] not in (ORIGIN, MOVED_FROM)]
        headers.append(moved_header(original))
        headers.append(origin_header(source_of(record)))
        # A wrapped record moves as it is, so that its dead letter has the original bytes.
        moved_key = key if original is record or original.key is None else original.key
        return Output(PRODUCT_REPARTITION, target, moved_key, original.value, headers)

    def _qualified_key(self, record: Record) -> bytes:
        """Return the key that a record's product has in state.

        Raises:
            InvalidEvent: The record is invalid, or its key is neither the product's id nor the qualified one.
        """
        if record.value is None and input_of(record) != CATEGORY_FEEDBACK:
            key = product_of_tombstone(record.key)
            split_id(key)
            return key.encode()
        event = _decoded(record)
        qualified = self._identity.key(event.shop_id, event.product_id).encode()
        if record.key not in (None, event.product_id.encode(), qualified):
            raise key_mismatch(type(event), "product_id")
        return qualified


def _decoded(record: Record) -> CategoryFeedback | ProductCreated:
    decode = decode_category_feedback if record.topic == CATEGORY_FEEDBACK else decode_product_created
    return decode(record.value, None)
