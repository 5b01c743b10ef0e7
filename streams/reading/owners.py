"""Which worker has the partition of a key, by what workers say about themselves in the topic of workers."""

import threading
from collections.abc import Iterable

from streams.records import Record
from streams.replay.worker_records import WorkerRecord, decode_worker_record


class Owners:
    """The newest record of each worker: a view of the topic of workers. Threads may read and write."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[int, WorkerRecord]] = {}
        self._lock = threading.Lock()

    def update(self, records: Iterable[Record]) -> None:
        """Apply records of the topic. What is no worker's record is ignored."""
        with self._lock:
            for record in records:
                worker = decode_worker_record(record.value)
                if worker is not None:
                    self._records[worker.member_id] = record.timestamp, worker

    def claimants(self, agent: str, partition: int) -> list[WorkerRecord]:
        """Return the workers that last said that they have a partition of an agent, the latest word first.

        Several can have said so: a worker that died does not say that it has the partition no longer.
        """
        with self._lock:
            found = [
                each for each in self._records.values() if partition in each[1].partitions.get(agent, ())
            ]
        return [worker for _, worker in sorted(found, key=lambda each: -each[0])]
