"""What a batch does to the row of one shopper, and what it sends to the rows of others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from models.behavior.event_time import seconds
from models.behavior.former_names import handed_over
from models.behavior.logins import log_in, logins, with_guest, without_events_until
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from models.behavior.shopper_merge import merged_rows
from schemas.erasure import ErasureRequest, decode_erasure
from schemas.events import Action, UserBehavior
from schemas.keys import partition_for
from streams.agents.co_behavior import CoBehaviorOutputs
from streams.agents.erasures import ErasedShoppers, ShopperTableRow
from streams.agents.shopper_moves import (
    FormerName,
    GuestErasure,
    GuestLogin,
    Message,
    MovedEvent,
    MovedRow,
    encoded_row,
    move,
)
from streams.lanes.batch import Batch
from streams.records import Record
from streams.state.tables import Table

# Bounds on memory: all 4,000 events of a batch may come from one crawler, and pair with 1,000 products each.
# A delta takes 29 bytes while it is collected, and as many while it is encoded.
_EVENTS_AT_ONCE = 256
_PAIRS_AT_ONCE = 250_000

# Milliseconds since 1970 of the last day of the year 9998: a day can be added to it.
_LATEST_MS = 253_370_678_400_000

Step = UserBehavior | Message
"""What a record says of a shopper."""


@dataclass(slots=True)
class Pending:
    """What a batch has of one shopper.

    Attributes:
        cause: The last record.
        steps: What the records say, with the records, in offset order.
        erased_by: The request to forget the shopper before these steps; None if there is none.
    """

    cause: Record
    steps: list[tuple[Record, Step]] = field(default_factory=list)
    erased_by: Record | None = None

    def event_times(self) -> list[float]:
        """Return the times of the events, in seconds since 1970."""
        events = (step.event if isinstance(step, MovedEvent) else step for _, step in self.steps)
        return [seconds(event.occurred_at) for event in events if isinstance(event, UserBehavior)]


@dataclass(frozen=True, slots=True)
class UpdateContext:
    """What the updates of a batch share.

    Attributes:
        batch: The batch.
        table: The table of shoppers.
        deltas: Receives pairs.
        erased: The erased shoppers.
        parameters: Session gap, bounds and half-lives.
        partitions: The number of partitions of every topic.
        moves: Whether messages can be sent: there is a topic for them.
        without_pairs: Counts what forms no pairs, by reason.
    """

    batch: Batch
    table: Table[ShopperTableRow]
    deltas: CoBehaviorOutputs
    erased: ErasedShoppers
    parameters: BehaviorParameters
    partitions: int
    moves: bool
    without_pairs: Counter[str]

    def send(self, shopper: str, message: Message, cause: Record) -> None:
        """Send a message to the row of a shopper."""
        self.batch.send_outputs([move(shopper, message, cause, self.partitions)])


class ShopperUpdate:
    """Applies what a batch has of one shopper.

    Args:
        shopper: The shopper's id.
        context: What the updates of the batch share.

    Attributes:
        row: The row so far.
        had_row: Whether there was a row before.
        had_behavior: Whether that row held anything that the shopper did.
        is_moved: Whether the shopper's row is on another partition.
    """

    def __init__(self, shopper: str, context: UpdateContext) -> None:
        self._shopper, self._context = shopper, context
        self._key = shopper.encode()
        stored = context.table.get(self._key)
        self._stored = stored if isinstance(stored, ShopperRow) else None
        self._blank = ShopperRow()
        self.row = self._stored or self._blank
        self.had_row = self._stored is not None
        self.had_behavior = self.row.has_behavior
        self.is_moved = False

    def forget(self, request: Record) -> None:
        """Drop the row for a request, and let the guests that the user was be forgotten too."""
        context = self._context
        if context.moves and self.row.guests:
            until = decode_erasure(request.key, request.headers, received_at(request)).requested_at
            for guest in self.row.guests:
                context.send(guest, GuestErasure(user=self._shopper, until=until), request)
        self.row = ShopperRow()

    def apply(self, pending: Pending) -> None:
        """Apply the steps, and stage the row if it changed."""
        context = self._context
        if context.moves and self._is_misplaced():
            self._move_away(pending)
        else:
            for are_events, group in groupby(pending.steps, key=lambda each: _is_event(each[1])):
                if are_events:
                    self._add_events(list(group))
                else:
                    for record, message in group:
                        self._receive(record, message)
        self._stage()

    @property
    def changed(self) -> bool:
        """Whether the row is another than the stored one."""
        return self.row is not (self._stored or self._blank)

    def _stage(self) -> None:
        row = self.row
        if not self.changed:
            return
        keeps = row.has_behavior or row.login is not None or bool(row.guests)
        if keeps or self.had_row:
            self._context.table.put(self._key, row if keeps else None)

    def _is_misplaced(self) -> bool:
        return partition_for(self._key, self._context.partitions) != self._context.batch.partition

    def _move_away(self, pending: Pending) -> None:
        """Send a shopper's events, and the row that earlier ones made here, to the partition of the key."""
        self.is_moved = True
        if self.had_row and pending.steps:
            moved = MovedRow(row=encoded_row(self.row))
            self._context.send(self._shopper, moved, pending.steps[0][0])
            self.row = ShopperRow()
        for record, step in pending.steps:
            message = MovedEvent(event=step) if isinstance(step, UserBehavior) else step
            self._context.send(self._shopper, message, record)

    def _add_events(self, steps: Sequence[tuple[Record, Step]]) -> None:
        """Apply events, or send those of a guest to the user that the guest became."""
        context, login = self._context, self.row.login
        events: list[UserBehavior] = []
        own: list[UserBehavior] = []
        for record, step in steps:
            event, guest = (step.event, step.guest) if isinstance(step, MovedEvent) else (step, None)
            assert isinstance(event, UserBehavior)
            if context.moves and login is not None and event.user_id is None:
                as_user = msgspec.structs.replace(event, user_id=login.user)
                context.send(login.user, MovedEvent(event=as_user, guest=self._shopper), record)
                continue
            events.append(event)
            if guest is None:
                own.append(event)
        acted = [event for event in events if event.action is not Action.IDENTIFY]
        for at in range(0, len(acted), _EVENTS_AT_ONCE):
            part = acted[at : at + _EVENTS_AT_ONCE]
            self.row = apply_events(
                self.row, part, context.deltas.builder, context.parameters, context.without_pairs
            )
            context.deltas.flush(_PAIRS_AT_ONCE)
        if context.moves:
            for name, found in logins(self.row, own, context.parameters).items():
                context.send(name, GuestLogin(login=found), steps[-1][0])

    def _receive(self, record: Record, message: Step) -> None:
        match message:
            case GuestLogin():
                self._log_in(record, message)
            case MovedRow():
                self._add_row(message)
            case GuestErasure():
                self._forget_guest(record, message)
            case FormerName():
                self._hand_over(record, message)

    def _log_in(self, record: Record, message: GuestLogin) -> None:
        login, before = message.login, self.row.login
        result = log_in(self.row, login)
        if result is None or (result.handed_over is None and before == login):
            return
        moved = MovedRow(row=encoded_row(result.handed_over), guest=self._shopper, at=login.at)
        self._context.send(login.user, moved, record)
        self.row = result.row

    def _add_row(self, message: MovedRow) -> None:
        context = self._context
        until = context.erased.until(context.table, self._shopper)
        if message.row is not None:
            other = ShopperRow.from_bytes(message.row)
            if until is not None:
                other = without_events_until(other, until)
            if message.guest is None and self.row is self._blank:
                self.row = other
            elif other.has_behavior or other.guests:
                self.row = merged_rows(self.row, other, context.deltas.builder, context.parameters)
                context.deltas.flush(_PAIRS_AT_ONCE)
        if message.guest is not None and (until is None or message.at > until):
            self.row = with_guest(self.row, message.guest, message.at)

    def _hand_over(self, record: Record, message: FormerName) -> None:
        """Send the row of a former name to the shopper's row."""
        row = handed_over(self.row)
        if row is not None:
            self._context.send(message.name, MovedRow(row=encoded_row(row)), record)
        if self.row is not self._blank:
            self.row = ShopperRow()

    def _forget_guest(self, record: Record, message: GuestErasure) -> None:
        """Forget a guest with the user, unless the guest is another user meanwhile."""
        login = self.row.login
        if login is not None and login.user != message.user:
            return
        request = ErasureRequest(self._shopper, message.until)
        self._context.erased.erase(self._context.table, request, record)
        self.row = ShopperRow()


def _is_event(step: Step) -> bool:
    return isinstance(step, UserBehavior | MovedEvent)


def received_at(record: Record) -> datetime | None:
    """Return when the record was written, or None: old clients write -1, broken clients any number."""
    if not 0 <= record.timestamp <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
