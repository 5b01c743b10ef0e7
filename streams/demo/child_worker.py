"""A worker that ends with the process that started it: `python -P -m streams.demo.child_worker`.

The demo holds the other end of this process's standard input. However the demo ends, even killed, that end
closes, and no worker is left behind.
"""

import os
import signal
import threading
import time

from streams.cli import main

STOP_S = 10.0
"""How long an orderly stop may take once the demo is gone, in seconds."""


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock this thread would hold when the process ends of itself.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # The broker went with the demo, so an orderly stop may wait for answers that cannot come.
    time.sleep(STOP_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(["worker"])
