"""Waits until every worker of the group serves a model."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer, ConsumerGroupState

from schemas.errors import RetryLater, ShelfstreamError, StopWorker
from streams.permission_check import why_not_listed
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.positions import END, Position, Positions
from streams.replay.ranges import resolve_ranges
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.replay.worker_records import (
    UNKNOWN_HOST,
    Group,
    GroupMember,
    WantedModel,
    WorkerRecord,
    decode_worker_record,
    unmet_conditions,
)
from streams.settings import Settings
from streams.topics import PRODUCT_CREATED, workers

_POLL_S = 1.0


class NotAllServe(ShelfstreamError):
    """Not every worker serves the model within the timeout. The message names those that do not."""


class WorkerModels:
    """Reads which model each worker serves. Use it as a context manager.

    Args:
        settings: Settings with the broker's address and the app id.

    Attributes:
        records: The newest record of each worker, by member id.
        partitions: Number of partitions of the listings' topic.

    Raises:
        StopWorker: There is no topic of workers.
        RetryLater: The broker is unreachable.
    """

    def __init__(self, settings: Settings) -> None:
        self.records: dict[str, WorkerRecord] = {}
        self._settings = settings
        self._topic = workers(settings)
        self._admin = BrokerAdmin(settings)
        self._group = Group(stable=False, members=())
        topics = self._admin.topics()
        if self._topic not in topics:
            reason = why_not_listed(settings, self._topic)
            raise StopWorker(f"workers say which model they serve in {self._topic}: {reason}")
        self.partitions = topics.get(PRODUCT_CREATED, 0)
        self._read_up_to: dict[int, Position] = {}
        self._consumer: Consumer = open_consumer(settings, f"{settings.app_id}-models")

    def __enter__(self) -> "WorkerModels":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def group(self) -> Group:
        """Return the consumer group as it is now."""
        described = self._admin.describe_group(self._settings.app_id)
        members = [
            GroupMember(
                each.member_id,
                (each.host or "").lstrip("/") or UNKNOWN_HOST,
                frozenset(
                    at.partition for at in each.assignment.topic_partitions if at.topic == PRODUCT_CREATED
                ),
            )
            for each in described.members
        ]
        return Group(described.state is ConsumerGroupState.STABLE, tuple(members))

    def read(self) -> None:
        """Read the records that came since the last call."""
        begin = Positions(Position(), self._read_up_to)
        ranges = resolve_ranges(self._consumer, self._settings, self._topic, begin, END)
        for records in read_ranges(self._consumer, self._settings, self._topic, ranges):
            for record in records:
                if (worker := decode_worker_record(record.value)) is not None:
                    self.records[worker.member_id] = worker
        self._read_up_to = {each.partition: Position(offset=each.end) for each in ranges}

    def unmet(self, wanted: WantedModel) -> list[str]:
        """Return why not all workers serve a model; see `unmet_conditions`."""
        self._group = self.group()
        # Read after the group, so that a member's record is not missed.
        self.read()
        return unmet_conditions(wanted, self._group, self.records, self.partitions)

    def current(self) -> list[tuple[GroupMember, WorkerRecord | None]]:
        """Return the members of the group as of the last `unmet`, each with its record."""
        return [(each, self.records.get(each.member_id)) for each in self._group.members]


def wait_for_model(
    models: WorkerModels,
    wanted: WantedModel,
    timeout_s: float,
    on_change: Callable[[list[str]], None] = lambda unmet: None,
) -> None:
    """Wait until every worker serves a model. A broker that does not answer is waited for.

    Args:
        models: Reader of the workers' records.
        wanted: The model.
        timeout_s: Seconds to wait.
        on_change: Called with the reasons to wait when they change.

    Raises:
        NotAllServe: The timeout passed. The message names the workers that do not serve it.
        StopWorker: The broker rejects a request.
    """
    deadline = time.monotonic() + timeout_s
    before: list[str] = []
    while True:
        try:
            unmet = models.unmet(wanted)
        except RetryLater as error:
            unmet = [str(error)]
        if not unmet:
            return
        if unmet != before:
            on_change(unmet)
            before = unmet
        if time.monotonic() > deadline:
            raise NotAllServe(
                f"not every worker serves {wanted} after {timeout_s:,.0f} s:\n  " + "\n  ".join(unmet)
            )
        time.sleep(_POLL_S)
