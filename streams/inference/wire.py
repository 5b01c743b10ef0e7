"""The protocol between a worker and its model process: messages over a socket, encoded as MessagePack.

worker ──► model    a list of `Listing`; an empty message ends the stream
worker ◄── model    once `Ready` or `Failure`; then for each list, in order, `BatchResult` or `Failure`;
                    in between `Heartbeat`, when nothing else was sent for a second
"""

import socket
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from models.drift.report import DriftReport
from schemas.errors import InferenceFailed, RetryLater, ShelfstreamError, StopWorker
from streams.inference.messages import Listing, Predictions, PredictorConfig

_LENGTH = struct.Struct("!Q")
# The result of one batch takes some megabytes. A large buffer lets neither side wait for the other.
_BUFFER_BYTES = 4 * 1024 * 1024


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded and warm."""

    model_version: str


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The process lives. It is sent while the model loads and works, too."""


class BatchResult(msgspec.Struct, frozen=True, tag=True):
    """The results of one batch.

    Attributes:
        predictions: One result per listing, in order.
        cache_hits: Listings of this batch that were found in the classification cache.
        cache_misses: Listings of this batch that were classified.
        drift: The current drift report, at most once a second. None otherwise.
    """

    predictions: Predictions
    cache_hits: int
    cache_misses: int
    drift: DriftReport | None = None


class Failure(msgspec.Struct, frozen=True, tag=True):
    """An error of the model's process.

    Attributes:
        kind: Name of the error class that decides what the worker does. Empty for `InferenceFailed`.
        message: The error's text.
    """

    kind: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Describe `error`."""
        kind = next((kind.__name__ for kind in (StopWorker, RetryLater) if isinstance(error, kind)), "")
        return cls(kind, str(error) if isinstance(error, ShelfstreamError) else repr(error))

    def error(self) -> ShelfstreamError:
        """Return the error for the worker to raise."""
        kinds = {kind.__name__: kind for kind in (StopWorker, RetryLater)}
        return kinds.get(self.kind, InferenceFailed)(self.message)


Reply = Ready | Heartbeat | BatchResult | Failure


def _to_path(kind: type, value: Any) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError("Expected a path")


encode_config = msgspec.json.Encoder(enc_hook=str).encode
decode_config = partial(msgspec.json.decode, type=PredictorConfig, dec_hook=_to_path)
encode = msgspec.msgpack.Encoder().encode
decode_listings = msgspec.msgpack.Decoder(list[Listing]).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


class MessageSocket:
    """Sends and receives whole messages over a stream socket. One thread may send while another receives.

    Each direction takes one system call per message of any size, because each return into a busy
    interpreter waits for its lock.

    Args:
        end: One end of a connected stream socket. The instance owns it.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)

    def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            OSError: The other end is closed.
        """
        self._end.sendall(_LENGTH.pack(len(message)))
        self._end.sendall(message)

    def receive(self) -> bytearray | None:
        """Wait for the next message. Returns None once the other end is closed."""
        head = self._receive_exactly(_LENGTH.size)
        return None if head is None else self._receive_exactly(_LENGTH.unpack(head)[0])

    def close(self) -> None:
        """Close the connection. A thread that is receiving gets None."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _receive_exactly(self, count: int) -> bytearray | None:
        buffer = bytearray(count)
        view, received = memoryview(buffer), 0
        while received < count:
            # A signal may end the call early.
            try:
                more = self._end.recv_into(view[received:], 0, socket.MSG_WAITALL)
            except OSError:
                return None
            if not more:
                return None
            received += more
        return buffer
