"""A dead letter is the original record with the reason and the position in headers."""

import pytest

from schemas.dead_letters import (
    ADDED_BYTES,
    ATTEMPT,
    DESCRIPTIONS,
    GROUP,
    LEFT_OUT,
    MESSAGE,
    REASON,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    SOURCE_TOPIC,
    STAGE,
    TIMESTAMP,
)
from schemas.errors import InvalidEvent
from schemas.events import Source
from streams.agents.dead_letters import LARGEST, DeadLetterBuilder
from streams.provenance import MOVED_FROM, ORIGIN, input_of, source_of
from streams.records import MemoryRecord
from streams.topics import CATEGORY_FEEDBACK, DEAD_LETTER, PRODUCT_CREATED, PRODUCT_REPARTITION

ERROR = InvalidEvent("invalid-field", "$.title: is a number; write a text", "$.title")


def record(topic: str = PRODUCT_CREATED, headers: tuple[tuple[str, bytes | None], ...] = ()) -> MemoryRecord:
    """A record with a key and a value that are not UTF-8."""
    return MemoryRecord(topic, 5, 77, 1_234, b"\xff\x00key", b"\x00\xfe", headers)  # type: ignore[arg-type]


def test_a_dead_letter_keeps_key_value_and_headers() -> None:
    """Byte for byte, in their order, null header values included."""
    own = (("a", b"\xff"), ("b", None), ("a", b"again"))
    letter = DeadLetterBuilder("group", 4)(record(headers=own), ERROR, "decode")
    assert (letter.topic, letter.key, letter.value) == (DEAD_LETTER, b"\xff\x00key", b"\x00\xfe")
    assert list(letter.headers[:3]) == list(own)


def test_a_dead_letter_has_reason_and_position() -> None:
    headers = dict(DeadLetterBuilder("group", 4)(record(), ERROR, "decode").headers)
    assert headers[REASON] == b"invalid-field"
    assert headers[MESSAGE].decode() == ERROR.detail
    assert [headers[name] for name in (SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET)] == [
        PRODUCT_CREATED.encode(),
        b"5",
        b"77",
    ]
    assert [headers[name] for name in (STAGE, GROUP, TIMESTAMP, ATTEMPT)] == [
        b"decode",
        b"group",
        b"1234",
        b"1",
    ]


def test_an_unexpected_error_is_described_with_its_traceback_within_bounds() -> None:
    """A long message does not make the dead letter too large for the broker."""
    letter = DeadLetterBuilder("group", 4)(record(), ValueError("x" * 1_000_000), "enrich")
    headers = dict(letter.headers)
    assert headers[REASON] == b"failed"
    assert sum(len(name) + len(value) for name, value in letter.headers) <= ADDED_BYTES


@pytest.mark.parametrize(("partitions", "partition"), [(4, 1), (5, 0), (6, 5), (1, 0)])
def test_a_dead_letter_goes_to_a_partition_that_exists(partitions: int, partition: int) -> None:
    assert DeadLetterBuilder("group", partitions)(record(), ERROR, "decode").partition == partition


@pytest.mark.parametrize(
    ("said", "attempt"),
    [(b"3", b"3"), (b"", b"1"), (b"three", b"1"), (b"-1", b"1"), (b"9" * 5_000, b"1"), (None, b"1")],
)
def test_the_attempt_is_that_of_the_redrive(said: bytes | None, attempt: bytes) -> None:
    letter = DeadLetterBuilder("group", 4)(record(headers=((ATTEMPT, said),)), ERROR, "decode")
    assert [value for name, value in letter.headers if name == ATTEMPT] == [attempt]


def test_a_record_that_failed_before_describes_this_failure_only() -> None:
    """No header of shelfstream appears twice."""
    first = DeadLetterBuilder("old-group", 4)(record(), ValueError("old"), "old")
    again = MemoryRecord(PRODUCT_CREATED, 5, 78, 1_234, first.key, first.value, first.headers)
    names = [name for name, _ in DeadLetterBuilder("group", 4)(again, ERROR, "decode").headers]
    assert len(names) == len(set(names))
    headers = dict(DeadLetterBuilder("group", 4)(again, ERROR, "decode").headers)
    assert (headers[GROUP], headers[SOURCE_OFFSET]) == (b"group", b"78")
    assert set(names) <= set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("key", "value", "header", "left_out"),
    [
        (10, LARGEST, 10, b"value"),
        (10, 10, LARGEST, b"value, headers"),
        (LARGEST, 10, 10, b"value, headers, key"),
        (LARGEST // 2, 10, LARGEST // 2, b"value, headers"),
    ],
)
def test_a_record_that_no_dead_letter_can_hold_leaves_out_what_is_too_large(
    key: int, value: int, header: int, left_out: bytes
) -> None:
    """A compressed input may be of any size, and its lane must continue."""
    own = [("a", b"1"), ("b", bytes(header))]
    large = MemoryRecord(PRODUCT_CREATED, 5, 77, 1_234, bytes(key), bytes(value), own)
    letter = DeadLetterBuilder("group", 4)(large, ERROR, "decode")
    headers = dict(letter.headers)
    assert letter.size <= LARGEST
    assert headers[LEFT_OUT] == left_out
    assert letter.value is None
    assert (letter.key is None) == (b"key" in left_out)
    assert ("b" not in headers) == (b"headers" in left_out)
    assert (headers[SOURCE_TOPIC], headers[SOURCE_OFFSET]) == (b"product-created", b"77")


def test_a_record_that_just_fits_is_kept_whole() -> None:
    room = (
        LARGEST - DeadLetterBuilder("group", 4)(record(), ERROR, "decode").size + len(record().value or b"")
    )
    whole = MemoryRecord(PRODUCT_CREATED, 5, 77, 1_234, b"\xff\x00key", bytes(room))
    letter = DeadLetterBuilder("group", 4)(whole, ERROR, "decode")
    assert (letter.size, letter.value) == (LARGEST, whole.value)
    assert LEFT_OUT not in dict(letter.headers)


# Where a record comes from


def test_a_record_without_provenance_headers_comes_from_its_position() -> None:
    assert source_of(record()) == Source(topic=PRODUCT_CREATED, partition=5, offset=77)
    assert input_of(record()) == PRODUCT_CREATED


@pytest.mark.parametrize("topic", [PRODUCT_CREATED, PRODUCT_REPARTITION])
def test_a_replayed_or_moved_record_keeps_its_origin(topic: str) -> None:
    """The ids of its outputs stay the same, so that a consumer can drop duplicates."""
    marked = record(topic, ((ORIGIN, b"product-created:3:9000000000"),))
    assert source_of(marked) == Source(topic=PRODUCT_CREATED, partition=3, offset=9_000_000_000)


@pytest.mark.parametrize(
    "origin",
    [None, b"", b"x", b"a:b:c", b"a:-1:2", b"a:1:", b"\xff:1:2", b"a b:1:2", b"a:1:2\n", b"a:1:" + b"9" * 30],
)
@pytest.mark.parametrize("topic", [PRODUCT_CREATED, PRODUCT_REPARTITION])
def test_an_origin_that_cannot_be_read_counts_as_none(topic: str, origin: bytes | None) -> None:
    """A header of another program must not raise."""
    assert source_of(record(topic, ((ORIGIN, origin),))) == Source(topic=topic, partition=5, offset=77)


def test_a_moved_record_is_read_as_a_record_of_its_input() -> None:
    moved = record(PRODUCT_REPARTITION, ((MOVED_FROM, CATEGORY_FEEDBACK.encode()),))
    assert input_of(moved) == CATEGORY_FEEDBACK
    assert input_of(record(PRODUCT_CREATED, moved.headers)) == PRODUCT_CREATED  # type: ignore[arg-type]


def test_a_dead_letter_of_a_moved_record_goes_back_to_its_input() -> None:
    """A replayed record goes back to where the replay wrote it. The header of the move is removed."""
    origin = (ORIGIN, b"product-created:3:9")
    moved = record(PRODUCT_REPARTITION, (origin, (MOVED_FROM, b"product-created")))
    headers = dict(DeadLetterBuilder("group", 4)(moved, ERROR, "decode").headers)
    assert (headers[SOURCE_TOPIC], headers[SOURCE_OFFSET]) == (b"product-created", b"9")
    assert MOVED_FROM not in headers
    replayed = dict(
        DeadLetterBuilder("group", 4)(record("product-replay", (origin,)), ERROR, "decode").headers
    )
    assert (replayed[SOURCE_TOPIC], replayed[SOURCE_OFFSET]) == (b"product-replay", b"77")
    assert replayed[ORIGIN] == origin[1]
