"""Erasure of a shopper: the request in user-behavior, and the dead letters that hold the shopper's events."""

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.erasure import erasure_header
from schemas.errors import StopWorker
from schemas.wrapping.unwrapping import is_framed
from streams.clients import confluent_options
from streams.records import MemoryRecord, Output
from streams.replay.broker_admin import TIMEOUT_S, BrokerAdmin, translated_kafka_error
from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import DeadLetter
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.receipts import Handling, Place, receipt
from streams.replay.redrive import redrive_sender
from streams.replay.transactional_copy import read_ranges
from streams.replay.transactional_sender import TransactionalSender
from streams.settings import Settings
from streams.topics import (
    DEAD_LETTER,
    SHOPPER_REPARTITION,
    SHOPPER_UPDATED,
    USER_BEHAVIOR,
    changelog,
    redriven,
)
from streams.wrapping.topics import TopicUnwrapper

_POLL_S = 0.3


def request_erasure(settings: Settings, shoppers: Sequence[str], requested_at: datetime) -> dict[int, int]:
    """Write the requests to every partition of user-behavior, in one transaction.

    Producers without the default partitioner, or without keys, write a shopper's events to any partition.

    Args:
        settings: Settings with the broker's address.
        shoppers: Ids of the shoppers.
        requested_at: What occurred up to this time is forgotten.

    Returns:
        The offset after the requests, by partition.

    Raises:
        StopWorker: There is no topic user-behavior, or the broker rejects the records.
        RetryLater: The broker is unreachable.
    """
    partitions = BrokerAdmin(settings).topics().get(USER_BEHAVIOR)
    if partitions is None:
        raise StopWorker(f"there is no topic {USER_BEHAVIOR}: run `shelfstream topics create`")
    headers = [erasure_header(requested_at)]
    with TransactionalSender(settings, f"{settings.app_id}-erase") as sender:
        sender.send(
            Output(USER_BEHAVIOR, partition, shopper.encode(), None, headers)
            for shopper in shoppers
            for partition in range(partitions)
        )
        return {partition: offset + 1 for (_, partition), offset in sender.written.items()}


def wait_until_processed(settings: Settings, ends: Mapping[int, int], within_s: float) -> dict[int, int]:
    """Wait until the workers have committed the requests.

    Args:
        settings: Settings with the broker's address and the app id.
        ends: The offset after the requests, by partition.
        within_s: Seconds to wait at most.

    Returns:
        The partitions that have not got there, each with the number of records before the request's end.
    """
    # The group's offsets are read without joining the group.
    consumer = Consumer(
        confluent_options(settings) | {"group.id": settings.app_id, "enable.auto.commit": False}
    )
    deadline = time.monotonic() + within_s
    partitions = [TopicPartition(USER_BEHAVIOR, partition) for partition in ends]
    try:
        while True:
            found = {each.partition: each.offset for each in consumer.committed(partitions, TIMEOUT_S)}
            behind = {at: end - max(0, found[at]) for at, end in ends.items() if found[at] < end}
            if not behind or time.monotonic() > deadline:
                return behind
            time.sleep(_POLL_S)
    except KafkaException as error:
        raise translated_kafka_error(error, settings) from error
    finally:
        consumer.close()


def holds_shopper(letter: DeadLetter, shoppers: Collection[str]) -> bool:
    """Return whether a dead letter of user-behavior holds an event of one of the shoppers.

    Every field but `product_id` is compared, and every word of a value that is no JSON. In Confluent's wire
    format texts are compared, which follow their length, but not numbers.
    """
    if letter.source_topic not in (None, USER_BEHAVIOR, SHOPPER_REPARTITION):
        return False
    record = letter.record
    if record.key is not None and record.key.decode("utf-8", "replace") in shoppers:
        return True
    if record.value is None:
        return False
    try:
        texts = set(_texts(msgspec.json.decode(record.value)))
    except (ValueError, RecursionError):
        if _has_word(record.value.decode("utf-8", "replace"), shoppers):
            return True
        framed = is_framed(record.value, record.headers)
        return framed and any(text in record.value for each in shoppers for text in _with_length(each))
    return not texts.isdisjoint(shoppers)


def _texts(node: Any) -> Iterable[str]:
    """Yield all texts and numbers of a JSON document, also names of fields."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            if name != "product_id":
                yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif node is not None:
        yield str(node)


def _with_length(text: str) -> Iterable[bytes]:
    """Yield a text as Avro and as Protobuf write it: after the number of its bytes, doubled in Avro."""
    encoded = text.encode("utf-8", "surrogatepass")
    for number in (2 * len(encoded), len(encoded)):
        low, high = number & 0x7F, number >> 7
        yield (bytes((low | 0x80, high)) if high else bytes((low,))) + encoded


def _has_word(text: str, words: Iterable[str]) -> bool:
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) for word in words)


class ErasedLetters(NamedTuple):
    """The result of erasing dead letters.

    Attributes:
        erased: Dead letters of the shoppers.
        copied: Dead letters of others that were before them in a partition, and were written again.
        not_deleted: Why the broker did not delete the records; None if it did, or there are none.
    """

    erased: int
    copied: int
    not_deleted: str | None


def erase_letters(settings: Settings, shoppers: Collection[str], dry_run: bool = False) -> ErasedLetters:
    """Delete the dead letters that hold events of the shoppers.

    Kafka deletes the records of a partition only up to an offset. So the dead letters of others that are
    before it, and are still open, are written again at the end. The transaction that writes them marks the
    old ones as handled: a run that is interrupted can be repeated.

    Raises:
        StopWorker: The broker rejects a request, or a newer run has fenced this one.
        RetryLater: The broker is unreachable. Run it again.
    """
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(START)
        held = [
            letter for letters in reader.read(ranges) for letter in letters if holds_shopper(letter, shoppers)
        ]
        last = {at: max(each.record.offset for each in held if each.record.partition == at)
                for at in {each.record.partition for each in held}}  # fmt: skip
        if dry_run or not held:
            return ErasedLetters(len(held), 0, None)
        places = {(each.record.partition, each.record.offset) for each in held}
        before = [OffsetRange(at, start, last[at] + 1) for at, start, _ in ranges if at in last]
        copied = _copy_others(settings, reader, before, places)
    return ErasedLetters(len(held), copied, _delete_up_to(settings, last))


def _copy_others(
    settings: Settings, reader: DeadLetterReader, ranges: list[OffsetRange], held: Collection[Place]
) -> int:
    """Write open dead letters of others again, and mark all of the ranges as handled."""
    copied = 0
    with redrive_sender(settings) as sender:
        handled = reader.handled()
        for letters in reader.read(ranges):
            places = {(each.record.partition, each.record.offset): each for each in letters}
            erased = [letter for place, letter in places.items() if place in held]
            others = [
                letter for place, letter in places.items() if place not in held and place not in handled
            ]
            receipts = [
                receipt(redriven(settings), marked, how)
                for marked, how in ((erased, Handling.ERASED), (others, Handling.COPIED))
                if marked
            ]
            if receipts:
                sender.send([*(_again(letter.record) for letter in others), *receipts])
            copied += len(others)
    return copied


def _again(record: MemoryRecord) -> Output:
    return Output(DEAD_LETTER, record.partition, record.key, record.value, record.headers, record.timestamp)


def _delete_up_to(settings: Settings, last: Mapping[int, int]) -> str | None:
    """Delete the records of the dead-letter topic up to these offsets. Return why not, if not."""
    admin = AdminClient(confluent_options(settings))
    ends = [TopicPartition(DEAD_LETTER, partition, offset + 1) for partition, offset in last.items()]
    try:
        for future in admin.delete_records(ends, request_timeout=TIMEOUT_S).values():
            future.result(TIMEOUT_S + 5)
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0] if error.args else None
        return reason.str() if isinstance(reason, KafkaError) else "no answer in time"
    return None


def guest_sessions(settings: Settings, consumer: Consumer, shoppers: Collection[str]) -> set[str]:
    """Return the guests of user-behavior whose anonymous id or session id also occurs with a shopper."""
    of_shopper: set[str] = set()
    of_guest: set[str] = set()
    unwrapper = TopicUnwrapper(settings)
    ranges = resolve_ranges(consumer, settings, USER_BEHAVIOR, START, END)
    for records in read_ranges(consumer, settings, USER_BEHAVIOR, ranges):
        for record in unwrapper.readable(records):
            try:
                ids = _IDS.decode(record.value or b"")
            except (ValueError, RecursionError):
                continue
            names = {str(each) for each in (ids.anonymous_id, ids.session_id) if each is not None}
            if ids.user_id is None:
                of_guest |= names
            elif str(ids.user_id) in shoppers:
                of_shopper |= names
    return of_shopper & of_guest


class _Ids(msgspec.Struct):
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    session_id: str | int | None = None


_IDS = msgspec.json.Decoder(_Ids)


def remaining(settings: Settings, consumer: Consumer, shoppers: Collection[str]) -> list[str]:
    """Read the changelog and shopper-updated, and return the topics whose latest value is not null."""
    keys = {shopper.encode() for shopper in shoppers}
    found = []
    for topic in (changelog(settings, "shoppers"), SHOPPER_UPDATED):
        latest: dict[tuple[int, bytes], bool] = {}
        ranges = resolve_ranges(consumer, settings, topic, Position(), END)
        for records in read_ranges(consumer, settings, topic, ranges):
            for record in records:
                if record.key in keys:
                    latest[record.partition, record.key] = record.value is not None
        if any(latest.values()):
            found.append(topic)
    return found
