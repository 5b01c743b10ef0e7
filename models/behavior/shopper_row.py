"""A shopper's row: what is remembered of one shopper, as bytes and as a structure."""

from collections.abc import Mapping

import msgspec

from models.behavior.event_time import instant
from models.behavior.next_behavior import START, Transitions
from models.behavior.preference import Tastes
from schemas.errors import StopWorker
from schemas.events import Session

ROW_VERSION = 1


class OpenSession(msgspec.Struct, array_like=True):
    """A remembered session.

    Attributes:
        session_id: The shop's, or one made of the first event's time.
        named: Whether the shop gave the id.
        started_at: Time of the earliest event, in seconds.
        last_at: Time of the latest event, in seconds.
        events: Distinct events.
        previous: Code of the action before the last that arrived, or START.
        last: Code of the last action that arrived.
        left: Whether the shopper was counted as having left after `last`.
        entered: For each relation, the products in it by their entry time in seconds, in order of arrival.
    """

    session_id: str
    named: bool
    started_at: float
    last_at: float
    events: int = 0
    previous: int = START
    last: int = START
    left: bool = False
    entered: dict[str, dict[str, float]] = {}

    def products(self) -> int:
        """How many distinct products it holds, in any relation."""
        return len(set().union(*self.entered.values()))

    def size(self) -> int:
        """How many entries it remembers."""
        return sum(map(len, self.entered.values()))

    def characters(self) -> int:
        """How many characters the ids of these entries have."""
        return sum(characters_of(products) for products in self.entered.values())


def characters_of(products: Mapping[str, float]) -> int:
    """How many characters the ids of `products` have."""
    return sum(map(len, products))


class ShopperState(msgspec.Struct, array_like=True):
    """A row's content, mutable.

    Attributes:
        seen: Hashes of recent event ids, oldest first.
        sessions: The remembered sessions, in order of opening.
        transitions: How often each action followed which.
        tastes: The products that the shopper's taste derives from.
    """

    seen: bytes = b""
    sessions: list[OpenSession] = []
    transitions: Transitions = {}
    tastes: Tastes = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ShopperState)


class ShopperRow:
    """What is remembered of one shopper: immutable bytes, read when asked; `apply` makes a new row."""

    __slots__ = ("_data", "_view")

    def __init__(self) -> None:
        self._data = bytes((ROW_VERSION,)) + _encoder.encode(ShopperState())
        self._view: ShopperState | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> "ShopperRow":
        """Take a row's bytes, which are read when they are needed.

        Raises:
            StopWorker: The row is of another version. A damaged one raises the same when it is read.
        """
        if data[:1] != bytes((ROW_VERSION,)):
            raise StopWorker(
                f"a shopper's row begins with {data[:1]!r}, but this program reads version {ROW_VERSION}: "
                "run the program that wrote it, or rebuild the state from user-behavior"
            )
        row = cls()
        row._data = data
        return row

    def to_bytes(self) -> bytes:
        """The row as a version byte and MessagePack."""
        # Who writes a row has read it: kept at hand by the thousand, rows are much smaller unread.
        self._view = None
        return self._data

    def _decoded(self) -> ShopperState:
        try:
            return _decoder.decode(memoryview(self._data)[1:])
        except msgspec.MsgspecError as error:
            raise StopWorker(f"a shopper's row is damaged, rebuild the state: {error}") from error

    @property
    def _state(self) -> ShopperState:
        if self._view is None:
            self._view = self._decoded()
        return self._view

    def evolved(self) -> tuple["ShopperRow", ShopperState]:
        """A new row and its state, free to change until `sealed`; nothing of it is shared with this row."""
        row = ShopperRow()
        state = row._view = self._decoded()
        return row, state

    def sealed(self) -> "ShopperRow":
        """Write the changed state into the row's bytes."""
        self._data = bytes((ROW_VERSION,)) + _encoder.encode(self._view)
        return self

    @property
    def sessions(self) -> list[OpenSession]:
        """The remembered sessions, in order of opening. Not to be changed."""
        return self._state.sessions

    @property
    def transitions(self) -> Transitions:
        """How often each action followed which. Not to be changed."""
        return self._state.transitions

    @property
    def tastes(self) -> Tastes:
        """The products that the shopper's taste derives from. Not to be changed."""
        return self._state.tastes

    def current(self) -> OpenSession | None:
        """The session with the latest event, of several the one opened last; None before the first."""
        return max(reversed(self.sessions), key=lambda session: session.last_at, default=None)

    def session(self) -> Session | None:
        """The current session as it is published."""
        current = self.current()
        if current is None:
            return None
        return Session(
            session_id=current.session_id,
            started_at=instant(current.started_at),
            last_at=instant(current.last_at),
            events=current.events,
            products=current.products(),
        )
