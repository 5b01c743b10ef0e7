"""Dead letters: decoded headers, filters, views, receipts, and the record that a redrive writes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import DESCRIPTIONS
from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.provenance import ORIGIN
from streams.records import MemoryRecord
from streams.replay.dead_letter_overview import DeadLetterOverview
from streams.replay.dead_letter_records import (
    UNKNOWN,
    DeadLetterFilter,
    parse_dead_letter,
    parse_places,
    redrive_record,
)
from streams.replay.dead_letter_view import (
    PREVIEW_BYTES,
    full_text,
    iso_time,
    preview,
    printable,
    summary_fields,
)
from streams.replay.ranges import OffsetRange
from streams.replay.receipts import read_receipt, receipt
from streams.topics import DEAD_LETTER
from tests.support.dead_letters import dead_lettered

headers_of_records = st.lists(
    st.tuples(st.text().filter(lambda name: name not in DESCRIPTIONS and name != ORIGIN), st.binary()),
    max_size=4,
)


@given(
    st.binary() | st.none(),
    st.binary() | st.none(),
    headers_of_records,
    st.integers(0, 3),
    st.integers(0, 2**62),
    st.integers(0, 2**42) | st.just(-1),
)
def test_a_redriven_record_equals_the_original(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    partition: int,
    offset: int,
    timestamp: int,
) -> None:
    """Key, value, headers, partition and timestamp are equal; attempt and origin are added."""
    record = MemoryRecord("product-created", partition, offset, timestamp, key, value, headers)
    output = redrive_record(parse_dead_letter(dead_lettered(record)), 4)
    assert (output.topic, output.partition, output.key, output.value) == (
        "product-created",
        partition,
        key,
        value,
    )
    assert output.timestamp == (None if timestamp < 0 else timestamp)
    added = [("shelfstream.attempt", b"2"), (ORIGIN, f"product-created:{partition}:{offset}".encode())]
    assert output.headers == headers + added


def test_each_redrive_increments_the_attempt() -> None:
    record = MemoryRecord("product-created", 1, 7, 0, b"k", b"{")
    for attempt in (1, 2, 3):
        letter = parse_dead_letter(dead_lettered(record))
        assert letter.attempt == attempt
        output = redrive_record(letter, 4)
        record = MemoryRecord(
            output.topic, output.partition, 100 + attempt, 0, output.key, output.value, output.headers
        )


@given(st.binary(min_size=1))
def test_a_record_of_a_missing_partition_goes_to_the_partition_of_its_key(key: bytes) -> None:
    letter = parse_dead_letter(dead_lettered(MemoryRecord("product-created", 3, 7, 0, key, b"{")))
    assert redrive_record(letter, 2).partition == partition_for(key, 2)
    assert redrive_record(letter, 4).partition == 3


def test_all_headers_are_decoded() -> None:
    letter = parse_dead_letter(dead_lettered(MemoryRecord("product-created", 1, 7, 1234, b"k", b"{"), at=12))
    assert (letter.place, letter.source, letter.timestamp) == ("1:12", "product-created:1:7", 1234)
    assert (letter.reason, letter.field, letter.stage, letter.group) == (
        "malformed-json",
        "$.title",
        "decode",
        "shop",
    )
    assert letter.exception == "schemas.errors.InvalidEvent"


@given(st.lists(st.tuples(st.sampled_from(sorted(DESCRIPTIONS)) | st.text(), st.binary() | st.none())))
def test_headers_of_another_writer_are_read_without_errors(headers: list[tuple[str, bytes]]) -> None:
    letter = parse_dead_letter(MemoryRecord(DEAD_LETTER, 0, 0, 10**17, None, None, headers))
    orjson.dumps(summary_fields(letter))
    assert printable(full_text(letter, 100), keep="\n\t") == full_text(letter, 100)
    redrive_record(letter, 3)


def test_a_missing_reason_is_unknown() -> None:
    assert parse_dead_letter(MemoryRecord(DEAD_LETTER, 0, 0)).reason == UNKNOWN


def test_a_filter_combines_reason_topic_and_place() -> None:
    letter = parse_dead_letter(dead_lettered(MemoryRecord("product-created", 1, 7, 0, b"k", b"{"), at=12))
    assert DeadLetterFilter().matches(letter)
    assert DeadLetterFilter(
        frozenset({"malformed-json"}), frozenset({"product-created"}), parse_places("1:12")
    ).matches(letter)
    assert not DeadLetterFilter(reasons=frozenset({"key-mismatch"})).matches(letter)
    assert not DeadLetterFilter(topics=frozenset({"user-behavior"})).matches(letter)
    assert not DeadLetterFilter(places=parse_places("1:13,0:12,1:0-11")).matches(letter)


def test_places_are_parsed() -> None:
    assert parse_places("0:12, 2:7-9") == (OffsetRange(0, 12, 13), OffsetRange(2, 7, 10))


@pytest.mark.parametrize("text", ["", "12", "0:", ":1", "a:1", "0:1-", "0:-1", "0:1,", "0:1-b", "0:²"])
def test_other_texts_are_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="is not PARTITION:OFFSET"):
        parse_places(text)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=40), st.integers(0, 10))
def test_an_overview_counts_all_and_keeps_the_newest(times: list[tuple[int, int]], limit: int) -> None:
    """The expected dead letters come from sorting all of them."""
    letters = [
        parse_dead_letter(
            MemoryRecord(
                DEAD_LETTER, partition, offset, at, headers=[("shelfstream.reason", b"r%d" % (at % 2))]
            )
        )
        for offset, (at, partition) in enumerate(times)
    ]
    overview = DeadLetterOverview(limit)
    for letter in letters:
        overview.add(letter)
    in_order = sorted(
        letters, key=lambda letter: (letter.record.timestamp, letter.record.offset), reverse=True
    )
    assert overview.newest() == in_order[:limit]
    assert overview.total == len(letters) == sum(overview.by_reason.values())


def test_control_characters_of_a_dead_letter_are_escaped() -> None:
    nasty = b"\x1b[2Jgone\x07\x9b"
    letter = parse_dead_letter(
        dead_lettered(MemoryRecord("product-created", 1, 7, 0, nasty, nasty, [("h\x1b", nasty)]))
    )
    text = full_text(letter, PREVIEW_BYTES)
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text


def test_a_value_is_shown_as_json_or_text_and_long_values_are_cut_with_a_note() -> None:
    assert preview(None) == "(null: a tombstone)"
    assert preview(b'{"a":"\xc3\xa9"}') == '{\n  "a": "é"\n}'
    assert preview(rb'{"a":"\u00e9"}') == '{\n  "a": "é"\n}'
    assert preview(b"[123456789012345678901234567890]") == "[\n  123456789012345678901234567890\n]"
    assert preview(b"\xff{") == "\\xff{"
    assert "... 990 more bytes" in preview(b"x" * 1000, 10)
    assert preview(b"[" * 100_000, 200_000).startswith("[[[")


def test_times_outside_the_calendar_are_shown_as_numbers() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00Z"
    assert iso_time(None) == iso_time(-1) == "?"
    assert iso_time(10**18) == f"{10**18} ms"


def test_a_receipt_names_exactly_its_dead_letters() -> None:
    letters = [parse_dead_letter(MemoryRecord(DEAD_LETTER, place % 3, place)) for place in range(10)]
    assert read_receipt(receipt("r", letters).value) == {(place % 3, place) for place in range(10)}
    for other in (None, b"{}x", b"[1]", b'{"a":[1]}', b'{"1":1}'):
        with pytest.raises(StopWorker, match="not a receipt"):
            read_receipt(other)
