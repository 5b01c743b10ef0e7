"""The transactional writer of a lane: it commits outputs and consumed offsets together or not at all."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.errors import RetryLater, ShelfstreamError
from streams.records import Output, Partition, ReadPosition

# Below the broker's default message.max.bytes of 1 MiB, with room for the batch's own header.
BATCH_BYTES = 900_000


class Fenced(ShelfstreamError):
    """A newer owner of the transactional id exists. This producer can no longer write."""


class TransactionalWriter(Protocol):
    """A transactional producer of one lane. One test suite runs over all implementations."""

    async def open(self) -> None:
        """Fence older owners of the same id, and end their open transaction.

        When it returns, readers see the committed offsets and the changelogs of the last commit.

        Raises:
            Fenced: Another owner opened at the same time.
            RetryLater: The broker did not answer in time.
        """
        ...

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[Partition, ReadPosition]
    ) -> dict[Partition, int]:
        """Write outputs and consumed offsets in one transaction.

        Args:
            outputs: Records to write.
            offsets: The next offset to read of each input.

        Returns:
            The offset after the last output of each partition that was written to.

        Raises:
            Fenced: A newer owner exists. Nothing of this call is visible.
            RetryLater: The commit failed or its outcome is unknown. The next `open` decides the outcome.
        """
        ...

    async def close(self) -> None:
        """Release the connection. The next owner aborts an open transaction."""
        ...


class KafkaTransactionalWriter:
    """A writer in Kafka: one transaction per commit.

    Args:
        transactional_id: The lane's transactional id, the same in every worker that may own the lane.
        group: The consumer group whose offsets are committed.
        timeout_s: Seconds of a commit after which its outcome counts as unknown.
        transaction_timeout_s: Seconds after which the broker aborts the transaction of a dead worker.
        compression: Compression codec of the records, or None.
        client: aiokafka's connection settings.
        inputs: The lane's inputs.
        changelogs: The changelog partitions of the lane's tables.
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
            # A dead letter is an original near the broker's limit, and its headers.
            "max_request_size": 4 * 1024 * 1024,
        }
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Start a new producer. The broker raises the id's epoch, which fences older owners."""
        await self.close()
        producer = AIOKafkaProducer(**self._options)
        self._producer = producer
        try:
            async with asyncio.timeout(self.timeout_s):
                await producer.start()
                # start() only connects. begin_transaction waits for InitProducerId, which the broker answers
                # after the previous owner's transaction has ended, its offsets included.
                await producer.begin_transaction()
                await self._raise_high_watermark(producer)
                await producer.abort_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"{self.transactional_id}: a newer owner took over") from error
        except TimeoutError as error:
            raise RetryLater(
                f"no producer id for {self.transactional_id} in {self.timeout_s:.0f} s"
            ) from error

    async def _raise_high_watermark(self, producer: AIOKafkaProducer) -> None:
        """Write records that are then aborted, so that all earlier commits become readable.

        A leader serves records below its high watermark. Right after an election or an unclean restart the
        high watermark may be old: committed offsets and rows would be missing, and inputs would be processed
        twice. A new record is acknowledged only after the high watermark has passed it.
        """
        if self._inputs:
            consumed = {TopicPartition(*self._inputs[0]): OffsetAndMetadata(0, "")}
            await producer.send_offsets_to_transaction(consumed, self.group)
        acknowledged = [
            await producer.send(at.topic, key=b"", value=None, partition=at.partition)
            for at in self._changelogs
        ]
        await asyncio.gather(*acknowledged)

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[Partition, ReadPosition]
    ) -> dict[Partition, int]:
        """Write everything in one transaction; `TransactionalWriter.commit` documents it."""
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
        self, producer: AIOKafkaProducer, outputs: Iterable[Output], offsets: Mapping[Partition, ReadPosition]
    ) -> dict[Partition, int]:
        await producer.begin_transaction()
        consumed = {
            TopicPartition(at.topic, at.partition): OffsetAndMetadata(position.offset, position.topic_id)
            for at, position in offsets.items()
        }
        # The two round trips for the offsets overlap with those for the records.
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
        # Plain tuples: a `Partition` for each output would cost more than the rest of this loop.
        by_partition: defaultdict[tuple[str, int], list[Output]] = defaultdict(list)
        for output in outputs:
            by_partition[output.topic, output.partition].append(output)
        partitions = [Partition(*at) for at in by_partition]
        groups = zip(partitions, by_partition.values(), strict=True)
        ends = await asyncio.gather(*(self._send_to(producer, at, group) for at, group in groups))
        return dict(zip(partitions, ends, strict=True))

    async def _send_to(self, producer: AIOKafkaProducer, at: Partition, outputs: Sequence[Output]) -> int:
        """Send the outputs of one partition in order. Return the offset after the last one."""
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
        """Stop the producer. An unreachable broker delays this by about two seconds at most."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # A producer that cannot disconnect must not keep its lane from reopening, and must not live on.
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
    """Add an output to a batch. Return False if the batch is full."""
    key, value, headers, timestamp = output.key, output.value, output.headers, output.timestamp
    # aiokafka's compiled builder takes headers as a list only.
    listed = headers if type(headers) is list else list(headers)
    return batch.append(timestamp=timestamp, key=key, value=value, headers=listed) is not None
