"""The page on writing an agent: its programs run as they stand, and count exactly once through SIGKILLs."""

import os
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.support.broker import Kafka
from tests.support.committed import committed_records

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "writing-an-agent.md").read_text("utf-8")
PARTITIONS = 4
BRANDS = 40
EVENTS = 12_000
WITHIN_S = 180.0


def program(name: str) -> str:
    """The program that the page shows under this name."""
    (block,) = re.findall(rf"<!-- program: {re.escape(name)} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


@contextmanager
def running(folder: Path, bootstrap: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The page's program as a worker of its own, killed at the end of the block if it runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHELFSTREAM_")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "SHELFSTREAM_BOOTSTRAP_SERVERS": bootstrap,
        "SHELFSTREAM_DATA_DIR": str(state),
        "SHELFSTREAM_SESSION_TIMEOUT_S": "3",
        "SHELFSTREAM_HEARTBEAT_INTERVAL_S": "0.5",
        # Many small batches: a kill in the middle of work is in the middle of a transaction.
        "SHELFSTREAM_BATCH_MAX_RECORDS": "20",
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "brands.py"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write(bootstrap: str, brands: list[str]) -> None:
    """Write views in turn for each of the brands, keyed by the brand."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20})
    for number in range(EVENTS):
        brand = brands[number % len(brands)]
        value = orjson.dumps({"brand": brand, "seen_by": f"shopper-{number}"})
        while True:
            try:
                producer.produce("brand-viewed", key=brand.encode(), value=value)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0


def published(bootstrap: str, brands: list[str]) -> dict[str, list[int]]:
    """The counts of each brand that a read_committed reader sees, in their order."""
    counts: dict[str, list[int]] = {brand: [] for brand in brands}
    for message in committed_records(bootstrap, "brand-views", [0] * PARTITIONS):
        event = orjson.loads(message.value() or b"")
        if event["brand"] in counts:
            counts[event["brand"]].append(event["views"])
    return counts


def counted(bootstrap: str, brands: list[str]) -> int:
    """How many views were counted so far."""
    return sum(views[-1] for views in published(bootstrap, brands).values() if views)


def wait_for(bootstrap: str, brands: list[str], least: int, log: Path) -> int:
    """Wait until at least so many views were counted; returns how many were."""
    deadline = time.monotonic() + WITHIN_S
    while (count := counted(bootstrap, brands)) < least:
        assert time.monotonic() < deadline, f"{count} of {least} counted\n{log.read_text()[-4000:]}"
        time.sleep(0.05)
    return count


@pytest.mark.kafka
def test_the_program_counts_each_view_once_through_sigkills(kafka: Kafka, tmp_path: Path) -> None:
    """Killed twice in the middle of work, and once more without its state: no view is lost or doubled."""
    (tmp_path / "brands.py").write_text(program("brands.py"))
    log = tmp_path / "log"
    brands = [f"{uuid.uuid4().hex[:8]}-{number}" for number in range(BRANDS)]
    with running(tmp_path, kafka.bootstrap, tmp_path / "state"):
        # It creates the topics; a producer that is faster would be told that there are none.
        deadline = time.monotonic() + WITHIN_S
        while "lane runs" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.1)
        write(kafka.bootstrap, brands)
        first = wait_for(kafka.bootstrap, brands, 1, log)
    assert counted(kafka.bootstrap, brands) < EVENTS, "it was not killed in the middle of its work"
    with running(tmp_path, kafka.bootstrap, tmp_path / "state"):
        second = wait_for(kafka.bootstrap, brands, first + 1, log)
    with running(tmp_path, kafka.bootstrap, tmp_path / "another-state") as worker:
        assert wait_for(kafka.bootstrap, brands, EVENTS, log) >= second
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()[-4000:]
    expected = Counter(brands[number % BRANDS] for number in range(EVENTS))
    for brand, views in published(kafka.bootstrap, brands).items():
        assert views == sorted(set(views)), "a count was published twice"
        assert views[-1] == expected[brand]
    rows = {
        message.key(): message.value()
        for message in committed_records(kafka.bootstrap, "brands-counts-changelog", [0] * PARTITIONS)
    }
    assert {brand: int(rows[brand.encode()] or b"0") for brand in brands} == expected


def test_the_page_s_test_passes(tmp_path: Path) -> None:
    for name in ("brands.py", "test_brands.py"):
        (tmp_path / name).write_text(program(name))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_the_program_is_as_short_as_the_page_says() -> None:
    lines = [line for line in program("brands.py").splitlines() if line.strip()]
    assert len(lines) <= 35
