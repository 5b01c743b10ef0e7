"""The peers whose libraries are test dependencies implement the interface of contestants."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner

from benchmarks.peers.all_peers import CONTESTANTS
from benchmarks.peers.command_line import takes_work
from benchmarks.peers.contestant import COUNTER, PASSTHROUGH, RECOVER, PeerMissing, Work, installed
from benchmarks.peers.stock_faust import changelog_record, changelog_topic
from streams.records import Output
from streams.settings import Settings
from tests.support.broker import Kafka
from tests.support.topic import create_topic, read_all, write

WITHIN_S = 240.0
KEYS = 20


@pytest.fixture
def work(kafka: Kafka, unique: Callable[[str], str], tmp_path: Path) -> Work:
    return Work(
        bootstrap=kafka.bootstrap,
        job=PASSTHROUGH,
        source=unique("peer-source"),
        sink=unique("peer-sink"),
        group=unique("peer-group"),
        state=tmp_path / "state",
        partitions=4,
    )


def settings_of(work: Work) -> Settings:
    return Settings(bootstrap_servers=work.bootstrap, partitions=work.partitions)


def key_of(number: int) -> bytes:
    return b"user-%d" % (number % KEYS)


def event(work: Work, number: int) -> Output:
    """Create an event in a partition that no partitioner would choose."""
    value = orjson.dumps({"number": number, "note": "größer", "price": 1.5})
    return Output(work.source, number % KEYS % work.partitions, key_of(number), value)


@contextmanager
def running(contestant: str, work: Work, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        worker = subprocess.Popen(
            CONTESTANTS[contestant].command(work), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()


def wait_until(met: Callable[[], bool], worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not met():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.mark.kafka
def test_stock_faust_passes_every_event_on_in_order(work: Work, tmp_path: Path) -> None:
    count, log, settings = 500, tmp_path / "log", settings_of(work)
    create_topic(settings, work.source, work.sink, partitions=work.partitions)
    write(settings, [event(work, number) for number in range(count)])
    with running("faust-at-least-once", work, log) as worker:
        wait_until(lambda: len(read_all(settings, work.sink)) >= count, worker, log)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(WITHIN_S) == 0, log.read_text()
    read = read_all(settings, work.sink)
    by_partition = [
        (number % KEYS % work.partitions, key_of(number), number)
        for number in sorted(range(count), key=lambda number: (number % KEYS % work.partitions, number))
    ]
    values = [orjson.loads(record.value or b"") for record in read]
    found = [
        (record.partition, record.key, value["number"]) for record, value in zip(read, values, strict=True)
    ]
    assert found == by_partition
    assert all(value["seen"] is True and value["note"] == "größer" for value in values)


@pytest.mark.kafka
def test_stock_faust_recovers_rows_that_a_driver_wrote(work: Work, tmp_path: Path) -> None:
    rows, log, settings = 300, tmp_path / "log", settings_of(work)
    changelog = changelog_topic(work.group)
    create_topic(settings, work.source, work.sink, partitions=work.partitions)
    create_topic(settings, changelog, partitions=work.partitions, cleanup_policy="compact")
    records = (changelog_record(b"row-%d" % number, number) for number in range(rows))
    write(settings, [Output(changelog, n % work.partitions, *record) for n, record in enumerate(records)])
    with running("faust", replace(work, job=RECOVER), log) as worker:
        wait_until(lambda: f"recovered {rows} rows, " in log.read_text(), worker, log)
        # It continues counting from the recovered rows.
        write(settings, [Output(work.source, 7 % work.partitions, b"row-7", b"{}")])
        wait_until(
            lambda: [r.value for r in read_all(settings, changelog) if r.key == b"row-7"] == [b"7", b"8"],
            worker,
            log,
        )


def test_work_survives_the_command_line(tmp_path: Path) -> None:
    work = Work("host:9092,other:9092", COUNTER, "source", "sink", "group", tmp_path / "state", 12)
    taken: list[tuple[Work, int]] = []

    @click.command()
    @takes_work(PASSTHROUGH, COUNTER)
    @click.option("--threads", type=int)
    def command(work: Work, threads: int) -> None:
        taken.append((work, threads))

    done = CliRunner().invoke(command, [*work.arguments(), "--threads", "3"])
    assert done.exit_code == 0, done.output
    assert taken == [(work, 3)]
    assert work.state.is_dir()


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(PeerMissing, match=r"no-such-stream-processor .*make setup-peers.*\[peers\]"):
        installed("no-such-stream-processor")
