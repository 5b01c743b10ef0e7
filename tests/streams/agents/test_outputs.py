"""Outputs have a key, a partition, headers and an id that derives from their input."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_product_enriched
from schemas.envelope import parse_headers
from schemas.events import Decision, DecisionOutcome, ProductEnriched
from schemas.keys import partition_for
from streams.agents.outputs import OutputBuilder
from streams.provenance import ORIGIN
from streams.records import Headers, MemoryRecord, Output
from streams.topics import PRODUCT_CREATED, PRODUCT_ENRICHED

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MAKER = OutputBuilder("enrich", 12, "model-1", "taxonomy-1")


def cause(offset: int = 5, partition: int = 2, headers: Headers = ()) -> MemoryRecord:
    return MemoryRecord(PRODUCT_CREATED, partition, offset, headers=headers)


def id_of(output: Output) -> str | None:
    return parse_headers(output.headers).id


def test_an_event_is_written_under_its_subjects_key() -> None:
    """It is in the partition where Kafka's default partitioner puts the key."""
    decision = Decision(outcome=DecisionOutcome.MODEL, why="")
    event = ProductEnriched(product_id="ß", decision=decision, model_version="m", taxonomy_version="t")
    output = MAKER.event(event, "ß", cause())
    assert (output.topic, output.key) == (PRODUCT_ENRICHED, "ß".encode())
    assert output.partition == partition_for("ß".encode(), 12)
    assert decode_product_enriched(output.value, output.key) == event


def test_a_tombstone_has_headers_too() -> None:
    """Consumers read from them what was withdrawn."""
    output = MAKER.tombstone(PRODUCT_ENRICHED, "p", cause())
    envelope = parse_headers(output.headers)
    assert (output.key, output.value) == (b"p", None)
    assert (envelope.subject, envelope.source) == ("p", "/shelfstream/enrich")
    assert envelope.type == "shelfstream.product-enriched.v1"


def test_a_trace_is_passed_on_and_a_broken_one_is_not() -> None:
    def traced(headers: Headers) -> bytes | None:
        return parse_headers(MAKER.record("t", "p", b"", cause(headers=headers)).headers).traceparent

    assert traced([("traceparent", TRACE)]) == TRACE
    assert traced([("traceparent", b"broken")]) is None
    assert traced([("other", TRACE)]) is None


places = st.tuples(
    st.sampled_from(["product-enriched", "enrichment-review"]),
    st.sampled_from(["p", "q"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(
        [MAKER, OutputBuilder("enrich", 12, "model-2", "taxonomy-1"), OutputBuilder("enrich", 12)]
    ),
)


@given(places, places)
def test_an_id_is_a_function_of_source_versions_topic_and_subject(
    one: tuple[str, str, int, int, OutputBuilder], other: tuple[str, str, int, int, OutputBuilder]
) -> None:
    """Two outputs have the same id exactly if all of these are equal. The value does not matter."""

    def made(place: tuple[str, str, int, int, OutputBuilder], value: bytes) -> str | None:
        topic, subject, partition, offset, maker = place
        return id_of(maker.record(topic, subject, value, cause(offset, partition)))

    assert (made(one, b"1") == made(other, b"2")) is (one == other)


def test_a_replayed_record_gives_the_id_that_it_gave() -> None:
    replayed = MemoryRecord("replay", 0, 99, headers=[(ORIGIN, b"product-created:2:5")])
    assert id_of(MAKER.record("t", "p", b"", replayed)) == id_of(MAKER.record("t", "p", b"", cause()))
