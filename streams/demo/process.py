"""The worker process of the demo: start it, read its status over HTTP, stop it."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

import orjson

from schemas.errors import StopWorker
from streams.demo.worker_metrics import WorkerMetrics, parse_worker_metrics
from streams.settings import PREFIX

READY_S = 90.0
"""Seconds within which a worker must be ready."""

_STOP_S = 15.0
_HTTP_S = 2.0


class DemoWorker:
    """A worker process on the embedded broker. Use it as a context manager.

    Args:
        bootstrap: Address of the broker.
        folder: Directory of the worker's state and log.

    Attributes:
        log: Log file of the worker.
        url: Address of its status page; None until it is known.
        process: The process; None until it is started.
    """

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.log = folder / "worker.log"
        self.url: str | None = None
        self._bootstrap = bootstrap
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Settings in the environment are for the user's own Kafka.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {
            f"{PREFIX}BOOTSTRAP_SERVERS": self._bootstrap,
            f"{PREFIX}EMBEDDED": "true",
            f"{PREFIX}APP_ID": "shelfstream-demo",
            f"{PREFIX}DATA_DIR": str(self._folder / "state"),
            f"{PREFIX}HTTP_PORT": "0",
            f"{PREFIX}LOG_FORMAT": "json",
        }
        # Some libraries leave temporary files behind. Here they are removed with the folder.
        environment["TMPDIR"] = str(self._folder)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "streams.demo.child_worker"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo only, which then stops the worker
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()

    def wait_ready(self, meanwhile: Callable[[], None]) -> None:
        """Wait until the worker is ready.

        Args:
            meanwhile: Called several times per second.

        Raises:
            StopWorker: The worker ended, or was not ready within `READY_S` seconds.
        """
        deadline = time.monotonic() + READY_S
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise StopWorker(f"The demo's worker was not ready after {READY_S:.0f} s.\n{self.log_tail()}")
            meanwhile()
            time.sleep(0.1)

    def check(self) -> None:
        """Check that the process runs.

        Raises:
            StopWorker: The process has ended. The message has the end of its log.
        """
        code = self.process.poll() if self.process is not None else None
        if code is not None:
            raise StopWorker(f"The demo's worker ended with exit code {code}.\n{self.log_tail()}")

    def metrics(self) -> WorkerMetrics | None:
        """Return the worker's present report; None if it does not answer."""
        try:
            return parse_worker_metrics(
                orjson.loads(self._get("/status.json")), self._get("/metrics").decode()
            )
        except (OSError, ValueError):
            return None

    def log_tail(self, lines: int = 12) -> str:
        """Return the last lines of its log, shortened, with a heading."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        shown = [_shortened(line) for line in text.splitlines() if line.strip()]
        return "Its log ends:\n" + "\n".join(f"  {line}" for line in shown[-lines:])

    def _ready(self) -> bool:
        self.url = self.url or _url_in(self.log)
        if self.url is None:
            return False
        try:
            return bool(orjson.loads(self._get("/ready"))["ready"])
        except (HTTPError, OSError, ValueError):
            return False

    def _get(self, path: str) -> bytes:
        if self.url is None:
            raise OSError("the worker does not listen yet")
        with urllib.request.urlopen(self.url.rstrip("/") + path, timeout=_HTTP_S) as answer:
            body: bytes = answer.read()
        return body


def _parsed(line: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _url_in(log: Path) -> str | None:
    """Return the address in the worker's log, None if it is not there yet. The worker picks a free port."""
    for line in log.read_text("utf-8", errors="replace").splitlines():
        url = _parsed(line).get("url")
        if url:
            return str(url)
    return None


def _shortened(line: str) -> str:
    parsed = _parsed(line)
    if not parsed:
        return line[:300]
    return f"{parsed.get('level', '')}: {parsed.get('event', '')} {parsed.get('error', '')}".rstrip()[:300]
