"""Ends the rows of shoppers that were not touched for long, a few with each batch.

A sweep goes through a lane's rows again and again, as many rows with each batch as a part of its records. A
row ends if the latest event of its shopper is older than the retention, counted back from the latest event of
the batch. So a replay of old events ends nothing, and the removal commits with the batch. That time is never
later than the worker's clock: an event that is dated years ahead ends no rows.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from models.behavior.sessions import ShopperRow
from streams.agents.erasures import ShopperTableRow
from streams.settings import Settings
from streams.state.tables import StateDamaged, Table

_DAY_S = 86_400.0
_LEAST_ROWS = 16
_RECORDS_PER_ROW = 4


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows stay after their latest event, in seconds of event time; None is for ever."""

    shopper_s: float | None = None
    guest_s: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Retention":
        """Return what the settings say. Guests stay no longer than other shoppers."""
        days = (settings.shopper_retention_days, settings.guest_retention_days)
        shopper, guest = (None if each is None else each * _DAY_S for each in days)
        return cls(shopper, shopper if guest is None else guest)

    def ends(self, shopper: str, row: ShopperRow, now: float) -> bool:
        """Whether a row ends at `now`, in seconds since 1970."""
        touched_at = row.touched_at()
        limit = self.guest_s if is_guest(shopper, row) else self.shopper_s
        return limit is not None and touched_at is not None and now - touched_at > limit


def is_guest(shopper: str, row: ShopperRow) -> bool:
    """Whether a row is of a guest: it says so, or its shopper is called as the only session."""
    return row.is_guest or (
        len(row.sessions) == 1 and row.sessions[0].named and row.sessions[0].session_id == shopper
    )


class RetentionSweep:
    """Finds rows to end. It remembers for each table where to continue.

    Args:
        retention: How long rows stay.
        clock: Returns seconds since 1970.
    """

    def __init__(self, retention: Retention, clock: Callable[[], float] = time.time) -> None:
        self._retention = retention
        self._clock = clock
        self._next: WeakKeyDictionary[Table[ShopperTableRow], bytes] = WeakKeyDictionary()

    @property
    def active(self) -> bool:
        """Whether any row ever ends."""
        return self._retention != Retention()

    def ended(
        self, table: Table[ShopperTableRow], records: int, latest: float, touched: Collection[str]
    ) -> list[str]:
        """Look at some more rows, and return the shoppers whose rows end.

        Args:
            table: The table of shoppers.
            records: The number of records of the batch.
            latest: The time of the latest event of the batch, in seconds since 1970.
            touched: The shoppers of the batch, whose rows stay.

        Raises:
            StateDamaged: A row cannot be read or decoded.
        """
        if not self.active:
            return []
        now = min(latest, self._clock())
        found = []
        try:
            rows, after = table.store.page(
                self._next.get(table, b""), max(_LEAST_ROWS, records // _RECORDS_PER_ROW)
            )
            for key, data in rows:
                # Decoded here and not by the table, so that rows of old do not displace cached ones.
                # Positions and marks of erased shoppers have keys that no shopper has.
                if key.startswith(b"\x00") or (shopper := key.decode()) in touched:
                    continue
                row = table.spec.decode(data)
                if isinstance(row, ShopperRow) and self._retention.ends(shopper, row, now):
                    found.append(shopper)
        except Exception as error:
            raise StateDamaged(f"table {table.spec.name}: {error}") from error
        self._next[table] = after or b""
        return found
