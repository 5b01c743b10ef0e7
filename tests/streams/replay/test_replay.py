"""Replay of a range: which records are written, where, and that each is written once."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.errors import StopWorker
from schemas.keys import partition_for
from streams.commands.operate.replay import replay as command
from streams.embedded import EmbeddedBroker
from streams.provenance import ORIGIN, REPLAY
from streams.records import MemoryRecord, Output
from streams.replay.positions import END, START, PartitionPosition, Position
from streams.replay.ranges import OffsetRange
from streams.replay.replay import Replay
from streams.replay.replay_plan import ReplayPlan, check_topics, resolve_to
from streams.settings import Settings
from tests.support.broker import Kafka
from tests.support.topic import create_topic, read_all, write

NOW = datetime(2025, 3, 1, tzinfo=UTC)
FOUR = tuple(OffsetRange(partition, 0, 10) for partition in range(4))


def plan(target_partitions: int = 4) -> ReplayPlan:
    return ReplayPlan("orders", FOUR, "again", target_partitions, "r1")


@given(st.binary() | st.none(), st.binary() | st.none(), st.lists(st.tuples(st.text(), st.binary())))
def test_a_replayed_record_differs_in_two_headers_only(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    assume(not {name for name, _ in headers} & {ORIGIN, REPLAY})
    record = MemoryRecord("orders", 2, 7, 1234, key, value, headers)
    out = plan().output_for(record)
    assert (out.topic, out.partition, out.key, out.value, out.timestamp) == ("again", 2, key, value, 1234)
    assert out.headers == [*headers, (ORIGIN, b"orders:2:7"), (REPLAY, b"r1")]


def test_a_record_replayed_twice_keeps_its_first_origin_and_names_the_last_replay() -> None:
    once = plan().output_for(MemoryRecord("orders", 2, 7))
    twice = plan()._replace(replay_id="r2").output_for(MemoryRecord("again", 2, 99, headers=once.headers))
    assert dict(twice.headers) == {ORIGIN: b"orders:2:7", REPLAY: b"r2"}
    assert len(twice.headers) == 2


@given(st.binary(min_size=1), st.integers(1, 9).filter(lambda count: count != 4))
def test_with_another_number_of_partitions_a_record_goes_to_the_partition_of_its_key(
    key: bytes, count: int
) -> None:
    record = MemoryRecord("orders", 3, 0, key=key)
    assert plan(count).output_for(record).partition == partition_for(key, count)
    assert plan(count).output_for(MemoryRecord("orders", 3, 0)).partition == 3 % count


def test_to_takes_a_topic_and_a_position_in_any_order() -> None:
    assert resolve_to([], {"again"}, NOW) == ((), None)
    assert resolve_to(["again"], {"again"}, NOW) == ((), "again")
    assert resolve_to(["17"], {"again"}, NOW) == ((PartitionPosition(Position(offset=17)),), None)
    assert resolve_to(["again", "end"], {"again"}, NOW) == ((PartitionPosition(END),), "again")
    assert resolve_to(["2:17", "again"], {"again"}, NOW) == (
        (PartitionPosition(Position(offset=17), 2),),
        "again",
    )
    assert resolve_to(["2025-01-01", "again"], {"again"}, NOW)[1] == "again"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["agian"], "there is no such topic"),
        (["again", "other"], "two topics"),
        (["2025"], "is a topic and also a position"),
    ],
)
def test_to_rejects_ambiguous_values(values: list[str], problem: str) -> None:
    with pytest.raises(StopWorker, match=problem):
        resolve_to(values, {"again", "other", "2025"}, NOW)


def orders(topic: str, count: int, at: int) -> list[Output]:
    return [
        Output(topic, n % 4, b"k%d" % n, b"v%d" % n if n % 10 else None, [("n", b"%d" % n)], at + n)
        for n in range(count)
    ]


def test_replay_works_on_the_embedded_broker(embedded: EmbeddedBroker) -> None:
    settings = Settings(bootstrap_servers=embedded.bootstrap, embedded=True)
    write(settings, orders("orders", 50, 1_700_000_000_000))
    write(settings, [Output("again", 0, b"there", b"already")])
    with Replay(settings, "r1") as replay:
        done = replay.run(replay.plan("orders", "again", START))
    assert (done.records, done.tombstones) == (50, 5)
    assert len(read_all(settings, "again")) == 51


@pytest.mark.kafka
def test_a_range_is_replayed_without_aborted_records(kafka: Kafka, unique: Callable[[str], str]) -> None:
    settings, source, target = _topics(kafka, unique)
    now = int(time.time() * 1000) - 100_000
    written = orders(source, 400, now)
    write(settings, written[:200])
    write(settings, orders(source, 40, now), transaction="abort")
    write(settings, written[200:])
    with Replay(settings, unique("r")) as replay:
        done = replay.run(replay.plan(source, target, Position(time_ms=now + 100)))
    got = read_all(settings, target)
    assert done.records == len(got) == 300
    assert {(each.partition, each.key, each.value, each.timestamp) for each in got} == {
        (each.partition, each.key, each.value, each.timestamp) for each in written[100:]
    }
    originals = {(each.partition, each.offset) for each in read_all(settings, source)}
    for each in got:
        topic, partition, offset = dict(each.headers)[ORIGIN].decode().split(":")
        assert topic == source
        assert (int(partition), int(offset)) in originals


@pytest.mark.kafka
def test_an_interrupted_replay_continues_and_writes_nothing_twice(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    """The target is the source topic: the replay must skip its own output too."""
    settings, source, _ = _topics(kafka, unique)
    write(settings, orders(source, 3000, int(time.time() * 1000)))
    committed = 0

    def interrupt(offsets: int) -> None:
        nonlocal committed
        committed += offsets
        if committed >= 1000:
            raise KeyboardInterrupt

    with Replay(settings, unique("r")) as replay, pytest.raises(KeyboardInterrupt):
        replay.run(replay.plan(source, source, START), interrupt)
    with Replay(settings, unique("r")) as replay:
        done = replay.run(replay.plan(source, source, START))
    assert done.records == 3000 - committed
    keys = [each.key for each in read_all(settings, source)]
    assert len(keys) == 6000
    assert {keys.count(key) for key in set(keys[:50])} == {2}


@pytest.mark.kafka
def test_the_rate_limits_a_replay(kafka: Kafka, unique: Callable[[str], str]) -> None:
    settings, source, target = _topics(kafka, unique)
    write(settings, orders(source, 120, int(time.time() * 1000)))
    with Replay(settings, unique("r")) as replay:
        plan = replay.plan(source, target, START, rate=100)
        started = time.monotonic()
        assert replay.run(plan).records == 120
    assert time.monotonic() - started >= 1.0


@pytest.mark.kafka
def test_a_record_that_the_target_rejects_stops_the_replay_and_aborts_its_batch(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    settings, source, _ = _topics(kafka, unique)
    create_topic(settings, unique("narrow"), max_message_bytes="1000")
    write(
        settings,
        [
            *orders(source, 8, int(time.time() * 1000)),
            Output(source, 0, b"k", random.Random(7).randbytes(10_000)),
        ],
    )
    with Replay(settings, unique("r")) as replay, pytest.raises(StopWorker, match="MSG_SIZE_TOO_LARGE"):
        replay.run(replay.plan(source, unique("narrow"), START))
    assert read_all(settings, unique("narrow")) == []


@pytest.mark.kafka
def test_the_command_counts_then_replays(kafka: Kafka, unique: Callable[[str], str]) -> None:
    settings, source, target = _topics(kafka, unique)
    write(settings, orders(source, 100, 1_300_000_000_000))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command, [source, "--bootstrap-servers", kafka.bootstrap, *arguments])

    counted = run("--from", "5", "--to", "20", "--to", target, "--dry-run")
    assert counted.exit_code == 0, counted.output
    assert "60 records" in counted.stdout
    assert "would be replayed" in counted.stdout
    assert read_all(settings, target) == []
    replayed = run("--from", "5", "--until", "20", "--into", target)
    assert "60 records" in replayed.stdout
    assert "deletes them after" in replayed.stderr, "records of 2011 in a topic that keeps a week"
    missing = run("--from", "start", "--into", "nowhere")
    assert (missing.exit_code, "no topic 'nowhere'" in missing.stderr) == (1, True)
    assert run("--from", "whenever").exit_code == 2


@pytest.mark.kafka
def test_the_command_selects_partitions_keys_and_the_newest_record_of_each_key(
    kafka: Kafka, unique: Callable[[str], str], tmp_path: Path
) -> None:
    settings, source, target = _topics(kafka, unique)
    now = int(time.time() * 1000)
    write(settings, [*orders(source, 80, now), *orders(source, 40, now + 1000)])

    def run(*arguments: str) -> Result:
        options = ["--into", target, "--bootstrap-servers", kafka.bootstrap, *arguments]
        return CliRunner().invoke(command, [source, *options])

    # Partition 0 has k0, k4, … k76 at offsets 0 to 19, and k0 to k36 again at 20 to 29.
    keys = tmp_path / "keys"
    keys.write_text("k0\n\nk4\nk5\n")
    ranged = run("--from", "0:18", "--until", "0:21", "--from", "2:29", "--dry-run", "--rate", "2")
    assert "4 records" in ranged.stdout, ranged.output
    assert "about 2 s" in ranged.stdout
    by_key = run("--from", "start", "--keys", str(keys), "--key", "absent", "--dry-run")
    assert "6 records" in by_key.stdout
    assert "1 of 4 keys have no record in the range: absent" in by_key.stdout
    missing = run("--from", "7:0")
    assert "has no partition 7" in missing.stderr
    assert "twice for partition 0" in run("--from", "0:1", "--from", "0:2").stderr
    newest = run("--from", "start", "--latest-per-key", "--id", unique("newest"))
    assert newest.exit_code == 0, newest.output
    assert "40 records of the range are left out" in newest.stdout
    got = read_all(settings, target)
    assert sorted(each.key or b"" for each in got) == sorted(b"k%d" % n for n in range(80))
    assert {each.timestamp >= now + 1000 for each in got if int((each.key or b"k0")[1:]) < 40} == {True}
    again = run("--from", "start", "--latest-per-key", "--id", unique("newest"))
    assert "0 records (" in again.stdout, "the same id continues: nothing is left"


def _topics(kafka: Kafka, unique: Callable[[str], str]) -> tuple[Settings, str, str]:
    settings = Settings(bootstrap_servers=kafka.bootstrap)
    source, target = unique("orders"), unique("again")
    create_topic(settings, source, target)
    return settings, source, target


@pytest.mark.kafka
def test_a_killed_replay_continues_and_writes_nothing_twice(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    """SIGKILL after part of the records was written; then the same command again."""
    settings, source, target = _topics(kafka, unique)
    write(settings, orders(source, 4000, int(time.time() * 1000)))
    shelfstream = [sys.executable, "-c", "from streams.cli import main; main()"]
    options = [
        "--from",
        "start",
        "--into",
        target,
        "--id",
        unique("r"),
        "--bootstrap-servers",
        kafka.bootstrap,
    ]
    slow = subprocess.Popen([*shelfstream, "replay", source, *options, "--rate", "200"])
    try:
        deadline = time.monotonic() + 120
        while not read_all(settings, target, wait=False) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        slow.kill()
        slow.wait()
    assert 0 < len(read_all(settings, target, wait=False)) < 4000
    subprocess.run([*shelfstream, "replay", source, *options], check=True, timeout=240, capture_output=True)
    got = [each.key for each in read_all(settings, target)]
    assert len(got) == len(set(got)) == 4000


def test_copies_of_an_earlier_replay_are_left_out_and_redriven_records_are_not() -> None:
    """Otherwise each replay of a topic into itself would double what the one before wrote."""
    original = MemoryRecord("orders", 1, 7, key=b"k", value=b"v")
    copy = plan().output_for(original)
    assert not plan().is_copy(original)
    assert (
        plan()
        ._replace(source="orders", replay_id="later")
        .is_copy(MemoryRecord("orders", 1, 90, headers=copy.headers))
    )
    assert not plan()._replace(source="again").is_copy(MemoryRecord("again", 1, 90, headers=copy.headers))
    redriven = MemoryRecord("orders", 1, 91, headers=[(ORIGIN, b"orders:1:7")])
    assert not plan()._replace(source="orders").is_copy(redriven)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("shelfstream-shoppers-changelog", "again", "internal topic"),
        ("product-created", "co-behavior", "internal topic"),
        ("__consumer_offsets", "again", "internal topic"),
        ("product-created", "user-behavior", "user-behavior holds other events than product-created"),
    ],
)
def test_topics_that_a_replay_would_damage_are_refused(source: str, target: str, reason: str) -> None:
    with pytest.raises(StopWorker, match=reason):
        check_topics(source, target, Settings())
    check_topics("product-created", "product-created", Settings())
    check_topics("product-created", "product-created-copy", Settings())


def test_the_command_requires_a_first_position() -> None:
    result = CliRunner().invoke(command, ["product-created"])
    assert result.exit_code == 2
    assert "Missing option '--from'" in result.output
