"""`shelfstream demo` as a newcomer runs it: it ends by itself, its sums are right, nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import StopWorker
from streams.demo.process import DemoWorker
from streams.embedded import EmbeddedBroker

DEMO = (sys.executable, "-P", "-c", "from streams.cli import main; main()", "demo")


def _environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(mode=0o500)
    temporary = folder / "temporary"
    temporary.mkdir()
    # Settings that are meant for another Kafka, which is not there, must not reach the demo's worker.
    strange = {"SHELFSTREAM_BOOTSTRAP_SERVERS": "nowhere.invalid:1", "SHELFSTREAM_PARTITIONS": "7"}
    return (
        os.environ | strange | {"HOME": str(home), "TMPDIR": str(temporary), "LC_ALL": "C", "NO_COLOR": "1"}
    )


def test_the_demo_streams_the_shop_adds_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*DEMO, "--seconds", "5"],
        env=_environment(tmp_path),
        capture_output=True,
        timeout=120,
        check=False,
    )
    told, errors = ended.stdout.decode(), ended.stderr.decode()
    assert ended.returncode == 0, f"{told}\n{errors}"
    assert "\x1b" not in told
    assert "2,527 in = 2,524 enriched + 1 withdrawn + 2 dead-lettered" in told
    assert "26,146 in = 26,145 counted into sessions + 1 dead-lettered" in told
    assert "1 in = 1 decided by a person" in told
    assert told.count("✓") == 8
    assert "✗" not in told
    for shown in ("malformed-json", "unknown-version", "invalid-field", "HAND WARMER", "next: "):
        assert shown in told, shown
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_ends_a_demo_that_keeps_running_in_order_with_its_summary(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--keep-running"],
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "in 1 " in line:
                break
        process.send_signal(signal.SIGINT)
        told, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 0, f"{told}\n{errors}"
    assert "Does it add up?" in told
    assert "✗" not in told
    assert "Where to look next" in told
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_worker_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker, DemoWorker(broker.bootstrap, tmp_path) as worker:
        assert worker.process is not None
        worker.process.kill()
        worker.process.wait(10)
        worker.log.write_text('plain trouble\n{"level": "error", "event": "no room", "error": "disk full"}\n')
        with pytest.raises(StopWorker) as told:
            worker.wait_ready(lambda: None)
    assert "exit code -9" in str(told.value)
    assert "plain trouble" in str(told.value)
    assert "error: no room disk full" in str(told.value)


def test_a_worker_ends_when_its_demo_is_gone(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker, DemoWorker(broker.bootstrap, tmp_path) as worker:
        assert worker.process is not None
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        assert worker.process.wait(30) != 0
