"""The product view: a read view of the topic product-enriched in memory, as a GlobalKTable.

The agent `sessions` looks up tags, and the agent `affinity` searches for similar texts. Both need products of
all partitions, so each worker reads the whole compacted topic. The view lags the topic by a fraction of a
second. It is not a part of the transactions: outputs that derive from it reflect the view at that moment.
"""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from models.behavior.preference import ProductLabels
from models.behavior.similarity import SimilarityIndex
from schemas.errors import InvalidEvent
from schemas.events import Embedding
from streams.backoff import Backoff
from streams.cancellation import is_being_cancelled
from streams.records import Record
from streams.topics import PRODUCT_ENRICHED

log = structlog.get_logger()


class _Named(msgspec.Struct, gc=False):
    name: str


class _Categorized(msgspec.Struct, gc=False):
    path: str


class _Product(msgspec.Struct):
    """The fields of product-enriched that the view keeps."""

    product_id: str
    tags: list[_Named] = []
    category: _Categorized | None = None
    embedding: Embedding | None = None


_DECODER = msgspec.json.Decoder(_Product)


class ProductView:
    """Descriptions and embeddings by product. One thread may write while others read."""

    def __init__(self) -> None:
        self._descriptions: dict[str, ProductLabels] = {}
        self._index = SimilarityIndex()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._descriptions)

    def update(self, records: Iterable[Record]) -> None:
        """Apply records of product-enriched. Null removes the product. Invalid records are ignored."""
        for record in records:
            if record.key is None:
                continue
            try:
                if record.value is None:
                    self._remove(record.key.decode())
                else:
                    self._put(_DECODER.decode(record.value))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidEvent) as error:
                log.warning(
                    "ignoring a product-enriched record of another program",
                    offset=record.offset,
                    error=str(error),
                )

    def describe(self, product_id: str) -> ProductLabels | None:
        """Return the product's tags and category, or None if it is unknown."""
        return self._descriptions.get(product_id)

    def similar(self, product_ids: Sequence[str], count: int) -> dict[str, list[tuple[str, float]]]:
        """Search for products with a similar text.

        Args:
            product_ids: The products to search for. Those without an embedding are left out.
            count: Neighbors per product at most.

        Returns:
            For each product its neighbors with their cosine similarity, best first.
        """
        with self._lock:
            known = [product_id for product_id in product_ids if product_id in self._index]
            return dict(zip(known, self._index.nearest_many(known, count), strict=True)) if known else {}

    def _put(self, product: _Product) -> None:
        category = None if product.category is None else product.category.path
        with self._lock:
            self._descriptions[product.product_id] = ProductLabels(
                [tag.name for tag in product.tags], category
            )
            if product.embedding is not None:
                self._index.add(product.product_id, product.embedding)
            else:
                self._index.remove(product.product_id)

    def _remove(self, product_id: str) -> None:
        with self._lock:
            self._descriptions.pop(product_id, None)
            self._index.remove(product_id)


class ProductViewFollower:
    """Keeps a product view up to date from Kafka, outside the consumer group.

    Args:
        product_view: The view.
        client: aiokafka's connection settings.
        partitions: The number of partitions of product-enriched.
    """

    def __init__(self, product_view: ProductView, client: dict[str, Any], partitions: int) -> None:
        self._product_view = product_view
        self._client = client
        self._partitions = [TopicPartition(PRODUCT_ENRICHED, number) for number in range(partitions)]
        self._caught_up = asyncio.Event()
        self._backoff = Backoff(0.2, 10.0)

    async def ready(self) -> None:
        """Wait until all records that were in the topic at the start have been read."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Follow the topic until cancelled. Reconnect after a backoff when the broker is unreachable."""
        positions: dict[TopicPartition, int] = dict.fromkeys(self._partitions, 0)
        while True:
            try:
                await self._follow(positions)
            except (Exception, asyncio.CancelledError) as error:
                if is_being_cancelled():
                    raise
                log.warning("the product view lost its connection to the broker", error=repr(error))
                await asyncio.sleep(self._backoff.next())

    async def _follow(self, positions: dict[TopicPartition, int]) -> None:
        consumer = AIOKafkaConsumer(
            **self._client,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            consumer.assign(self._partitions)
            for partition, position in positions.items():
                consumer.seek(partition, position)
            ends = await consumer.end_offsets(self._partitions)
            while True:
                batches = await consumer.getmany(timeout_ms=200)
                self._backoff.reset()
                for partition, records in batches.items():
                    self._product_view.update(records)
                    positions[partition] = records[-1].offset + 1
                    await asyncio.sleep(0)
                if not self._caught_up.is_set():
                    reached = [await consumer.position(each) >= ends[each] for each in self._partitions]
                    if all(reached):
                        self._caught_up.set()
        finally:
            await consumer.stop()
