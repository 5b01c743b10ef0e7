"""The writer: where a lane's outputs and consumed offsets are committed together or not at all."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.errors import RetryLater, ShelfstreamError
from streams.records import Output, Partition

# Below the broker's default message.max.bytes of 1 MiB, with room for the batch's own header.
BATCH_BYTES = 900_000


class Fenced(ShelfstreamError):
    """A newer owner of the lane exists; this one must stop writing until the group assigns it again."""


class TransactionalWriter(Protocol):
    """One transactional writer per lane. A contract suite runs over each implementation."""

    async def open(self) -> None:
        """Fence older owners of the same id, end their open transaction, and let its end be read.

        Once it returns, readers find the committed offsets and the changelogs as the last commit left them.
        """
        ...

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        """Write `outputs` and consumed `offsets` (the next to read) atomically.

        Returns:
            For each partition written to, the offset after its last output.

        Raises:
            Fenced: a newer owner took over; nothing of this call is visible.
            RetryLater: it failed or its outcome is unknown; `open` again settles it one way or the other.
        """
        ...

    async def close(self) -> None:
        """Release the connection; an open transaction is aborted by the next owner."""
        ...


class KafkaTransactionalWriter:
    """A writer in Kafka: one transaction per commit.

    Args:
        transactional_id: the lane's name, the same in every worker that may own the lane.
        group: the consumer group whose offsets are committed.
        timeout_s: how long one commit may take before its outcome counts as unknown.
        client: aiokafka's connection settings, shared with all other clients of the worker.
        inputs: what the lane consumes.
        changelogs: what it restores its state from.
    """

    def __init__(
        self,
        transactional_id: str,
        group: str,
        *,
        timeout_s: float,
        transaction_timeout_s: float,
        compression: str | None,
        client: Mapping[str, Any],
        inputs: Sequence[Partition] = (),
        changelogs: Sequence[Partition] = (),
    ) -> None:
        self.transactional_id = transactional_id
        self.group = group
        self.timeout_s = timeout_s
        self._inputs = inputs
        self._changelogs = changelogs
        self._options: dict[str, Any] = {
            **client,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(transaction_timeout_s * 1000),
            "compression_type": compression,
            "max_batch_size": BATCH_BYTES,
            # Dead letters carry an original near the broker's limit plus the reason.
            "max_request_size": 4 * 1024 * 1024,
        }
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Start a fresh producer: the broker bumps the epoch, which fences whoever had it before."""
        await self.close()
        producer = AIOKafkaProducer(**self._options)
        self._producer = producer
        try:
            async with asyncio.timeout(self.timeout_s):
                await producer.start()
                # start() only connects. begin_transaction waits for InitProducerId, which answers once
                # the previous owner's transaction has ended, its offsets included.
                await producer.begin_transaction()
                await self._catch_up(producer)
                await producer.abort_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"{self.transactional_id}: a newer owner took over") from error
        except TimeoutError as error:
            raise RetryLater(
                f"no producer id for {self.transactional_id} in {self.timeout_s:.0f} s"
            ) from error

    async def _catch_up(self, producer: AIOKafkaProducer) -> None:
        """Make the broker show all that was ever committed, by writing after it what is then aborted.

        A leader shows what lies below its high watermark, and right after an election or an unclean restart
        that may be old: committed offsets and rows of state would be missing, and inputs be processed twice.
        What is written now is acknowledged once the high watermark has passed it, and so all before it.
        """
        if self._inputs:
            consumed = {TopicPartition(*self._inputs[0]): OffsetAndMetadata(0, "")}
            await producer.send_offsets_to_transaction(consumed, self.group)
        sent = [
            await producer.send(at.topic, key=b"", value=None, partition=at.partition)
            for at in self._changelogs
        ]
        await asyncio.gather(*sent)

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        """Write everything in one transaction; see the protocol for the errors."""
        producer = self._producer
        if producer is None:
            raise RetryLater(f"the writer {self.transactional_id} is not open")
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._transact(producer, outputs, offsets)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"{self.transactional_id}: a newer owner took over") from error
        except TimeoutError as error:
            raise RetryLater(f"{self.transactional_id}: no commit within {self.timeout_s:.0f} s") from error

    async def _transact(
        self, producer: AIOKafkaProducer, outputs: Iterable[Output], offsets: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        await producer.begin_transaction()
        consumed = {
            TopicPartition(at.topic, at.partition): OffsetAndMetadata(offset, "")
            for at, offset in offsets.items()
        }
        # The offsets' two round trips overlap with those of the records.
        offsets_sent = asyncio.ensure_future(producer.send_offsets_to_transaction(consumed, self.group))
        try:
            written = await self._send(producer, outputs)
            await offsets_sent
        except BaseException:
            offsets_sent.cancel()
            raise
        await producer.commit_transaction()
        return written

    async def _send(self, producer: AIOKafkaProducer, outputs: Iterable[Output]) -> dict[Partition, int]:
        by_partition: defaultdict[Partition, list[Output]] = defaultdict(list)
        for output in outputs:
            by_partition[Partition(output.topic, output.partition)].append(output)
        ends = await asyncio.gather(
            *(self._send_to(producer, at, group) for at, group in by_partition.items())
        )
        return dict(zip(by_partition, ends, strict=True))

    async def _send_to(self, producer: AIOKafkaProducer, at: Partition, outputs: Sequence[Output]) -> int:
        """Send the outputs of one partition in order, in as few batches as their sizes allow."""
        pending: list[tuple[asyncio.Future[Any], int]] = []
        batch = producer.create_batch()
        for output in outputs:
            if not _append(batch, output):
                pending.append((await producer.send_batch(batch, at.topic, partition=at.partition), 0))
                batch = producer.create_batch()
                _append(batch, output)
        last_count = batch.record_count()
        batch.close()
        pending.append((await producer.send_batch(batch, at.topic, partition=at.partition), last_count))
        end = 0
        for future, count in pending:
            metadata = await future
            end = metadata.offset + count
        return end

    async def close(self) -> None:
        """Stop the producer without waiting for a broker that may be away."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # A producer that cannot say goodbye must neither keep its lane from reopening nor live on.
        with suppress(Exception):
            async with asyncio.timeout(1.0):
                await producer.stop()
                return
        with suppress(Exception):
            if (task := producer._sender.sender_task) is not None:
                task.cancel()
            async with asyncio.timeout(1.0):
                await producer.client.close()


def _append(batch: Any, output: Output) -> bool:
    """Add the output to the batch; False if the batch is full."""
    key, value, headers, timestamp = output.key, output.value, output.headers, output.timestamp
    # aiokafka's compiled builder takes headers as a list only.
    listed = headers if type(headers) is list else list(headers)
    return batch.append(timestamp=timestamp, key=key, value=value, headers=listed) is not None
