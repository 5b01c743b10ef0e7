"""Dead letters: what people see of them, which they choose, and that each goes back once."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import DESCRIPTIONS
from schemas.errors import InvalidEvent, StopWorker
from schemas.keys import partition_for
from streams.agents.dead_letters import DeadLetterBuilder
from streams.commands.operate.dead_letters import dead_letters as command
from streams.embedded import EmbeddedBroker
from streams.provenance import ORIGIN
from streams.records import MemoryRecord, Output
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.dead_letter_records import UNKNOWN, Choice, Overview, parse, parse_places, way_back
from streams.replay.dead_letter_view import PREVIEW_BYTES, as_json, full_text, iso, preview, printable
from streams.replay.positions import START
from streams.replay.ranges import OffsetRange
from streams.replay.redrive import DeadLetterReader, read_receipt, receipt, redrive
from streams.replay.transactional_copy import TransactionalSender
from streams.settings import Settings
from streams.topics import DEAD_LETTER, desired, redriven
from tests.support.kafka import Kafka
from tests.support.topic import create_topic, read_all, write

MALFORMED = InvalidEvent("malformed-json", "the value is not JSON: send JSON", "$.title")
headers_of_records = st.lists(
    st.tuples(st.text().filter(lambda name: name not in DESCRIPTIONS and name != ORIGIN), st.binary()),
    max_size=4,
)


def buried(record: MemoryRecord, error: Exception = MALFORMED, at: int = 0) -> MemoryRecord:
    """The record as it lies in the dead-letter topic, at offset `at`."""
    out = DeadLetterBuilder("shop", 4)(record, error, "decode")
    return MemoryRecord(out.topic, out.partition, at, 5_000, out.key, out.value, out.headers)


@given(
    st.binary() | st.none(),
    st.binary() | st.none(),
    headers_of_records,
    st.integers(0, 3),
    st.integers(0, 2**62),
    st.integers(0, 2**42) | st.just(-1),
)
def test_what_was_buried_comes_back_as_it_was(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    partition: int,
    offset: int,
    timestamp: int,
) -> None:
    """Key, value, headers, partition and timestamp; on top the attempt and the origin."""
    record = MemoryRecord("product-created", partition, offset, timestamp, key, value, headers)
    back = way_back(parse(buried(record)), 4)
    assert (back.topic, back.partition, back.key, back.value) == ("product-created", partition, key, value)
    assert back.timestamp == (None if timestamp < 0 else timestamp)
    added = [("shelfstream.attempt", b"2"), (ORIGIN, f"product-created:{partition}:{offset}".encode())]
    assert back.headers == headers + added


def test_each_round_counts_one_more_attempt() -> None:
    record = MemoryRecord("product-created", 1, 7, 0, b"k", b"{")
    for attempt in (1, 2, 3):
        letter = parse(buried(record))
        assert letter.attempt == attempt
        back = way_back(letter, 4)
        record = MemoryRecord(
            back.topic, back.partition, 100 + attempt, 0, back.key, back.value, back.headers
        )


@given(st.binary(min_size=1))
def test_a_partition_that_is_no_more_gives_way_to_the_keys(key: bytes) -> None:
    letter = parse(buried(MemoryRecord("product-created", 3, 7, 0, key, b"{")))
    assert way_back(letter, 2).partition == partition_for(key, 2)
    assert way_back(letter, 4).partition == 3


def test_all_that_the_headers_say_is_decoded() -> None:
    letter = parse(buried(MemoryRecord("product-created", 1, 7, 1234, b"k", b"{"), at=12))
    assert (letter.place, letter.source, letter.timestamp) == ("1:12", "product-created:1:7", 1234)
    assert (letter.reason, letter.field, letter.stage, letter.group) == (
        "malformed-json",
        "$.title",
        "decode",
        "shop",
    )
    assert letter.exception == "schemas.errors.InvalidEvent"


@given(st.lists(st.tuples(st.sampled_from(sorted(DESCRIPTIONS)) | st.text(), st.binary() | st.none())))
def test_headers_of_a_foreign_writer_break_nothing(headers: list[tuple[str, bytes]]) -> None:
    letter = parse(MemoryRecord(DEAD_LETTER, 0, 0, 10**17, None, None, headers))
    json.dumps(as_json(letter))
    assert printable(full_text(letter, 100), keep="\n\t") == full_text(letter, 100)
    way_back(letter, 3)


def test_a_reason_left_out_is_unknown() -> None:
    assert parse(MemoryRecord(DEAD_LETTER, 0, 0)).reason == UNKNOWN


def test_a_choice_is_by_reason_and_topic_and_place_together() -> None:
    letter = parse(buried(MemoryRecord("product-created", 1, 7, 0, b"k", b"{"), at=12))
    assert Choice().includes(letter)
    assert Choice(
        frozenset({"malformed-json"}), frozenset({"product-created"}), parse_places("1:12")
    ).includes(letter)
    assert not Choice(reasons=frozenset({"key-mismatch"})).includes(letter)
    assert not Choice(topics=frozenset({"user-behavior"})).includes(letter)
    assert not Choice(places=parse_places("1:13,0:12,1:0-11")).includes(letter)


def test_places_are_read() -> None:
    assert parse_places("0:12, 2:7-9") == (OffsetRange(0, 12, 13), OffsetRange(2, 7, 10))


@pytest.mark.parametrize("text", ["", "12", "0:", ":1", "a:1", "0:1-", "0:-1", "0:1,", "0:1-b", "0:²"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not PARTITION:OFFSET"):
        parse_places(text)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=40), st.integers(0, 10))
def test_an_overview_keeps_the_newest_and_counts_all(times: list[tuple[int, int]], limit: int) -> None:
    """Against sorting them all."""
    letters = [
        parse(
            MemoryRecord(
                DEAD_LETTER, partition, offset, at, headers=[("shelfstream.reason", b"r%d" % (at % 2))]
            )
        )
        for offset, (at, partition) in enumerate(times)
    ]
    overview = Overview(limit)
    for letter in letters:
        overview.add(letter)
    in_order = sorted(
        letters, key=lambda letter: (letter.record.timestamp, letter.record.offset), reverse=True
    )
    assert overview.newest() == in_order[:limit]
    assert overview.total == len(letters) == sum(overview.by_reason.values())


def test_a_terminal_cannot_be_controlled_by_a_dead_letter() -> None:
    nasty = b"\x1b[2Jgone\x07\x9b"
    letter = parse(buried(MemoryRecord("product-created", 1, 7, 0, nasty, nasty, [("h\x1b", nasty)])))
    text = full_text(letter, PREVIEW_BYTES)
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text


def test_a_value_is_shown_as_json_or_text_and_long_ones_are_cut_with_a_note() -> None:
    assert preview(None) == "(null: a tombstone)"
    assert preview(b'{"a":"\xc3\xa9"}') == '{\n  "a": "é"\n}'
    assert preview(b"\xff{") == "\\xff{"
    assert "... 990 more bytes" in preview(b"x" * 1000, 10)
    assert preview(b"[" * 100_000, 200_000).startswith("[[[")


def test_times_that_no_calendar_has_are_shown_as_numbers() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(None) == iso(-1) == "?"
    assert iso(10**18) == f"{10**18} ms"


def test_a_receipt_remembers_exactly_what_it_was_made_of() -> None:
    letters = [parse(MemoryRecord(DEAD_LETTER, place % 3, place)) for place in range(10)]
    assert read_receipt(receipt("r", letters).value) == {(place % 3, place) for place in range(10)}
    for other in (None, b"{}x", b"[1]", b'{"a":[1]}', b'{"1":1}'):
        with pytest.raises(StopWorker, match="not a receipt"):
            read_receipt(other)


def _dead(topic: str, count: int) -> list[Output]:
    """Dead letters of `count` records of `topic`: every third malformed, the others odd."""
    dead_letter = DeadLetterBuilder("shop", 4)
    records = (
        MemoryRecord(topic, n % 4, n, 1_700_000_000_000 + n, b"k%d" % n, b"v%d" % n, [("n", b"1")])
        for n in range(count)
    )
    return [
        dead_letter(record, MALFORMED if record.offset % 3 == 0 else ValueError("odd"), "decode")
        for record in records
    ]


def test_list_show_and_redrive_work_on_the_embedded_broker(embedded: EmbeddedBroker) -> None:
    settings = Settings(bootstrap_servers=embedded.bootstrap, embedded=True)
    write(settings, [Output("product-created", 0, b"k", b"v"), *_dead("product-created", 12)])
    with DeadLetterReader(settings) as reader:
        letter = reader.at(OffsetRange(1, 0, 1))
        assert letter is not None
        assert letter.reason == "failed"
        assert reader.at(OffsetRange(1, 3, 4)) is None
        assert redrive(settings, reader, reader.ranges(START), Choice()).sent == {"product-created": 12}
        second = redrive(settings, reader, reader.ranges(START), Choice())
        assert (second.sent, second.already) == ({}, 12)


def test_a_dead_letter_without_its_value_is_not_sent_back_as_a_tombstone(embedded: EmbeddedBroker) -> None:
    settings = Settings(bootstrap_servers=embedded.bootstrap, embedded=True)
    large = buried(MemoryRecord("product-created", 0, 7, 1_234, b"k", bytes(5_000_000)))
    assert "value: too large, see the source" in full_text(parse(large), PREVIEW_BYTES)
    write(
        settings,
        [Output("product-created", 0, b"k", b"v"), Output(DEAD_LETTER, 0, large.key, None, large.headers)],
    )
    with DeadLetterReader(settings) as reader:
        done = redrive(settings, reader, reader.ranges(START), Choice())
    assert done.sent == {}
    assert list(done.homeless.values()) == [1]


@pytest.fixture
def broken(kafka: Kafka, unique: Callable[[str], str]) -> Iterator[tuple[Settings, str]]:
    """A broker with 300 dead letters of a topic of the test's own, and where they came from.

    The dead-letter topic is shared, so that a test tells its own by their source.
    """
    settings = Settings(bootstrap_servers=kafka.bootstrap, app_id=unique("app"))
    admin = BrokerAdmin(settings)
    there = admin.topics()
    admin.create([spec for spec in desired(settings) if spec.name not in there])
    create_topic(settings, unique("listings"))
    write(settings, _dead(unique("listings"), 300))
    yield settings, unique("listings")


@pytest.mark.kafka
def test_filters_overlap_and_yet_nothing_goes_back_twice(broken: tuple[Settings, str]) -> None:
    settings, topic = broken
    own = frozenset({topic})
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(START)
        malformed = redrive(settings, reader, ranges, Choice(frozenset({"malformed-json"}), own))
        rest = redrive(settings, reader, ranges, Choice(topics=own))
        nothing = redrive(settings, reader, ranges, Choice(topics=own))
    assert malformed.sent[topic] == 100
    assert (rest.sent[topic], rest.already) == (200, 100)
    assert (nothing.sent[topic], nothing.already) == (0, 300)
    back = read_all(settings, topic)
    assert sorted((each.key, each.value, each.timestamp) for each in back) == sorted(
        (b"k%d" % n, b"v%d" % n, 1_700_000_000_000 + n) for n in range(300)
    )
    assert all(each.partition == int((each.key or b"")[1:]) % 4 for each in back)


@pytest.mark.kafka
def test_a_redrive_that_breaks_off_between_batches_sends_each_once_in_the_end(
    broken: tuple[Settings, str],
) -> None:
    settings, topic = broken
    own = Choice(topics=frozenset({topic}))

    def break_off(letters: int) -> None:
        raise KeyboardInterrupt

    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(START)
        with pytest.raises(KeyboardInterrupt):
            redrive(settings, reader, ranges, own, on_progress=break_off)
        redrive(settings, reader, ranges, own)
    assert sorted(each.key or b"" for each in read_all(settings, topic)) == sorted(
        b"k%d" % n for n in range(300)
    )


@pytest.mark.kafka
def test_what_an_earlier_run_left_open_is_neither_seen_nor_remembered(broken: tuple[Settings, str]) -> None:
    """A run that died in the middle of a transaction: its records and its receipt go together."""
    settings, topic = broken
    dead = TransactionalSender(settings, f"{settings.app_id}-redrive")
    with DeadLetterReader(settings) as reader:
        letter = next(
            each
            for batch in reader.read(reader.ranges(START))
            for each in batch
            if each.source_topic == topic
        )
        dead.__enter__()
        dead._producer.begin_transaction()
        for output in (way_back(letter, 4), receipt(redriven(settings), [letter])):
            dead._produce(output)
        dead._producer.flush(10)
        counts = redrive(settings, reader, reader.ranges(START), Choice(topics=frozenset({topic})))
        assert counts.sent[topic] == 300
        with pytest.raises(StopWorker):
            dead.send([way_back(letter, 4)])
    assert len(read_all(settings, topic)) == 300


@pytest.mark.kafka
def test_the_commands_tell_show_and_redrive(broken: tuple[Settings, str]) -> None:
    settings, topic = broken

    def run(*arguments: str) -> Result:
        environ = {
            "SHELFSTREAM_APP_ID": settings.app_id,
            "SHELFSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        }
        return CliRunner(env=environ).invoke(command, arguments)

    listed = run("list", "--topic", topic, "--limit", "3")
    assert listed.exit_code == 0, listed.output
    assert topic in listed.stdout
    assert "malformed-json" in listed.stdout
    assert "The newest 3 of 300" in listed.stdout
    lines = run("list", "--topic", topic, "--reason", "failed", "--json", "--limit", "5").stdout.splitlines()
    first = json.loads(lines[0])
    assert (len(lines), first["reason"], first["source"]["topic"]) == (5, "failed", topic)
    shown = run("show", first["place"])
    assert "ValueError: odd" in shown.stdout
    assert f"{topic}:" in shown.stdout
    raw = run("show", first["place"], "--raw")
    assert raw.stdout_bytes == b"v" + first["key"][1:].encode()
    assert run("show", "0:999999999").exit_code == 1
    assert run("show", "somewhere").exit_code == 2
    would = run("redrive", "--topic", topic, "--offsets", first["place"], "--dry-run")
    assert f"1 records would be sent back to {topic}" in would.stdout
    assert read_all(settings, topic) == []
    started = time.monotonic()
    assert "were sent back" in run("redrive", "--topic", topic, "--rate", "200").stdout
    assert time.monotonic() - started >= 1.0
    assert "300 were redriven before" in run("redrive", "--topic", topic).stdout


@pytest.mark.kafka
def test_what_has_no_home_stays_and_is_told(broken: tuple[Settings, str]) -> None:
    settings, topic = broken
    write(settings, _dead(f"{topic}-deleted", 3))
    environ = {
        "SHELFSTREAM_APP_ID": settings.app_id,
        "SHELFSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
    }
    result = CliRunner(env=environ).invoke(command, ["redrive", "--topic", f"{topic}-deleted"])
    assert result.exit_code == 1
    assert f"3 cannot go back: there is no topic '{topic}-deleted'" in result.stderr
