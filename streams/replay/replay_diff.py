"""Compares a candidate's decisions on a range of listings with the published ones. Writes nothing."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace

from confluent_kafka import Consumer

from models.evaluation.decision_diff import DecisionDiff, DecisionSummary
from schemas.codec import decode_product_created, decode_product_enriched
from schemas.errors import InvalidEvent
from schemas.events import DecisionOutcome
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.predictor import Predictor
from streams.provenance import source_of
from streams.records import MemoryRecord
from streams.replay.positions import END, START, Position, Positions
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.record_selection import NewestRecords, RecordSelection
from streams.replay.replay_plan import ReplayPlan
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import PRODUCT_ENRICHED
from streams.wrapping.topics import TopicUnwrapper

BATCH = 256
"""Listings per call of the model."""
ProgressCallback = Callable[[str, int, int], None]
"""Receives the name of a phase, the number of offsets done, and the number of offsets."""


class ReplayDiff:
    """Predicts a range of listings with a candidate, and compares. Use it as a context manager.

    Of each product the newest listing of the range is compared, and only if that listing made the published
    event. In memory are one position and one summary per product.

    Args:
        settings: Settings with the broker's address and the app id.
        predictor: The candidate.
        on_progress: Called with the phase and its progress.
    """

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor,
        on_progress: ProgressCallback = lambda phase, done, total: None,
    ) -> None:
        self._settings = settings
        self._predictor = predictor
        self._on_progress = on_progress
        self._unwrapper = TopicUnwrapper(settings)
        self._consumer: Consumer = open_consumer(settings, f"{settings.app_id}-replay-diff")

    def __enter__(self) -> "ReplayDiff":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def run(
        self,
        source: str,
        begin: Position | Positions,
        until: Position | Positions = END,
        keys: frozenset[bytes] | None = None,
    ) -> DecisionDiff:
        """Compare a range.

        Args:
            source: Topic of listings.
            begin: Position of the first listing. A partition that has none is left out.
            until: Position after the last listing.
            keys: Products to compare; None for all.

        Raises:
            StopWorker: The topic does not exist, or the broker rejects a request.
            RetryLater: The broker is unreachable.
        """
        diff = DecisionDiff(self._predictor.model_version)
        ranges = resolve_ranges(self._consumer, self._settings, source, begin, until)
        plan = ReplayPlan(source, tuple(ranges), source, len(ranges), "", selection=RecordSelection(keys))
        newest = NewestRecords()
        for records in self._read("reading listings", source, ranges):
            newest.add(plan.selected(_with_product_keys(records)))
        positions = newest.positions()
        published = self._published(positions.keys())
        plan = plan._replace(selection=RecordSelection(keys, positions))
        for records in self._read("predicting", source, ranges):
            for batch in _batches(plan.selected(_with_product_keys(records))):
                compare(diff, self._predictor, batch, published)
        return diff

    def _published(self, products: Container[bytes]) -> dict[bytes, DecisionSummary]:
        """Return the current published decisions of products."""
        ranges = resolve_ranges(self._consumer, self._settings, PRODUCT_ENRICHED, START, END)
        published: dict[bytes, DecisionSummary] = {}
        for records in self._read("reading published decisions", PRODUCT_ENRICHED, ranges):
            for record in records:
                if record.key is None or record.key not in products:
                    continue
                published.pop(record.key, None)
                if record.value is not None and (summary := _summary(record.value)) is not None:
                    published[record.key] = summary
        return published

    def _read(self, phase: str, topic: str, ranges: Sequence[OffsetRange]) -> Iterator[list[MemoryRecord]]:
        """Yield the records of ranges, and report the progress in offsets."""
        total = sum(each.offsets for each in ranges)
        done = 0
        self._on_progress(phase, done, total)
        for records in read_ranges(self._consumer, self._settings, topic, ranges):
            yield list(self._unwrapper.readable(records))
            done += len(records)
            self._on_progress(phase, done, total)
        self._on_progress(phase, total, total)


def compare(
    diff: DecisionDiff,
    predictor: Predictor,
    records: Sequence[MemoryRecord],
    published: dict[bytes, DecisionSummary],
) -> None:
    """Predict listings, and add them to the comparison.

    Args:
        diff: The comparison.
        predictor: The candidate.
        records: Records of listings.
        published: The published decisions by key.
    """
    for record, prediction in zip(
        records, predictor.predict([_listing(record) for record in records]), strict=True
    ):
        before = published.get(record.key or b"")
        reason = reason_to_leave_out(record, prediction, before)
        if reason is not None:
            diff.left_out[reason] += 1
            continue
        assert isinstance(prediction, Prediction)
        assert before is not None
        event = decode_product_enriched(prediction.enriched)
        diff.add(prediction.product_id, event.title, before, DecisionSummary.of(event))


def reason_to_leave_out(
    record: MemoryRecord, prediction: Prediction | InvalidListing, published: DecisionSummary | None
) -> str | None:
    """Return why a listing cannot be compared; None if it can.

    Args:
        record: Record of the listing.
        prediction: The candidate's prediction.
        published: The published decision on the product; None if there is none.
    """
    if isinstance(prediction, InvalidListing):
        return "the listing is invalid"
    if prediction.enriched is None:
        return "the product is withdrawn"
    if published is None:
        return "nothing is published: not processed yet, or withdrawn since"
    if published.outcome is DecisionOutcome.PERSON:
        return "a person decided the category"
    if published.listing is not None and published.listing != source_of(record):
        return "another listing of the product is published"
    return None


def _batches(records: list[MemoryRecord]) -> Iterator[list[MemoryRecord]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def _with_product_keys(records: Sequence[MemoryRecord]) -> list[MemoryRecord]:
    """Give records without a key the product's. Invalid ones stay as they are."""
    return [record if record.key is not None else _with_product_key(record) for record in records]


def _with_product_key(record: MemoryRecord) -> MemoryRecord:
    try:
        return replace(record, key=decode_product_created(record.value, None).product_id.encode())
    except InvalidEvent:
        return record


def _listing(record: MemoryRecord) -> Listing:
    source = source_of(record)
    return Listing(record.value, record.key, source.topic, source.partition, source.offset)


def _summary(value: bytes) -> DecisionSummary | None:
    try:
        return DecisionSummary.of(decode_product_enriched(value))
    except InvalidEvent:
        return None  # another program wrote it
