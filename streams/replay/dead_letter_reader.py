"""Reads the dead-letter topic and the receipts of handled dead letters."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaException

from schemas.errors import StopWorker
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.dead_letter_records import DeadLetter, parse_dead_letter
from streams.replay.positions import END, START, Position
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.receipts import Handling, Place, handling_of, read_receipt
from streams.replay.transactional_copy import BATCH_RECORDS, open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import DEAD_LETTER, redriven


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

    def handled(self, required: bool = True) -> dict[Place, Handling]:
        """Return how each dead letter was handled that was handled before.

        Args:
            required: Whether the topic of receipts must exist: without it nothing may be sent.

        Raises:
            StopWorker: There is no topic of receipts, or a record of it is no receipt.
            RetryLater: The broker is unreachable.
        """
        topic = redriven(self._settings)
        if topic not in self.partitions():
            if self._settings.embedded or not required:
                return {}
            raise StopWorker(f"there is no topic {topic!r} for receipts: run `shelfstream topics create`")
        ranges = resolve_ranges(self.consumer, self._settings, topic, START, END)
        handled: dict[Place, Handling] = {}
        for records in read_ranges(self.consumer, self._settings, topic, ranges):
            for record in records:
                handled |= dict.fromkeys(read_receipt(record.value), handling_of(record))
        return handled

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of every topic, by topic name."""
        try:
            topics = self.consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}
