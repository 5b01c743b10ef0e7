"""The record buffer returns all records once, in order and within limits, for any sequence of offers."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.lanes.record_buffer import InputBatch, RecordBuffer
from streams.records import RECORD_BYTES, MemoryRecord, Partition, size_of

FIRST, SECOND = Partition("first", 0), Partition("second", 0)
RECORDS, BYTES = 5, 5 * RECORD_BYTES + 40


def records(at: Partition, *offsets: int, size: int = 1) -> list[MemoryRecord]:
    """Records with values of `size` bytes."""
    return [MemoryRecord(at.topic, at.partition, offset, value=b"x" * size) for offset in offsets]


def offsets(taken: InputBatch) -> list[int]:
    return [record.offset for record in taken.records]


def queue(batch_records: int = RECORDS, batch_bytes: int = BYTES) -> RecordBuffer:
    made = RecordBuffer([FIRST, SECOND], batch_records, batch_bytes)
    made.restart({FIRST: 0, SECOND: 0})
    return made


class RecordBufferMachine(RuleBasedStateMachine):
    """A buffer between a log with gaps, which is fetched with overlaps, and a reader that takes batches."""

    inputs = st.sampled_from([FIRST, SECOND])

    def __init__(self) -> None:
        super().__init__()
        self.queue = queue()
        self.logs: dict[Partition, list[MemoryRecord]] = {FIRST: [], SECOND: []}
        # How much of each log was offered, and taken, as places in it.
        self.offered = {FIRST: 0, SECOND: 0}
        self.taken = {FIRST: 0, SECOND: 0}

    def _waiting(self, at: Partition) -> list[MemoryRecord]:
        return self.logs[at][self.taken[at] : self.offered[at]]

    @rule(at=inputs, gap=st.integers(0, 3), size=st.integers(0, 60), count=st.integers(1, 8))
    def write(self, at: Partition, gap: int, size: int, count: int) -> None:
        """Transaction markers leave gaps between offsets."""
        log = self.logs[at]
        start = (log[-1].offset + 1 if log else 0) + gap
        log.extend(records(at, *range(start, start + count), size=size))

    @rule(at=inputs, again=st.integers(0, 6), count=st.integers(0, 12))
    def offer(self, at: Partition, again: int, count: int) -> None:
        """Offer the next records, and some earlier ones again."""
        end = min(len(self.logs[at]), self.offered[at] + count)
        fetched = self.logs[at][max(0, self.offered[at] - again) : end]
        assert self.queue.offer(at, fetched) is (end > self.offered[at])
        self.offered[at] = end

    @precondition(lambda self: bool(self.queue))
    @rule()
    def take(self) -> None:
        at, batch, size = self.queue.take()
        assert at == (FIRST if self._waiting(FIRST) else SECOND)
        assert list(batch) == self._waiting(at)[: len(batch)]
        assert 1 <= len(batch) <= RECORDS
        assert size == sum(map(size_of, batch))
        assert size <= BYTES or len(batch) == 1
        self.taken[at] += len(batch)

    @rule()
    def clear(self) -> None:
        """Drop all records. Records that were accepted are not accepted again."""
        self.queue.clear()
        self.taken = dict(self.offered)

    @rule(back=st.integers(0, 10))
    def restart(self, back: int) -> None:
        """Restart at earlier offsets, as after a failed batch."""
        for at in (FIRST, SECOND):
            self.offered[at] = self.taken[at] = max(0, self.taken[at] - back)
        self.queue.restart(
            {
                at: log[place].offset if place < len(log) else (log[-1].offset + 1 if log else 0)
                for at, log in self.logs.items()
                for place in [self.offered[at]]
            }
        )

    @invariant()
    def bytes_are_exact(self) -> None:
        for at in (FIRST, SECOND):
            assert self.queue.bytes_of(at) == sum(map(size_of, self._waiting(at)))
        assert self.queue.bytes == self.queue.bytes_of(FIRST) + self.queue.bytes_of(SECOND)

    @invariant()
    def it_knows_whether_something_waits(self) -> None:
        assert bool(self.queue) == bool(self._waiting(FIRST) or self._waiting(SECOND))


TestRecordBuffer = RecordBufferMachine.TestCase
TestRecordBuffer.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


def test_small_fetches_are_joined_to_one_batch() -> None:
    """Up to the limit of records; a fetch beyond it is cut."""
    small = queue()
    small.offer(FIRST, records(FIRST, 0, 1))
    small.offer(FIRST, records(FIRST, 2, 3))
    small.offer(FIRST, records(FIRST, 4, 5, 6))
    assert offsets(small.take()) == [0, 1, 2, 3, 4]
    assert offsets(small.take()) == [5, 6]


def test_a_fetch_is_cut_where_its_bytes_end() -> None:
    small = queue(batch_bytes=2 * RECORD_BYTES + 10)
    small.offer(FIRST, records(FIRST, 0, 1, 2, 3, size=4))
    assert offsets(small.take()) == [0, 1]
    assert offsets(small.take()) == [2, 3]
    small.offer(FIRST, records(FIRST, 4, 5, size=4))
    small.offer(FIRST, records(FIRST, 6, size=4))
    assert offsets(small.take()) == [4, 5]


def test_headers_and_empty_records_count_too() -> None:
    """Otherwise records with large headers, or a million tombstones, would fill the memory and no batch."""
    small = queue(batch_bytes=1_000)
    small.offer(FIRST, [MemoryRecord(*FIRST, number, headers=[("h", b"x" * 600)]) for number in range(2)])
    assert offsets(small.take()) == [0]
    assert small.bytes == RECORD_BYTES + 601
    small.clear()
    small.offer(FIRST, [MemoryRecord(*FIRST, number) for number in range(2, 7)])
    assert offsets(small.take()) == [2, 3, 4]


def test_a_record_above_the_limit_goes_alone() -> None:
    """It is not held back."""
    small = queue(batch_bytes=10)
    small.offer(FIRST, records(FIRST, 0, size=100) + records(FIRST, 1))
    assert offsets(small.take()) == [0]
    assert offsets(small.take()) == [1]


def test_records_before_the_restart_are_not_accepted() -> None:
    fresh = queue()
    fresh.restart({FIRST: 5, SECOND: 0})
    assert fresh.offer(FIRST, records(FIRST, 3, 4)) is False
    assert fresh.offer(FIRST, records(FIRST, 4, 5, 6)) is True
    assert offsets(fresh.take()) == [5, 6]


def test_taking_from_an_empty_buffer_is_an_error() -> None:
    with pytest.raises(IndexError, match="empty"):
        queue().take()


def test_a_batch_is_as_full_as_its_limits_allow() -> None:
    """A batch may reach the limit exactly."""
    full = queue(batch_bytes=3 * (RECORD_BYTES + 4))
    full.offer(FIRST, records(FIRST, 0, 1, 2, 3, size=4))
    assert offsets(full.take()) == [0, 1, 2]


def test_keys_count_among_the_bytes() -> None:
    counted = queue()
    counted.offer(FIRST, [MemoryRecord("first", 0, 0, key=b"four", value=b"sixsix"), *records(FIRST, 1)])
    assert counted.bytes == 2 * RECORD_BYTES + 11
