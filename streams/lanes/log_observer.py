"""An observer that logs what lanes report."""

from collections.abc import Mapping

import structlog

from streams.lanes.observer import LaneState, LaneView, Observer
from streams.lanes.start_offsets import InputReset
from streams.records import Partition, Record

log = structlog.get_logger()


def added_partitions(topic: str, count: int, partitions: int) -> str:
    """Return what it means that a topic has more partitions than lanes, and what to do.

    Args:
        topic: The topic.
        count: Its number of partitions.
        partitions: The number of partitions that have lanes.
    """
    return (
        f"{topic} has {count} partitions, and this deployment reads the first {partitions}: nobody reads the"
        " rest, and producers now split the records of a key. Stop the producers, and do not restart workers:"
        " they would refuse to start. Kafka cannot remove partitions, so the topic must be created again; see"
        " `Partitions were added` in docs/operations/on-call.md"
    )


class LogObserver(Observer):
    """Logs lanes that run, failures, lost records and dead letters."""

    def lane_changed(self, lane: LaneView, state: LaneState, detail: str) -> None:
        """Log that a lane runs, or why it does not."""
        if state is LaneState.RUNNING:
            offsets = {at.topic: offset for at, offset in lane.next_offsets.items()}
            log.info("lane runs", lane=str(lane), next_offsets=offsets)
        else:
            log.debug("lane state changed", lane=str(lane), state=state.value, detail=detail)

    def records_expired(self, lane: LaneView, at: Partition, count: int) -> None:
        """Log that records are lost."""
        log.error(
            "retention removed records before they were read",
            lane=str(lane),
            partition=str(at),
            offsets=count,
        )

    def partitions_added(self, added: Mapping[str, int], partitions: int) -> None:
        """Log that records are not read, and what to do."""
        for topic, count in added.items():
            log.error(added_partitions(topic, count, partitions))

    def batch_rolled_back(self, lane: LaneView, records: int, seconds: float) -> None:
        """Log how much work is lost."""
        log.warning(
            "batch rolled back: the lane moves or the worker stops, and the next owner processes it again",
            lane=str(lane),
            records=records,
            seconds=round(seconds, 1),
        )

    def batch_failed(self, lane: LaneView, error: BaseException) -> None:
        """Log the error."""
        if isinstance(error, InputReset):
            log.error("the log of an input is another one", lane=str(lane), error=str(error))
        else:
            log.warning("batch failed, retrying", lane=str(lane), error=repr(error))

    def record_dead_lettered(self, lane: LaneView, record: Record, error: Exception) -> None:
        """Log the position of the record, and the error with its traceback, because it is unexpected."""
        log.error(
            "record dead-lettered",
            lane=str(lane),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            exc_info=error,
        )
