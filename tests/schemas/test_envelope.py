"""Headers are CloudEvents, traces are passed on, and output ids depend on inputs and versions only."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import is_traceparent, output_headers, output_id, parse_headers, traceparent_of
from schemas.events import Source

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SOURCE = Source(topic="product-created", partition=3, offset=41)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_output_headers_are_cloudevents_1_0_in_binary_mode() -> None:
    headers = output_headers(
        "product-enriched",
        event_id="ab12",
        source="/shelfstream/enrich",
        subject="茶壶",
        time=NOON,
        traceparent=TRACE,
    )
    assert dict(headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"ab12",
        "ce_source": b"/shelfstream/enrich",
        "ce_type": b"shelfstream.product-enriched.v1",
        "ce_subject": "茶壶".encode(),
        "ce_time": b"2024-05-01T12:00:00Z",
        "ce_dataschema": b"urn:shelfstream:schema:product-enriched:v1",
        "traceparent": TRACE,
    }
    assert len(headers) == len(dict(headers)), "no header comes twice"


@pytest.mark.parametrize(
    "time",
    [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=8)))],
    ids=["naive", "another zone"],
)
def test_header_times_are_written_in_utc_whatever_their_zone(time: datetime) -> None:
    headers = output_headers("t", event_id="i", source="/s", subject="p", time=time)
    assert dict(headers)["ce_time"] == b"2024-05-01T12:00:00Z"


def test_unknown_attributes_have_no_header() -> None:
    names = dict(output_headers("t", event_id="i", source="/s", subject="p", time=None, traceparent=None))
    assert "ce_time" not in names
    assert "traceparent" not in names


def test_written_headers_parse_to_the_same_values() -> None:
    headers = output_headers("t", event_id="i", source="/s", subject="p", time=NOON, traceparent=TRACE)
    envelope = parse_headers(headers)
    assert (envelope.id, envelope.source, envelope.subject, envelope.time) == ("i", "/s", "p", NOON)
    assert (envelope.type, envelope.content_type) == ("shelfstream.t.v1", "application/json")
    assert envelope.traceparent == TRACE


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_time", "ce_type", "traceparent", "content-type", "other"]),
            st.none() | st.binary() | st.text().map(str.encode) | st.just(b"0001-01-01T00:00:00+20:00"),
        )
    )
)
def test_parsing_never_raises(headers: list[tuple[str, bytes | None]]) -> None:
    envelope = parse_headers(headers)
    assert envelope.time is None or envelope.time.utcoffset() == timedelta(0)
    assert envelope.traceparent is None or is_traceparent(envelope.traceparent)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (TRACE, True),
        (b"01" + TRACE[2:] + b"-later-versions-may-say-more", True),
        (TRACE + b"-00", False),
        (b"ff" + TRACE[2:], False),
        (b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", False),
        (b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01", False),
        (TRACE.upper(), False),
        (TRACE + b"\n", False),
        (b"", False),
    ],
)
def test_only_valid_traces_are_passed_on(value: bytes, valid: bool) -> None:
    assert is_traceparent(value) is valid
    passed = traceparent_of([("other", b"x"), ("traceparent", value)])
    assert passed == (value if valid else None)
    headers = output_headers("t", event_id="i", source="/s", subject="p", traceparent=value)
    assert dict(headers).get("traceparent") == (value if valid else None)


def test_equal_inputs_have_the_same_id_in_every_process() -> None:
    """The digest is pinned, because consumers would see a changed id as a new event."""
    first = output_id(SOURCE, "student-1", "2021-09-21", "product-enriched")
    assert first == output_id(SOURCE, "student-1", "2021-09-21", "product-enriched")
    assert first == "89d88c53520fe087435606e62f17dfbe"


parts = st.tuples(
    st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4),
    st.integers(0, 20), st.integers(0, 200),
)  # fmt: skip


@given(parts, parts)
def test_different_inputs_have_different_ids(
    one: tuple[str, str, str, str, str, int, int], other: tuple[str, str, str, str, str, int, int]
) -> None:
    def identity(part: tuple[str, str, str, str, str, int, int]) -> str:
        source = Source(topic=part[3], partition=part[5], offset=part[6])
        return output_id(source, part[0], part[1], part[2], part[4])

    assert (identity(one) == identity(other)) == (one == other)
