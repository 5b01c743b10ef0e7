"""Behavior whose outcome can be counted event by event, also where a topic was created again."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import msgspec
from confluent_kafka import Message

from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_user_behavior, encode
from schemas.events import Action, UserBehavior
from schemas.keys import shopper_id
from streams.demo.sample_shop import iter_baskets
from tests.chaos.audit import AuditResult
from tests.support.oracle import wrong_affinities, wrong_shoppers

VISITOR = "visitor-"
_START = datetime(2026, 11, 1, tzinfo=UTC)


class _Update(msgspec.Struct):
    """The part of a shopper's update that is decoded."""

    as_of: datetime


_UPDATE = msgspec.json.Decoder(_Update)


class Shop:
    """A source of events: visitors who come once, and shoppers of a real shop who come again.

    A visitor's only event has one update, so that each lost or duplicated event is counted. The sessions of
    the real shoppers go on from one call to the next: their rows and pairs show whether the state is right.
    """

    def __init__(self) -> None:
        self._baskets = iter_baskets()
        self._visitors = 0

    def events(self, count: int) -> list[UserBehavior]:
        """Return the next events: half of them of visitors."""
        first = self._visitors
        self._visitors += count - count // 2
        visits = [_visit(number) for number in range(first, self._visitors)]
        return [*islice(self._baskets, count // 2), *visits]


def _visit(number: int) -> UserBehavior:
    event = UserBehavior(
        event_id=f"{VISITOR}{number}",
        user_id=f"{VISITOR}{number}",
        product_id=f"p{number % 50}",
        action=Action.VIEW,
        occurred_at=_START + timedelta(seconds=number),
    )
    return decode_user_behavior(encode(event))


def keyed(events: Iterable[UserBehavior]) -> list[tuple[bytes | None, bytes | None]]:
    """Return the events as records."""
    return [(shopper_id(event).encode(), encode(event)) for event in events]


def audit_visits(
    updates: Sequence[Message],
    affinities: Sequence[Message],
    shoppers: Sequence[Message],
    expected: Sequence[UserBehavior],
    parameters: BehaviorParameters,
) -> AuditResult:
    """Compare what was published and stored with what each event must cause once.

    Args:
        updates: All records of `shopper-updated`.
        affinities: All records of the affinity table's changelog.
        shoppers: All records of the shopper table's changelog.
        expected: The events that must have been processed, those of a shopper in order.
        parameters: The parameters of the deployment.
    """
    visitors = {shopper_id(event) for event in expected if shopper_id(event).startswith(VISITOR)}
    times: defaultdict[str, list[datetime]] = defaultdict(list)
    for message in updates:
        times[(message.key() or b"").decode()].append(_UPDATE.decode(message.value() or b"").as_of)
    counts = Counter({key: len(each) for key, each in times.items() if key.startswith(VISITOR)})
    result = AuditResult(events=len(expected))
    result.lost = result.count("lost", sorted(visitors - counts.keys()))
    extra = [key for key, count in counts.items() for _ in range(count - (key in visitors))]
    result.duplicated = result.count("duplicated", extra)
    late = [key for key, each in times.items() for one, next_ in pairwise(each) if next_ < one]
    result.disordered = result.count("disordered", late)
    result.wrong_rows = result.count(
        "wrong row",
        [
            *wrong_affinities(affinities, expected, parameters),
            *wrong_shoppers(shoppers, expected, parameters),
        ],
    )
    return result
