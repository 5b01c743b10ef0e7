"""What this process and the model's say to each other: frames over a socket, and the words in them.

worker ──► model    a list of `Listing`s; an empty frame: no more will come
worker ◄── model    once `Ready` or `Failure`; then for each list, in order, `Answer` or `Failure`
"""

import socket
import struct
from contextlib import suppress

import msgspec

from models.drift.report import DriftReport
from schemas.errors import InferenceFailed, RetryLater, ShelfstreamError, StopWorker
from streams.inference.messages import InvalidListing, Listing, Prediction

_LENGTH = struct.Struct("!Q")
# One batch's answer has some megabytes; the less often both sides wait for each other, the better.
_BUFFER_BYTES = 4 * 1024 * 1024


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded and warm."""

    model_version: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What became of a list of listings, how often a classification was at hand, or not; at times, drift."""

    found: list[Prediction | InvalidListing]
    cache_hits: int
    cache_misses: int
    drift: DriftReport | None = None


class Failure(msgspec.Struct, frozen=True, tag=True):
    """An error of the model's process: what the runtime does about it, and why."""

    kind: str
    why: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What an error says."""
        kind = next((kind.__name__ for kind in (StopWorker, RetryLater) if isinstance(error, kind)), "")
        return cls(kind, str(error) if isinstance(error, ShelfstreamError) else repr(error))

    def error(self) -> ShelfstreamError:
        """The error to raise in the worker."""
        kinds = {kind.__name__: kind for kind in (StopWorker, RetryLater)}
        return kinds.get(self.kind, InferenceFailed)(self.why)


Word = Ready | Answer | Failure

encode = msgspec.msgpack.Encoder().encode
decode_listings = msgspec.msgpack.Decoder(list[Listing]).decode
decode_word = msgspec.msgpack.Decoder(Word).decode


class Frames:
    """Whole messages over a stream socket. One thread may send while another receives.

    Each direction is one call into the kernel for a message of any size, as every return into a busy
    interpreter waits for its lock.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)

    def send(self, message: bytes) -> None:
        """Send a message; raises OSError once the other side is gone."""
        self._end.sendall(_LENGTH.pack(len(message)))
        self._end.sendall(message)

    def receive(self) -> bytearray | None:
        """The next message; None once the other side is gone."""
        head = self._exactly(_LENGTH.size)
        return None if head is None else self._exactly(_LENGTH.unpack(head)[0])

    def hang_up(self) -> None:
        """End the talk, also for a thread that is just receiving."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _exactly(self, count: int) -> bytearray | None:
        buffer = bytearray(count)
        view, got = memoryview(buffer), 0
        while got < count:
            # A signal may end the call early.
            try:
                more = self._end.recv_into(view[got:], 0, socket.MSG_WAITALL)
            except OSError:
                return None
            if not more:
                return None
            got += more
        return buffer
