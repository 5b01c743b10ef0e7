"""Redrive: each selected dead letter goes back once; the commands list, show and redrive."""

import time
from collections.abc import Callable, Iterator

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.errors import StopWorker
from streams.agents.dead_letters import DeadLetterBuilder
from streams.commands.operate.dead_letters import dead_letters as command
from streams.embedded import EmbeddedBroker
from streams.records import MemoryRecord, Output
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import (
    DeadLetterFilter,
    parse_dead_letter,
    redrive_record,
)
from streams.replay.dead_letter_view import (
    PREVIEW_BYTES,
    full_text,
)
from streams.replay.positions import START
from streams.replay.ranges import OffsetRange
from streams.replay.receipts import Handling, receipt
from streams.replay.redrive import redrive
from streams.replay.transactional_sender import TransactionalSender
from streams.settings import Settings
from streams.topics import DEAD_LETTER, desired, redriven
from tests.support.broker import Kafka
from tests.support.dead_letters import MALFORMED, dead_lettered
from tests.support.topic import create_topic, read_all, write


def _dead(topic: str, count: int) -> list[Output]:
    """Return dead letters of `count` records of `topic`; every third has a malformed value."""
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
        letter = reader.read_one(OffsetRange(1, 0, 1))
        assert letter is not None
        assert letter.reason == "failed"
        assert reader.read_one(OffsetRange(1, 3, 4)) is None
        assert redrive(settings, reader, reader.ranges(START), DeadLetterFilter()).sent == {
            "product-created": 12
        }
        second = redrive(settings, reader, reader.ranges(START), DeadLetterFilter())
        assert (second.sent, second.already_handled) == ({}, {Handling.REDRIVEN: 12})


def test_a_dead_letter_without_its_value_is_not_sent_back_as_a_tombstone(embedded: EmbeddedBroker) -> None:
    settings = Settings(bootstrap_servers=embedded.bootstrap, embedded=True)
    large = dead_lettered(MemoryRecord("product-created", 0, 7, 1_234, b"k", bytes(5_000_000)))
    assert "value: too large; read it at the source" in full_text(parse_dead_letter(large), PREVIEW_BYTES)
    write(
        settings,
        [Output("product-created", 0, b"k", b"v"), Output(DEAD_LETTER, 0, large.key, None, large.headers)],
    )
    with DeadLetterReader(settings) as reader:
        done = redrive(settings, reader, reader.ranges(START), DeadLetterFilter())
    assert done.sent == {}
    assert list(done.unroutable.values()) == [1]


@pytest.fixture
def broken(kafka: Kafka, unique: Callable[[str], str]) -> Iterator[tuple[Settings, str]]:
    """Yield a broker with 300 dead letters of a topic of this test, and the topic.

    The tests share the dead-letter topic and select their own dead letters by the source topic.
    """
    settings = Settings(bootstrap_servers=kafka.bootstrap, app_id=unique("app"))
    admin = BrokerAdmin(settings)
    there = admin.topics()
    admin.create([spec for spec in desired(settings) if spec.name not in there])
    create_topic(settings, unique("listings"))
    write(settings, _dead(unique("listings"), 300))
    yield settings, unique("listings")


@pytest.mark.kafka
def test_overlapping_filters_redrive_nothing_twice(broken: tuple[Settings, str]) -> None:
    settings, topic = broken
    own = frozenset({topic})
    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(START)
        malformed = redrive(settings, reader, ranges, DeadLetterFilter(frozenset({"malformed-json"}), own))
        rest = redrive(settings, reader, ranges, DeadLetterFilter(topics=own))
        nothing = redrive(settings, reader, ranges, DeadLetterFilter(topics=own))
    assert malformed.sent[topic] == 100
    assert (rest.sent[topic], rest.already_handled[Handling.REDRIVEN]) == (200, 100)
    assert (nothing.sent[topic], nothing.already_handled[Handling.REDRIVEN]) == (0, 300)
    records = read_all(settings, topic)
    assert sorted((each.key, each.value, each.timestamp) for each in records) == sorted(
        (b"k%d" % n, b"v%d" % n, 1_700_000_000_000 + n) for n in range(300)
    )
    assert all(each.partition == int((each.key or b"")[1:]) % 4 for each in records)


@pytest.mark.kafka
def test_an_interrupted_redrive_sends_each_dead_letter_once_after_a_second_run(
    broken: tuple[Settings, str],
) -> None:
    settings, topic = broken
    own = DeadLetterFilter(topics=frozenset({topic}))

    def interrupt(letters: int) -> None:
        raise KeyboardInterrupt

    with DeadLetterReader(settings) as reader:
        ranges = reader.ranges(START)
        with pytest.raises(KeyboardInterrupt):
            redrive(settings, reader, ranges, own, on_progress=interrupt)
        redrive(settings, reader, ranges, own)
    assert sorted(each.key or b"" for each in read_all(settings, topic)) == sorted(
        b"k%d" % n for n in range(300)
    )


@pytest.mark.kafka
def test_an_open_transaction_of_an_earlier_run_leaves_no_record_and_no_receipt(
    broken: tuple[Settings, str],
) -> None:
    """The earlier run died within a transaction: its records and its receipt are aborted together."""
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
        for output in (redrive_record(letter, 4), receipt(redriven(settings), [letter])):
            dead._produce(output)
        dead._producer.flush(10)
        counts = redrive(settings, reader, reader.ranges(START), DeadLetterFilter(topics=frozenset({topic})))
        assert counts.sent[topic] == 300
        with pytest.raises(StopWorker):
            dead.send([redrive_record(letter, 4)])
    assert len(read_all(settings, topic)) == 300


@pytest.mark.kafka
def test_the_commands_list_show_and_redrive(broken: tuple[Settings, str]) -> None:
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
    first = orjson.loads(lines[0])
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
def test_unroutable_dead_letters_stay_and_are_reported(broken: tuple[Settings, str]) -> None:
    settings, topic = broken
    write(settings, _dead(f"{topic}-deleted", 3))
    environ = {
        "SHELFSTREAM_APP_ID": settings.app_id,
        "SHELFSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
    }
    result = CliRunner(env=environ).invoke(command, ["redrive", "--topic", f"{topic}-deleted"])
    assert result.exit_code == 1
    assert f"3 cannot be sent back: there is no topic '{topic}-deleted'" in result.stderr
