"""A worker as its own process: its log, its pages, its signals."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

Status = Mapping[str, Any]
"""A worker's `/status.json`."""


class WorkerProcess:
    """A worker as its own process, with its log in a file.

    The timeouts are long: a busy machine is no failure, and a test that succeeds never waits for them.

    Args:
        command: The worker's command line.
        environment: The worker's environment variables.
        log: The file to which stdout and stderr are appended.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._address: str | None = None
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def url(self, path: str) -> str:
        """Build the URL of a page of this worker's HTTP server, whose port the log names.

        Raises:
            ConnectionError: The worker does not listen yet.
        """
        addresses = re.findall(r"http://127\.0\.0\.1:\d+/", self.log.read_text())
        if addresses:
            self._address = str(addresses[-1])
        if self._address is None:
            raise ConnectionError("the worker does not listen yet")
        return self._address + path

    def rotate_log(self) -> None:
        """Move the content of the log file to a second file beside it."""
        with suppress(OSError):
            self.url("")
        with self.log.with_suffix(".old").open("ab") as old:
            old.write(self.log.read_bytes())
        os.truncate(self.log, 0)

    def get(self, path: str) -> str:
        """Fetch a page.

        Raises:
            OSError: The page is not served, or its status code is an error.
        """
        with urllib.request.urlopen(self.url(path), timeout=15) as answer:
            return str(answer.read().decode())

    def status(self) -> Status:
        """Fetch `/status.json`.

        Raises:
            OSError: The page is not served.
        """
        status: Status = orjson.loads(self.get("status.json"))
        return status

    def wait_ready(self, within_s: float = 180) -> None:
        """Wait until the worker answers `/ready`.

        Raises:
            AssertionError: The worker ended, or is not ready within `within_s`.
        """
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.get("ready")
            except OSError:
                if not self.alive or time.monotonic() > deadline:
                    raise AssertionError(f"not ready: {self.log.read_text()[-4000:]}") from None
                time.sleep(0.1)
            else:
                return

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End the process with SIGKILL, as a power failure would."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = 90) -> int:
        """Send SIGTERM and wait for the end of the process.

        Returns:
            The exit code.

        Raises:
            subprocess.TimeoutExpired: The process is still there after `within_s`.
        """
        self.process.terminate()
        return self.process.wait(within_s)
