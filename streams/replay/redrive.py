"""Redriving: dead letters go back to where they came from, each once, however often it is asked."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException

from schemas.errors import StopWorker
from streams.backoff import TokenBucket
from streams.records import Output
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.dead_letter_records import UNKNOWN, Choice, DeadLetter, parse, way_back
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.transactional_copy import BATCH_RECORDS, TransactionalSender, open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import DEAD_LETTER, redriven


def receipt(topic: str, letters: list[DeadLetter]) -> Output:
    """The record, written with redriven dead letters, that remembers them."""
    offsets: dict[str, list[int]] = {}
    for letter in letters:
        offsets.setdefault(str(letter.record.partition), []).append(letter.record.offset)
    value = json.dumps(offsets, separators=(",", ":")).encode()
    return Output(topic, letters[0].record.partition, None, value)


def read_receipt(value: bytes | None) -> set[tuple[int, int]]:
    """The partitions and offsets that a receipt remembers.

    Raises:
        StopWorker: it is none: something else writes to the topic.
    """
    try:
        offsets = json.loads(value or b"")
        return {(int(partition), int(offset)) for partition, each in offsets.items() for offset in each}
    except (ValueError, TypeError, AttributeError) as error:
        raise StopWorker(f"not a receipt of redriven dead letters: {(value or b'')[:80]!r}") from error


@dataclass
class Redriven:
    """What a run did, or would do: counts of dead letters."""

    sent: Counter[str] = field(default_factory=Counter)
    already: int = 0
    not_chosen: int = 0
    homeless: Counter[str] = field(default_factory=Counter)


class DeadLetterReader:
    """Reads the dead-letter topic; a context manager.

    Args:
        settings: where Kafka is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.consumer: Consumer = open_consumer(settings, f"{settings.app_id}-dead-letters")

    def __enter__(self) -> "DeadLetterReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.close()

    def ranges(self, begin: Position, until: Position = END) -> list[OffsetRange]:
        """The offsets between two positions, as of now."""
        return resolve_ranges(self.consumer, self._settings, DEAD_LETTER, begin, until)

    def read(self, ranges: list[OffsetRange], batch: int = BATCH_RECORDS) -> Iterator[list[DeadLetter]]:
        """The dead letters of the ranges, in batches."""
        for records in read_ranges(self.consumer, self._settings, DEAD_LETTER, ranges, batch):
            yield [parse(record) for record in records]

    def at(self, place: OffsetRange) -> DeadLetter | None:
        """The dead letter at the first offset of `place`, or None if there is none (any more)."""
        ranges = self.ranges(Position(offset=place.start), Position(offset=place.start + 1))
        for letters in self.read([each for each in ranges if each.partition == place.partition]):
            return letters[0]
        return None

    def already_redriven(self) -> set[tuple[int, int]]:
        """The partitions and offsets of dead letters that were redriven before."""
        topic = redriven(self._settings)
        if topic not in self.partitions():
            if self._settings.embedded:
                return set()
            raise StopWorker(f"there is no topic {topic!r}, which remembers: run `shelfstream topics create`")
        ranges = resolve_ranges(self.consumer, self._settings, topic, START, END)
        done: set[tuple[int, int]] = set()
        for records in read_ranges(self.consumer, self._settings, topic, ranges):
            for record in records:
                done |= read_receipt(record.value)
        return done

    def partitions(self) -> dict[str, int]:
        """The number of partitions of every topic of the broker."""
        try:
            listed = self.consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        return {name: len(topic.partitions) for name, topic in listed.items()}


def redrive(
    settings: Settings,
    reader: DeadLetterReader,
    ranges: list[OffsetRange],
    choice: Choice,
    *,
    again: bool = False,
    rate: float | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda letters: None,
) -> Redriven:
    """Send chosen dead letters back to their topics.

    A batch and the receipt that remembers it are one transaction. Only the newest of several runs at once
    writes, and it reads the receipts after it has stopped the others.

    Args:
        settings: where Kafka is, and as whom.
        reader: reads the dead letters.
        ranges: where to look for them.
        choice: which are meant.
        again: also those that were redriven before.
        rate: records per second at most.
        dry_run: only count.
        on_progress: hears how many dead letters were looked at.

    Raises:
        StopWorker: the broker refuses, or another run took over.
        RetryLater: the broker is away; run it again.
    """
    counts = Redriven()
    batch = BATCH_RECORDS if rate is None else max(1, min(BATCH_RECORDS, int(rate / 10)))
    pace = None if rate is None or dry_run else TokenBucket(batch, rate, time.monotonic())
    with ExitStack() as stack:
        sender = None
        if not dry_run:
            sender = stack.enter_context(TransactionalSender(settings, f"{settings.app_id}-redrive"))
        done = set() if again else reader.already_redriven()
        partitions = reader.partitions()
        for letters in reader.read(ranges, batch):
            chosen = _chosen(letters, choice, done, partitions, counts)
            if pace is not None:
                time.sleep(pace.spend(len(chosen), time.monotonic()))
            if sender is not None and chosen:
                outputs = [way_back(letter, partitions[letter.source_topic or ""]) for letter in chosen]
                sender.send([*outputs, receipt(redriven(settings), chosen)])
            counts.sent.update(letter.source_topic or UNKNOWN for letter in chosen)
            on_progress(len(letters))
    return counts


def _chosen(
    letters: list[DeadLetter],
    choice: Choice,
    done: set[tuple[int, int]],
    partitions: dict[str, int],
    counts: Redriven,
) -> list[DeadLetter]:
    """Those to be sent; the others are counted by why not."""
    chosen = []
    for letter in letters:
        if not choice.includes(letter):
            counts.not_chosen += 1
        elif (letter.record.partition, letter.record.offset) in done:
            counts.already += 1
        elif letter.source_topic is None:
            counts.homeless["no header tells the source topic"] += 1
        elif letter.left_out is not None:
            # Without its value it would go back as a tombstone.
            counts.homeless["too large to be kept whole; write it again in smaller records"] += 1
        elif letter.source_topic not in partitions:
            counts.homeless[f"there is no topic {letter.source_topic!r}"] += 1
        else:
            chosen.append(letter)
    return chosen
