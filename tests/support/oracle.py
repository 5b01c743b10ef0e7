"""Computes the expected state of a deployment in one process, from its input events."""

import math
from collections.abc import Iterable, Sequence

import msgspec
from confluent_kafka import Message

from models.behavior.affinity_row import AffinityRow
from models.behavior.deltas import RELATIONS, DeltaBuilder
from models.behavior.event_time import instant
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from tests.support.behavior import Affinities, brute_force

SCORE_TOLERANCE = 1e-9
"""Relative tolerance, because a row sums decayed weights batch by batch and the oracle all at once."""


def latest_values(messages: Iterable[Message]) -> dict[str, bytes]:
    """Return the latest non-null value of each key of a compacted topic, without positions and marks."""
    latest: dict[str, bytes | None] = {}
    for message in sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0)):
        key = message.key()
        assert isinstance(key, bytes)
        value = message.value()
        if key.startswith(b"\x00"):
            continue
        latest[key.decode()] = value if value is None or isinstance(value, bytes) else value.encode()
    return {key: value for key, value in latest.items() if value is not None}


def wrong_affinities(
    changelog: Iterable[Message], events: Sequence[UserBehavior], parameters: BehaviorParameters
) -> list[str]:
    """Compare affinity rows with affinities by their definition.

    Supports must be equal, scores within `SCORE_TOLERANCE`.

    Args:
        changelog: All committed records of the affinity table's changelog.
        events: The behavior events, all of named sessions within the bounds of a row.
        parameters: The parameters of the deployment.

    Returns:
        A line for each difference.
    """
    rows = {name: AffinityRow.from_bytes(value) for name, value in latest_values(changelog).items()}
    as_of = max((row.as_of for row in rows.values()), default=0.0)
    found: Affinities = {
        (product, relation, entry.product_id): (entry.score, entry.support)
        for product, row in rows.items()
        for relation in RELATIONS
        for entry in row.top_k(relation, 2 * parameters.neighbors, as_of)
    }
    expected = brute_force(events, parameters.half_life_days, instant(as_of))
    return [
        f"{key[0]} {key[1].value} with {key[2]}: {found.get(key)}, but by definition {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if not _equal(found.get(key), expected.get(key))
    ]


def _equal(found: tuple[float, int] | None, expected: tuple[float, int] | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found[1] == expected[1] and math.isclose(found[0], expected[0], rel_tol=SCORE_TOLERANCE)


def _comparable(data: bytes | None) -> object:
    """Return a row without what the release before the last one did not write."""
    if data is None:
        return None
    seen, sessions, transitions, weights, *_ = msgspec.msgpack.decode(data[1:], strict=False)
    return data[:1], seen, [session[:9] for session in sessions], transitions, weights


def wrong_shoppers(
    changelog: Iterable[Message], events: Iterable[UserBehavior], parameters: BehaviorParameters
) -> list[str]:
    """Compare shopper rows with rows that each event changed exactly once.

    Args:
        changelog: All committed records of the shopper table's changelog.
        events: The behavior events; those of a shopper in the order of their partition.
        parameters: The parameters of the deployment.

    Returns:
        A line for each difference.
    """
    by_shopper: dict[str, list[UserBehavior]] = {}
    for event in events:
        by_shopper.setdefault(shopper_id(event), []).append(event)
    expected = {
        shopper: apply_events(ShopperRow(), shopper_events, DeltaBuilder(), parameters).to_bytes()
        for shopper, shopper_events in by_shopper.items()
    }
    found = latest_values(changelog)
    return [
        f"shopper {shopper}: {found.get(shopper)!r}, but should be {expected.get(shopper)!r}"[:400]
        for shopper in sorted(found.keys() | expected.keys())
        if _comparable(found.get(shopper)) != _comparable(expected.get(shopper))
    ]
