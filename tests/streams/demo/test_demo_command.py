"""`shelfstream demo` as a process: it ends by itself, every topic is balanced, no file is left."""

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
    # Settings for another Kafka must not reach the demo's worker.
    foreign = {"SHELFSTREAM_BOOTSTRAP_SERVERS": "nowhere.invalid:1", "SHELFSTREAM_PARTITIONS": "7"}
    return (
        os.environ | foreign | {"HOME": str(home), "TMPDIR": str(temporary), "LC_ALL": "C", "NO_COLOR": "1"}
    )


def test_the_demo_streams_the_shop_balances_and_leaves_no_file(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*DEMO, "--seconds", "5"],
        env=_environment(tmp_path),
        capture_output=True,
        timeout=280,
        check=False,
    )
    output, errors = ended.stdout.decode(), ended.stderr.decode()
    assert ended.returncode == 0, f"{output}\n{errors}"
    assert "\x1b" not in output
    assert "2,527 in = 2,524 enriched + 1 withdrawn + 2 dead-lettered" in output
    assert "26,146 in = 26,145 counted into sessions + 1 dead-lettered" in output
    assert "1 in = 1 decided by a person" in output
    assert output.count("✓") == 8
    assert "✗" not in output
    for shown in ("malformed-json", "unknown-version", "invalid-field", "HAND WARMER", "next behavior: "):
        assert shown in output, shown
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_ends_a_demo_that_keeps_running_with_its_summary(tmp_path: Path) -> None:
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
        output, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(200) == 0, f"{output}\n{errors}"
    assert "Reconciliation" in output
    assert "✗" not in output
    assert "Next steps" in output
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_dead_worker_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker, DemoWorker(broker.bootstrap, tmp_path) as worker:
        assert worker.process is not None
        worker.process.kill()
        worker.process.wait(60)
        worker.log.write_text('plain trouble\n{"level": "error", "event": "no room", "error": "disk full"}\n')
        with pytest.raises(StopWorker) as raised:
            worker.wait_ready(lambda: None)
    assert "exit code -9" in str(raised.value)
    assert "plain trouble" in str(raised.value)
    assert "error: no room disk full" in str(raised.value)


def test_a_worker_ends_when_its_demo_has_ended(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker, DemoWorker(broker.bootstrap, tmp_path) as worker:
        assert worker.process is not None
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        assert worker.process.wait(90) != 0
