"""Where a lane starts to read an input: at what is committed, if the log is still the same.

Kafka answers a fetch by offset alone. A topic that was deleted and created again, or a log that lost its end,
has other records at the same offsets: reading on would skip or repeat records in silence. This module decides
from what the group, the state and the log say; it does no I/O.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.errors import RetryLater
from streams.records import InputLog, Partition, ReadPosition

OnTopicRecreated = Literal["stop", "earliest", "latest"]


class InputReset(RetryLater):
    """The log of an input is not the one that was read before. The lane waits for a decision."""


@dataclass(frozen=True, slots=True)
class StartOffset:
    """Where a lane starts.

    Attributes:
        offset: The first offset to read.
        expired: Offsets between the committed position and `offset` that the topic's retention removed
            before anyone read them. Transaction markers count too, so this is an upper bound of records.
        must_commit: Whether the group's committed position is another one, so that it must be committed.
        problem: Why the log is another one than was read before; empty if it is not.
    """

    offset: int
    expired: int = 0
    must_commit: bool = False
    problem: str = ""


def start_offset(
    at: Partition,
    log: InputLog,
    *,
    committed: ReadPosition | None,
    in_state: ReadPosition | None,
    on_topic_recreated: OnTopicRecreated,
) -> StartOffset:
    """Decide where to read an input.

    The state and the group's offsets are committed together, so the later of the two is right: the group's
    offsets can expire or be deleted while the state stays, and a worker of an earlier version writes no
    position into the state.

    Args:
        at: The input.
        log: The input as its broker has it now.
        committed: The group's position, if any.
        in_state: The position that the restored state contains, if any.
        on_topic_recreated: What to do about another log: `stop`, or read it from its start or its end.

    Returns:
        The offset, and how many offsets expired unread.

    Raises:
        InputReset: The log is another one, and `on_topic_recreated` is `stop`.
    """
    positions = [each for each in (committed, in_state) if each is not None]
    if not positions:
        return StartOffset(log.first)
    problem = _problem(at, log, positions)
    if problem is not None:
        if on_topic_recreated == "stop":
            raise InputReset(
                f"{problem}. Restore the topic, or start the worker with"
                " SHELFSTREAM_ON_TOPIC_RECREATED=earliest"
                " to read all that is there now, or =latest to read what comes from now on"
            )
        start = log.first if on_topic_recreated == "earliest" else log.end
        return StartOffset(start, must_commit=True, problem=problem)
    offset = max(each.offset for each in positions)
    start = max(offset, log.first)
    new_id = committed is not None and log.topic_id not in ("", committed.topic_id)
    must_commit = committed is None or committed.offset != start or new_id
    return StartOffset(start, expired=max(0, log.first - offset), must_commit=must_commit)


def _problem(at: Partition, log: InputLog, positions: list[ReadPosition]) -> str | None:
    """Say why the log is not the one that the positions are of; None if it may be."""
    for position in positions:
        if position.topic_id and log.topic_id and position.topic_id != log.topic_id:
            return (
                f"topic {at.topic} was deleted and created again: offset {position.offset} of {at} was"
                f" processed in the topic with id {position.topic_id}, and its id is {log.topic_id} now"
            )
    offset = max(each.offset for each in positions)
    if offset > log.end:
        return (
            f"{at} ends at offset {log.end}, before offset {offset} that was processed: its log was"
            " truncated, or the topic was deleted and created again"
        )
    return None
