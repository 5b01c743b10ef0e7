"""The model's process, which `InferenceProcess` starts: `… -m streams.inference.child SOCKET CHOICE`.

It ends when the worker hangs up, however that ends, even killed; the signals that tell a worker to stop are
not for it, as the worker first finishes what it has begun.
"""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import msgspec

from schemas.errors import ShelfstreamError
from streams.inference.messages import ModelChoice
from streams.inference.predictor import Predictor, load_predictor
from streams.inference.wire import Answer, Failure, Frames, Ready, Word, decode_listings, encode

_REPORT_EVERY_S = 1.0


def load(choice: ModelChoice) -> Predictor:
    """What judges in this process."""
    return load_predictor(choice)


def main(load: Callable[[ModelChoice], Predictor] = load) -> None:
    """Load the model, say so, and judge what comes until no more will."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    frames = Frames(socket.socket(fileno=int(sys.argv[1])))
    received: SimpleQueue[bytearray] = SimpleQueue()
    words: SimpleQueue[Word | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(frames, received), daemon=True).start()
    sender = threading.Thread(target=_send, args=(frames, words), daemon=True)
    sender.start()
    try:
        judge = load(msgspec.json.decode(sys.argv[2], type=ModelChoice))
    except ShelfstreamError as error:
        words.put(Failure.of(error))
    else:
        # The model's own objects stay for good: the collector need not look at them again.
        gc.freeze()
        words.put(Ready(judge.model_version))
        _work(judge, received, words)
    words.put(None)
    sender.join()


def _receive(frames: Frames, received: "SimpleQueue[bytearray]") -> None:
    """Take in batches ahead of time, so that none has to be waited for."""
    while (frame := frames.receive()) is not None:
        received.put(frame)
    os._exit(0)  # nobody is left to answer


def _send(frames: Frames, words: "SimpleQueue[Word | None]") -> None:
    """Give out answers while the next batch is in work."""
    while (word := words.get()) is not None:
        frames.send(encode(word))


def _work(judge: Predictor, received: "SimpleQueue[bytearray]", words: "SimpleQueue[Word | None]") -> None:
    told, reported_at = judge.cache_requests, -_REPORT_EVERY_S
    while frame := received.get():
        try:
            found = judge(decode_listings(frame))
        except Exception as error:
            words.put(Failure.of(error))
            continue
        hits, misses = judge.cache_requests
        due = time.monotonic() - reported_at >= _REPORT_EVERY_S
        words.put(Answer(found, hits - told[0], misses - told[1], judge.drift_report() if due else None))
        reported_at = time.monotonic() if due else reported_at
        told = hits, misses


if __name__ == "__main__":
    main()
