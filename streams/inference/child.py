"""The model's process. `InferenceProcess` starts it as `python -m streams.inference.child SOCKET CONFIG`.

SOCKET is the number of an inherited file descriptor, CONFIG a `PredictorConfig` as JSON. The process exits
when the worker closes the socket, also when the worker is killed. It ignores SIGINT and SIGTERM, because a
worker that is told to stop first finishes its batches.
"""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from schemas.errors import ShelfstreamError
from streams.inference.messages import PredictorConfig
from streams.inference.predictor import Predictor, load_predictor
from streams.inference.wire import (
    BatchResult,
    Failure,
    Heartbeat,
    MessageSocket,
    Ready,
    Reply,
    decode_config,
    decode_listings,
    encode,
)

_DRIFT_INTERVAL_S = 1.0
_HEARTBEAT_INTERVAL_S = 1.0


def main(load: Callable[[PredictorConfig], Predictor] = load_predictor) -> None:
    """Load the model, report that it is ready, and predict batches until the worker ends the stream.

    Args:
        load: Loads the model of a configuration.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    connection = MessageSocket(socket.socket(fileno=int(sys.argv[1])))
    requests: SimpleQueue[bytearray] = SimpleQueue()
    replies: SimpleQueue[Reply | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    sender = threading.Thread(target=_send, args=(connection, replies), daemon=True)
    sender.start()
    try:
        predictor = load(decode_config(sys.argv[2]))
    except ShelfstreamError as error:
        replies.put(Failure.of(error))
    else:
        # The model's objects are never freed, so the garbage collector need not visit them.
        gc.freeze()
        replies.put(Ready(predictor.model_version))
        _serve(predictor, requests, replies)
    replies.put(None)
    sender.join()


def _receive(connection: MessageSocket, requests: "SimpleQueue[bytearray]") -> None:
    """Receive batches ahead of time, so that the model does not wait for the next one."""
    while (message := connection.receive()) is not None:
        requests.put(message)
    os._exit(0)  # the worker is gone: nobody reads a reply


def _send(connection: MessageSocket, replies: "SimpleQueue[Reply | None]") -> None:
    """Send replies while the model predicts the next batch, and heartbeats while there is no reply."""
    while True:
        try:
            reply = replies.get(timeout=_HEARTBEAT_INTERVAL_S)
        except Empty:
            reply = Heartbeat()
        if reply is None:
            return
        connection.send(encode(reply))


def _serve(
    predictor: Predictor, requests: "SimpleQueue[bytearray]", replies: "SimpleQueue[Reply | None]"
) -> None:
    """Predict each batch until an empty message arrives."""
    counted, reported_at = predictor.cache_requests, -_DRIFT_INTERVAL_S
    while message := requests.get():
        try:
            predictions = predictor.predict(decode_listings(message))
        except Exception as error:
            replies.put(Failure.of(error))
            continue
        hits, misses = predictor.cache_requests
        due = time.monotonic() - reported_at >= _DRIFT_INTERVAL_S
        drift = predictor.drift_report() if due else None
        replies.put(BatchResult(predictions, hits - counted[0], misses - counted[1], drift))
        reported_at = time.monotonic() if due else reported_at
        counted = hits, misses


if __name__ == "__main__":
    main()
