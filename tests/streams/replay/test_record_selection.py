"""Which records of a range a replay writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StopWorker
from streams.records import MemoryRecord
from streams.replay.positions import (
    END,
    START,
    PartitionPosition,
    Position,
    Positions,
    merge_positions,
    parse_partition_position,
)
from streams.replay.record_selection import NewestRecords, RecordSelection, parse_keys
from tests.streams.replay.test_positions import NOW

KEYS = st.sampled_from([b"a", b"b", b"c", None])


@given(st.lists(st.tuples(st.integers(0, 2), KEYS, st.integers(0, 5)), max_size=40), st.integers(1, 7))
def test_the_newest_record_of_each_key_is_selected(
    drawn: list[tuple[int, bytes | None, int]], batch: int
) -> None:
    """The oracle sorts: the last offset of each partition, and of those the highest timestamp."""
    records = [MemoryRecord("t", partition, at, time, key) for at, (partition, key, time) in enumerate(drawn)]
    newest = NewestRecords()
    for start in range(0, len(records), batch):
        newest.add(records[start : start + batch])
    selected = [each for each in records if RecordSelection(None, newest.positions()).selects(each)]
    expected = [each for each in records if each.key is None]
    for key in (b"a", b"b", b"c"):
        last = {each.partition: each for each in records if each.key == key}
        if last:
            expected.append(max(last.values(), key=lambda each: (each.timestamp, each.partition)))
    assert sorted(each.offset for each in selected) == sorted(each.offset for each in expected)


def test_keys_select_their_records_and_no_record_without_a_key() -> None:
    keys = parse_keys(["a\n", "  \n", " ü \r\n"])
    assert keys == {b"a", "ü".encode()}
    selection = RecordSelection(keys)
    assert selection.selects(MemoryRecord("t", 0, 0, key=b"a"))
    assert not selection.selects(MemoryRecord("t", 0, 0, key=b"b"))
    assert not selection.selects(MemoryRecord("t", 0, 0, key=None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1200", PartitionPosition(Position(offset=1200))),
        ("0:1200", PartitionPosition(Position(offset=1200), 0)),
        ("11:start", PartitionPosition(START, 11)),
        ("3:1970-01-01T00:00:01Z", PartitionPosition(Position(time_ms=1000), 3)),
        ("1970-01-01T00:00:01Z", PartitionPosition(Position(time_ms=1000))),
        ("0:", None),
        ("0:1:2", None),
        (":5", None),
        ("٣:5", None),
    ],
)
def test_a_position_may_name_its_partition(text: str, expected: PartitionPosition | None) -> None:
    assert parse_partition_position(text, NOW) == expected


def test_a_partition_has_its_own_position_or_the_general_one() -> None:
    own, general = PartitionPosition(Position(offset=7), 3), PartitionPosition(START)
    assert merge_positions([own], "--from") == Positions(None, {3: Position(offset=7)})
    assert merge_positions([own, general], "--from").of(0) == START
    assert merge_positions([own], "--until", END).of(0) == END
    assert merge_positions([], "--until", END).of(3) == END
    assert merge_positions([own], "--from").of(0) is None
    for twice in ([own, own], [general, general]):
        with pytest.raises(StopWorker, match="--from was given twice"):
            merge_positions(twice, "--from")
