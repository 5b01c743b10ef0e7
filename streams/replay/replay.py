"""Replay: write a range of a topic again, exactly once per replay id."""

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import StopWorker
from streams.replay.broker_admin import TIMEOUT_S, translated_kafka_error
from streams.replay.positions import END, Position, Positions
from streams.replay.ranges import OffsetRange, resolve_ranges
from streams.replay.rate_limiter import RateLimiter
from streams.replay.record_selection import NewestRecords
from streams.replay.replay_plan import ReplayPlan, ReplayProgress, check_topics, remaining_ranges
from streams.replay.transactional_copy import next_offsets, open_consumer, read_ranges
from streams.replay.transactional_sender import TransactionalSender
from streams.settings import Settings


class Replay:
    """Runs one replay with its own consumer. Use it as a context manager.

    The consumer group has the replay's id in its name. One transaction writes a batch's records and commits
    the group's offsets. If a replay is interrupted, run it again with the same id: it continues, and writes
    nothing twice.

    Args:
        settings: Settings with the broker's address and the app id.
        replay_id: Id of the replay.

    Attributes:
        group: Name of its consumer group.
    """

    def __init__(self, settings: Settings, replay_id: str) -> None:
        self._settings = settings
        self._id = replay_id
        self.group = f"{settings.app_id}-replay-{replay_id}"
        self._consumer: Consumer = open_consumer(settings, self.group)

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def plan(
        self,
        source: str,
        target: str,
        begin: Position | Positions,
        until: Position | Positions = END,
        rate: float | None = None,
    ) -> ReplayPlan:
        """Resolve the positions to offsets, as of now.

        Args:
            source: Topic to read.
            target: Topic to write to.
            begin: Position of the first record. A partition that has none is left out.
            until: Position after the last record.
            rate: Most records per second; None for no limit.

        Raises:
            StopWorker: A topic does not exist, or must not be read or written.
            RetryLater: The broker is unreachable.
        """
        check_topics(source, target, self._settings)
        ranges = resolve_ranges(self._consumer, self._settings, source, begin, until)
        try:
            metadata = self._consumer.list_topics(target, timeout=TIMEOUT_S).topics[target]
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        if metadata.error is not None:
            raise StopWorker(f"there is no topic {target!r} to replay into: create it first")
        return ReplayPlan(source, tuple(ranges), target, len(metadata.partitions), self._id, rate)

    def with_newest(
        self, plan: ReplayPlan, on_progress: Callable[[int], None] = lambda records: None
    ) -> ReplayPlan:
        """Read the range, and return the plan that selects only the newest record of each key.

        An interrupted replay must find the same records, so the whole range is read.
        """
        newest = NewestRecords()
        for records in read_ranges(self._consumer, self._settings, plan.source, plan.ranges):
            newest.add(plan.selected(records))
            on_progress(len(records))
        return plan._replace(selection=plan.selection._replace(newest=newest.positions()))

    def count(
        self, plan: ReplayPlan, on_progress: Callable[[int], None] = lambda records: None
    ) -> ReplayProgress:
        """Count what `run` would write, and write nothing. It raises what `run` raises."""
        progress = plan.progress()
        for records in read_ranges(
            self._consumer, self._settings, plan.source, self._remaining(plan, on_progress)
        ):
            progress.count(plan.selected(records), len(records))
            on_progress(len(records))
        return progress

    def run(
        self, plan: ReplayPlan, on_progress: Callable[[int], None] = lambda records: None
    ) -> ReplayProgress:
        """Write the part of the plan that earlier runs with the same id have not written.

        Args:
            plan: Plan of this replay.
            on_progress: Called with the number of offsets of each batch, after its commit.

        Returns:
            The counts of this run.

        Raises:
            StopWorker: The broker rejects a request, or a newer run with the same id has fenced this one.
            RetryLater: The broker is unreachable. Run it again with the same id.
        """
        progress = plan.progress()
        limiter = RateLimiter(plan.rate)
        with TransactionalSender(self._settings, self.group) as sender:
            # Entering has fenced earlier runs with this id. Only now are their committed offsets final.
            remaining = self._remaining(plan, on_progress)
            offsets: dict[int, int] = {}
            for records in read_ranges(
                self._consumer, self._settings, plan.source, remaining, limiter.batch_records
            ):
                replayed = plan.selected(records)
                limiter.wait(len(replayed))
                outputs = [plan.output_for(record) for record in replayed]
                offsets |= next_offsets(records)
                if outputs:
                    sender.send(outputs, offsets, self._consumer, plan.source)
                    offsets = {}
                progress.count(replayed, len(records))
                on_progress(len(records))
            if offsets:
                sender.send((), offsets, self._consumer, plan.source)
        return progress

    def _remaining(self, plan: ReplayPlan, on_progress: Callable[[int], None]) -> tuple[OffsetRange, ...]:
        """Return the ranges without what earlier runs with the same id have committed."""
        partitions = [TopicPartition(plan.source, each.partition) for each in plan.ranges]
        try:
            committed = self._consumer.committed(partitions, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        remaining = remaining_ranges(plan.ranges, {each.partition: each.offset for each in committed})
        on_progress(plan.offsets - sum(each.offsets for each in remaining))
        return remaining
