"""Redrive: send dead letters back to their source topics, each once over all runs."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import orjson
from confluent_kafka import Consumer, KafkaException

from schemas.errors import StopWorker
from streams.records import Output
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.dead_letter_records import (
    UNKNOWN,
    DeadLetter,
    DeadLetterFilter,
    parse_dead_letter,
    redrive_record,
)
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.rate_limiter import RateLimiter
from streams.replay.transactional_copy import BATCH_RECORDS, TransactionalSender, open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import DEAD_LETTER, redriven


def receipt(topic: str, letters: list[DeadLetter]) -> Output:
    """Return the receipt of redriven dead letters, to be written in the same transaction.

    Its value is a JSON object: offsets in the dead-letter topic by partition.

    Args:
        topic: Topic of receipts.
        letters: Redriven dead letters, at least one.
    """
    offsets: dict[str, list[int]] = {}
    for letter in letters:
        offsets.setdefault(str(letter.record.partition), []).append(letter.record.offset)
    value = orjson.dumps(offsets)
    return Output(topic, letters[0].record.partition, None, value)


def read_receipt(value: bytes | None) -> set[tuple[int, int]]:
    """Return the redriven dead letters of a receipt, as pairs of partition and offset.

    Args:
        value: Value of a record of the topic of receipts.

    Raises:
        StopWorker: The value is no receipt: something else writes to the topic.
    """
    try:
        offsets = orjson.loads(value or b"")
        return {(int(partition), int(offset)) for partition, each in offsets.items() for offset in each}
    except (ValueError, TypeError, AttributeError) as error:
        raise StopWorker(f"not a receipt of redriven dead letters: {(value or b'')[:80]!r}") from error


@dataclass
class RedriveCounts:
    """Counts of dead letters of a redrive, or of a dry run.

    Attributes:
        sent: Dead letters sent back, by source topic.
        already_redriven: Selected dead letters that an earlier run sent back.
        not_selected: Dead letters that the filter does not select.
        unroutable: Selected dead letters that cannot be sent back, by reason.
    """

    sent: Counter[str] = field(default_factory=Counter)
    already_redriven: int = 0
    not_selected: int = 0
    unroutable: Counter[str] = field(default_factory=Counter)


class DeadLetterReader:
    """Reads the dead-letter topic. Use it as a context manager.

    Args:
        settings: Settings with the broker's address.

    Attributes:
        consumer: Its consumer. It reads committed records only.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.consumer: Consumer = open_consumer(settings, f"{settings.app_id}-dead-letters")

    def __enter__(self) -> "DeadLetterReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.close()

    def ranges(self, begin: Position, until: Position = END) -> list[OffsetRange]:
        """Return the offsets between two positions of the dead-letter topic, as of now."""
        return resolve_ranges(self.consumer, self._settings, DEAD_LETTER, begin, until)

    def read(self, ranges: list[OffsetRange], batch: int = BATCH_RECORDS) -> Iterator[list[DeadLetter]]:
        """Yield the dead letters of `ranges` in lists of at most `batch`."""
        for records in read_ranges(self.consumer, self._settings, DEAD_LETTER, ranges, batch):
            yield [parse_dead_letter(record) for record in records]

    def read_one(self, place: OffsetRange) -> DeadLetter | None:
        """Return the dead letter at the first offset of `place`; None if there is none, or no longer."""
        ranges = self.ranges(Position(offset=place.start), Position(offset=place.start + 1))
        for letters in self.read([each for each in ranges if each.partition == place.partition]):
            return letters[0]
        return None

    def redriven_offsets(self) -> set[tuple[int, int]]:
        """Return the dead letters that were redriven before, as pairs of partition and offset.

        Raises:
            StopWorker: There is no topic of receipts, or a record of it is no receipt.
            RetryLater: The broker is unreachable.
        """
        topic = redriven(self._settings)
        if topic not in self.partitions():
            if self._settings.embedded:
                return set()
            raise StopWorker(f"there is no topic {topic!r} for receipts: run `shelfstream topics create`")
        ranges = resolve_ranges(self.consumer, self._settings, topic, START, END)
        redriven_before: set[tuple[int, int]] = set()
        for records in read_ranges(self.consumer, self._settings, topic, ranges):
            for record in records:
                redriven_before |= read_receipt(record.value)
        return redriven_before

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of every topic, by topic name."""
        try:
            topics = self.consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}


def redrive(
    settings: Settings,
    reader: DeadLetterReader,
    ranges: list[OffsetRange],
    selection: DeadLetterFilter,
    *,
    again: bool = False,
    rate: float | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda letters: None,
) -> RedriveCounts:
    """Send the selected dead letters back to their source topics.

    One transaction writes a batch and its receipt. Of several concurrent runs only the newest can write: it
    fences the others before it reads the receipts.

    Args:
        settings: Settings with the broker's address and the app id.
        reader: Reader of the dead letters.
        ranges: Offsets of the dead-letter topic to read.
        selection: Selects the dead letters to send.
        again: Whether to send also what an earlier run has sent.
        rate: Most records per second; None for no limit.
        dry_run: Whether to count only and send nothing.
        on_progress: Called with the number of dead letters of each batch read.

    Returns:
        The counts of this run.

    Raises:
        StopWorker: The broker rejects a request, or a newer run has fenced this one.
        RetryLater: The broker is unreachable. Run the redrive again.
    """
    counts = RedriveCounts()
    limiter = RateLimiter(None if dry_run else rate)
    with ExitStack() as stack:
        sender = None
        if not dry_run:
            sender = stack.enter_context(TransactionalSender(settings, f"{settings.app_id}-redrive"))
        redriven_before = set() if again else reader.redriven_offsets()
        partitions = reader.partitions()
        for letters in reader.read(ranges, limiter.batch_records):
            selected = _select(letters, selection, redriven_before, partitions, counts)
            limiter.wait(len(selected))
            if sender is not None and selected:
                outputs = [redrive_record(each, partitions[each.source_topic or ""]) for each in selected]
                sender.send([*outputs, receipt(redriven(settings), selected)])
            counts.sent.update(letter.source_topic or UNKNOWN for letter in selected)
            on_progress(len(letters))
    return counts


def _select(
    letters: list[DeadLetter],
    selection: DeadLetterFilter,
    redriven_before: set[tuple[int, int]],
    partitions: dict[str, int],
    counts: RedriveCounts,
) -> list[DeadLetter]:
    """Return the dead letters to send, and count the others by the reason."""
    selected = []
    for letter in letters:
        if not selection.matches(letter):
            counts.not_selected += 1
        elif (letter.record.partition, letter.record.offset) in redriven_before:
            counts.already_redriven += 1
        elif letter.source_topic is None:
            counts.unroutable["no header names the source topic"] += 1
        elif letter.left_out is not None:
            # Without its value the record would be written as a tombstone.
            counts.unroutable["too large for the dead-letter topic; produce it again in smaller records"] += 1
        elif letter.source_topic not in partitions:
            counts.unroutable[f"there is no topic {letter.source_topic!r}"] += 1
        else:
            selected.append(letter)
    return selected
