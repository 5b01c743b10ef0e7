"""The demo's worker process: started, asked how it does over HTTP, and stopped."""

import json
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

from schemas.errors import StopWorker
from streams.demo.worker_metrics import Reading, read_worker
from streams.settings import PREFIX

READY_S = 90.0
"""How long a worker may take to be ready, in seconds."""

_STOP_S = 15.0
_HTTP_S = 2.0


class DemoWorker:
    """A worker on the embedded broker, as a process of its own.

    Args:
        bootstrap: the broker's address.
        folder: where its state and its log go.

    Attributes:
        log: the file of its log.
        url: its status page, once it is known.
        process: the process, once started.
    """

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.log = folder / "worker.log"
        self.url: str | None = None
        self._bootstrap = bootstrap
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Settings of the person who runs the demo are for their own Kafka.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {
            f"{PREFIX}BOOTSTRAP_SERVERS": self._bootstrap,
            f"{PREFIX}EMBEDDED": "true",
            f"{PREFIX}APP_ID": "shelfstream-demo",
            f"{PREFIX}DATA_DIR": str(self._folder / "state"),
            f"{PREFIX}HTTP_PORT": "0",
            f"{PREFIX}LOG_FORMAT": "json",
        }
        # Some libraries leave files of their own where temporary ones go: those must go with the folder.
        environment["TMPDIR"] = str(self._folder)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "streams.demo.child_worker"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops the worker in order
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
        """Wait until it is ready, calling `meanwhile` some times a second.

        Raises:
            StopWorker: it ended, or was not ready after `READY_S` seconds.
        """
        deadline = time.monotonic() + READY_S
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise StopWorker(
                    f"The demo's worker was not ready after {READY_S:.0f} s.\n{self.last_words()}"
                )
            meanwhile()
            time.sleep(0.1)

    def check(self) -> None:
        """Raise `StopWorker` with the last lines of its log if it has ended."""
        code = self.process.poll() if self.process is not None else None
        if code is not None:
            raise StopWorker(f"The demo's worker ended with exit code {code}.\n{self.last_words()}")

    def reading(self) -> Reading | None:
        """What it says of itself now; None while it does not answer."""
        try:
            return read_worker(json.loads(self._get("/status.json")), self._get("/metrics").decode())
        except (OSError, ValueError):
            return None

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, shortened, for people."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        said = [_event(line) for line in text.splitlines() if line.strip()]
        return "Its log ends:\n" + "\n".join(f"  {line}" for line in said[-lines:])

    def _ready(self) -> bool:
        self.url = self.url or _url_in(self.log)
        if self.url is None:
            return False
        try:
            return bool(json.loads(self._get("/ready"))["ready"])
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
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _url_in(log: Path) -> str | None:
    """The address that the worker logs once it listens; port 0 was asked for, so only it knows."""
    for line in log.read_text("utf-8", errors="replace").splitlines():
        url = _parsed(line).get("url")
        if url:
            return str(url)
    return None


def _event(line: str) -> str:
    parsed = _parsed(line)
    if not parsed:
        return line[:300]
    return f"{parsed.get('level', '')}: {parsed.get('event', '')} {parsed.get('error', '')}".rstrip()[:300]
