"""The names of shoppers in state and outputs: their ids, or pseudonyms of these.

Records of user-behavior have ids as their producer wrote them. This is where they are replaced: before a row,
an output, a mark of an erased shopper or a message to another lane has them.
"""

from typing import NamedTuple

from models.behavior.event_time import seconds
from models.behavior.logins import guest_of
from schemas.dead_letters import ATTEMPT
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from schemas.pseudonyms import Pseudonyms
from streams.agents.shopper_moves import FormerName, move
from streams.provenance import ORIGIN, REPLAY
from streams.records import MemoryRecord, Output, Record

_MOST_ASKED = 100_000
_KEPT_HEADERS = frozenset({ORIGIN, REPLAY, ATTEMPT, "traceparent", "tracestate"})
"""The headers that a moved event keeps. Others may hold the shopper's id, such as the subject of an event."""


class _Asked(NamedTuple):
    """The event for which the rows of a shopper's former names were asked for: its offset, and its time."""

    offset: int
    at: float


class ShopperNames:
    """Gives shoppers their names.

    Args:
        pseudonyms: Makes pseudonyms; None if ids stay as they are.
        partitions: The number of partitions of every topic.
        gap_s: Seconds of event time after which the rows of former names are asked for again.
    """

    def __init__(self, pseudonyms: Pseudonyms | None = None, partitions: int = 1, gap_s: float = 0.0) -> None:
        self._pseudonyms = pseudonyms
        self._partitions = partitions
        self._gap_s = gap_s
        self._asked: dict[tuple[int, str], _Asked] = {}

    def names(self, name: str) -> tuple[str, ...]:
        """Return all names that a shopper may have in state, the one in use first.

        Args:
            name: The shopper's id, or pseudonym.
        """
        return (name,) if self._pseudonyms is None else self._pseudonyms.names(name)

    def named(self, record: Record, event: UserBehavior) -> tuple[Record, UserBehavior]:
        """Return a record and its event with the names in use, for all that is made of them."""
        if self._pseudonyms is None:
            return record, event
        if record.headers:
            headers = [header for header in record.headers if header[0] in _KEPT_HEADERS]
            place = (record.topic, record.partition, record.offset, record.timestamp)
            record = MemoryRecord(*place, self._pseudonyms.of(shopper_id(event)).encode(), None, headers)
        return record, self._pseudonyms.event(event)

    def requests(self, record: Record, event: UserBehavior) -> list[Output]:
        """Ask the lanes that may have a row of the shopper under a former name to hand it over.

        Each shopper is asked for once, and again after a session gap: a worker that does not know the newest
        key yet may have written a row under a former name meanwhile. A batch that is processed again asks
        again.

        Args:
            record: The record.
            event: Its event, with ids as the producer wrote them.
        """
        if self._pseudonyms is None or len(self._pseudonyms.key_ids()) == 1:
            return []
        shopper, at = shopper_id(event), seconds(event.occurred_at)
        guest = guest_of(event)
        key = (record.partition, shopper)
        asked = self._asked.get(key)
        if asked is not None and asked.offset < record.offset and at <= asked.at + self._gap_s:
            return []
        if len(self._asked) >= _MOST_ASKED:
            self._asked.clear()
        self._asked[key] = _Asked(record.offset, at)
        message = FormerName(name=self._pseudonyms.of(shopper))
        former = [
            name for each in (shopper, guest) if each is not None for name in self._pseudonyms.former(each)
        ]
        return [move(name, message, record, self._partitions) for name in former]
