"""A worker that ends with its parent process: `python -P -m streams.demo.child_worker`.

The demo holds the write end of this process's standard input. The pipe closes when the demo ends, also if
it is killed, and then the worker stops.
"""

import os
import signal
import threading
import time

from streams.cli import main

STOP_S = 10.0
"""Seconds for an orderly stop after the demo has ended."""


def _end_with_parent() -> None:
    # Not through sys.stdin: this thread would hold its lock at interpreter shutdown.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # The broker has ended with the demo, so an orderly stop may wait for responses that never come.
    time.sleep(STOP_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(["worker"])
