"""The row of a shopper: recent event ids, sessions, transition counts and product weights."""

from collections.abc import Mapping

import msgspec

from models.behavior.event_time import instant
from models.behavior.next_behavior import START, Transitions
from models.behavior.preference import ProductWeights
from models.behavior.session_pairs import UNDAMPED
from models.behavior.shopper_products import History
from schemas.errors import StopWorker
from schemas.events import Session

ROW_VERSION = 1


class OpenSession(msgspec.Struct, array_like=True):
    """A session in a shopper's row. It is encoded as an array, so the order of its fields is the format.

    Attributes:
        session_id: The id of the events, or one made from the first event's time.
        named: Whether the events have this id.
        started_at: The time of the earliest event, in seconds since 1970.
        last_at: The time of the latest event, in seconds since 1970.
        events: The number of distinct events.
        previous: The code of the second to last action in order of arrival, or `START`.
        last: The code of the last action in order of arrival, or `START`.
        leave_counted: Whether a transition from `last` to "leave" was counted.
        entry_times: By relation and product id, the entry time in seconds since 1970, in the order of
            `session_pairs`. Sessions that an earlier release began have them in order of arrival.
        shop: The shop of all its events, empty for those without `shop_id`. None if no event told it, and in
            sessions that an earlier release began: they take the shop of their next event.
        first: The code of the first action in order of arrival. `START` if there is none, and in sessions
            that an earlier release began.
        last_product: The product of the latest event in order of arrival that had one, else empty.
        run: The number of events in a row, up to the latest, that had this product. 0 if no event had one,
            and in sessions that an earlier release began: until their next event with a product.
        recent: The products that were acted on last, each with the time of its latest action in seconds
            since 1970. In sessions that an earlier release began: those since.
        counted: The weight with which its pairs were counted. Earlier releases damped none.
        known: Whether an event had a user id, or the guest who acted became a user.
        admitted: Whether the shopper's limit on sessions admits it; None until the first product.
        corrections: The number of pairs that late events corrected.
        returned: The products whose purchase was returned.
    """

    session_id: str
    named: bool
    started_at: float
    last_at: float
    events: int = 0
    previous: int = START
    last: int = START
    leave_counted: bool = False
    entry_times: dict[str, dict[str, float]] = {}
    shop: str | None = None
    first: int = START
    last_product: str = ""
    run: int = 0
    recent: dict[str, float] = {}
    counted: float = UNDAMPED
    known: bool = False
    admitted: bool | None = None
    corrections: int = 0
    returned: list[str] = []

    def products(self) -> int:
        """Return the number of distinct products in all relations."""
        return len(set().union(*self.entry_times.values()))

    def entries(self) -> int:
        """Return the number of entries: products counted once for each relation."""
        return sum(map(len, self.entry_times.values()))

    def characters(self) -> int:
        """Return the total number of characters in the ids of these entries."""
        return sum(total_characters(products) for products in self.entry_times.values())


def total_characters(products: Mapping[str, float]) -> int:
    """Return the total number of characters in the ids of `products`."""
    return sum(map(len, products))


class Login(msgspec.Struct, frozen=True, array_like=True):
    """That a guest became a user. It is encoded as an array, so the order of its fields is the format.

    Attributes:
        user: The user's id.
        at: The time of the event that says so, in seconds since 1970.
    """

    user: str
    at: float


class ShopperState(msgspec.Struct, array_like=True):
    """The mutable content of a row. It is encoded as an array, so the order of its fields is the format.

    Attributes:
        seen: The hashes of recent event ids, 8 bytes each, oldest first.
        sessions: The sessions, in order of opening.
        transitions: The transition counts of the shopper.
        product_weights: The product weights of the shopper's preferences.
        is_guest: Whether no event had a user id. Rows that an earlier release began do not say it.
        login: For a guest who became a user: that login, the latest one. Then the user has the rest.
        guests: For a user: the guests that the user was, each with the time of its latest login.
        products: The products of sessions that the row has dropped.
        returns: By product id, the times of its returns in seconds since 1970, ascending.
        admitted: The number of sessions that the limit admitted lately. It falls as time goes on.
        admitted_at: The time that `admitted` is as of, in seconds since 1970.
        forgotten_at: The latest end of a dropped session without id, in seconds since 1970.
    """

    seen: bytes = b""
    sessions: list[OpenSession] = []
    transitions: Transitions = {}
    product_weights: ProductWeights = {}
    is_guest: bool = False
    login: Login | None = None
    guests: dict[str, float] = {}
    products: History = {}
    returns: dict[str, list[float]] = {}
    admitted: float = 0.0
    admitted_at: float = 0.0
    forgotten_at: float = float("-inf")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ShopperState)


class ShopperRow:
    """An immutable row, stored as bytes and decoded on demand. `apply_events` returns a new row."""

    __slots__ = ("_data", "_view")

    def __init__(self) -> None:
        self._data = bytes((ROW_VERSION,)) + _encoder.encode(ShopperState())
        self._view: ShopperState | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> "ShopperRow":
        """Create a row from a version byte and MessagePack, which is decoded on demand.

        Raises:
            StopWorker: The row has another version. A damaged row raises StopWorker when it is decoded.
        """
        if data[:1] != bytes((ROW_VERSION,)):
            raise StopWorker(
                f"a shopper row has version byte {data[:1]!r}, but this release reads version {ROW_VERSION}; "
                "run the release that wrote it, or rebuild the state from user-behavior"
            )
        row = cls()
        row._data = data
        return row

    def to_bytes(self) -> bytes:
        """Return the row as a version byte and MessagePack."""
        # Thousands of rows are cached after they were written, and rows are much smaller without this view.
        self._view = None
        return self._data

    def _decoded(self) -> ShopperState:
        try:
            return _decoder.decode(memoryview(self._data)[1:])
        except msgspec.MsgspecError as error:
            raise StopWorker(
                f"a shopper row is damaged: {error}; rebuild the state from user-behavior"
            ) from error

    @property
    def _state(self) -> ShopperState:
        if self._view is None:
            self._view = self._decoded()
        return self._view

    def copy_for_update(self) -> tuple["ShopperRow", ShopperState]:
        """Return a new row and its state. Change the state, then call `encoded` on the new row."""
        row = ShopperRow()
        state = row._view = self._decoded()
        return row, state

    def encoded(self) -> "ShopperRow":
        """Encode the changed state into this row's bytes, and return this row."""
        self._data = bytes((ROW_VERSION,)) + _encoder.encode(self._view)
        return self

    @property
    def sessions(self) -> list[OpenSession]:
        """The sessions in order of opening. Do not change them."""
        return self._state.sessions

    @property
    def transitions(self) -> Transitions:
        """The transition counts of the shopper. Do not change them."""
        return self._state.transitions

    @property
    def product_weights(self) -> ProductWeights:
        """The product weights of the shopper's preferences. Do not change them."""
        return self._state.product_weights

    @property
    def returns(self) -> dict[str, list[float]]:
        """The times of the returns by product. Do not change them."""
        return self._state.returns

    @property
    def past_products(self) -> History:
        """The products of sessions that the row has dropped. Do not change them."""
        return self._state.products

    @property
    def is_guest(self) -> bool:
        """Whether the shopper is known by an anonymous id only."""
        return self._state.is_guest

    @property
    def login(self) -> Login | None:
        """The user that the guest became, or None."""
        return self._state.login

    @property
    def guests(self) -> dict[str, float]:
        """The guests that the user was, each with the time of its latest login. Do not change them."""
        return self._state.guests

    @property
    def has_behavior(self) -> bool:
        """Whether the row holds anything that the shopper did."""
        state = self._state
        return bool(state.sessions or state.product_weights or state.transitions or state.products)

    def touched_at(self) -> float | None:
        """Return the time of the shopper's latest event or login, in seconds since 1970; None without any."""
        times = [session.last_at for session in self.sessions] + list(self.guests.values())
        return max(times + ([] if self.login is None else [self.login.at]), default=None)

    def current_session(self) -> OpenSession | None:
        """Return the session with the latest event, or None. Among equals, the one opened last."""
        return max(reversed(self.sessions), key=lambda session: session.last_at, default=None)

    def published_session(self) -> Session | None:
        """Return the current session in its published form, or None."""
        current = self.current_session()
        if current is None:
            return None
        return Session(
            session_id=current.session_id,
            started_at=instant(current.started_at),
            last_at=instant(current.last_at),
            events=current.events,
            products=current.products(),
        )
