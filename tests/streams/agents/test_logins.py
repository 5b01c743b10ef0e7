"""A guest who logs in is one shopper, over all partitions and lanes, and is forgotten with the user."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.behavior.delta_codec import decode_deltas
from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow
from schemas.codec import decode_shopper_updated
from schemas.erasure import erasure_header
from schemas.keys import partition_for
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.agents.shopper_retention import Retention
from streams.records import Output
from streams.topics import CO_BEHAVIOR, SHOPPER_REPARTITION, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import (
    NOW_MS,
    Source,
    header,
    process_batch,
    processor_of,
    reasons,
    tables_of,
    to,
)

PARTITIONS = 4
SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
GUEST, USER = "cookie-7", "ana"


class Lanes:
    """All lanes of the agent: what one writes for another waits until `drain`."""

    def __init__(self, moves: bool = True, retention: Retention | None = None) -> None:
        self._processor = processor_of(
            sessions_agent(
                SHOPPERS,
                PARTITIONS,
                BehaviorParameters(),
                shipped_next_behavior(),
                lambda product: None,
                retention,
                moves=moves,
            ),
            PARTITIONS,
        )
        self.tables = [tables_of(SHOPPERS, partition) for partition in range(PARTITIONS)]
        self._sources = [
            {topic: Source(topic, partition) for topic in (USER_BEHAVIOR, SHOPPER_REPARTITION)}
            for partition in range(PARTITIONS)
        ]
        self.waiting: list[Output] = []
        self.outputs: list[Output] = []

    async def write(
        self, value: bytes | None, key: str | None, partition: int | None = None, **more: Any
    ) -> list[Output]:
        """Process one record of user-behavior. Without `partition` it is in that of its key."""
        encoded = None if key is None else key.encode()
        at = partition_for(encoded or b"", PARTITIONS) if partition is None else partition
        record = self._sources[at][USER_BEHAVIOR].record(value, encoded, **more)
        return await self._process(at, record)

    async def drain(self) -> None:
        while self.waiting:
            output = self.waiting.pop(0)
            source = self._sources[output.partition][SHOPPER_REPARTITION]
            await self._process(output.partition, source.moved(output))

    async def _process(self, partition: int, record: Any) -> list[Output]:
        outputs = await process_batch(self._processor, [record], self.tables[partition])
        self.waiting += to(SHOPPER_REPARTITION, outputs)
        self.outputs += outputs
        return outputs

    def rows(self) -> dict[str, list[ShopperRow]]:
        """Return the rows of each shopper that hold anything that the shopper did."""
        found: dict[str, list[ShopperRow]] = defaultdict(list)
        for tables in self.tables:
            for key, data in tables.of(SHOPPERS).store.items():
                if not key.startswith(b"\x00") and (row := ShopperRow.from_bytes(data)).has_behavior:
                    found[key.decode()].append(row)
        return found

    def pairs(self) -> dict[tuple[str, str], int]:
        """Return the support of the pairs that were written, in one direction."""
        support: dict[tuple[str, str], int] = defaultdict(int)
        for output in to(CO_BEHAVIOR, self.outputs):
            deltas = decode_deltas(output.value or b"")
            for row in range(len(deltas)):
                one, other = deltas.ids[deltas.product[row]], deltas.ids[deltas.neighbor[row]]
                support[one, other] += int(deltas.support[row])
        return {pair: count for pair, count in support.items() if count and pair[0] < pair[1]}

    def published(self) -> dict[str, int | None]:
        """Return the events of each shopper's published session; None after a tombstone."""
        latest: dict[str, int | None] = {}
        for output in to(SHOPPER_UPDATED, self.outputs):
            event = None if output.value is None else decode_shopper_updated(output.value, output.key)
            latest[(output.key or b"").decode()] = None if event is None else event.session.events
        return latest


def behavior(product: str, minutes: float = -30.0, **ids: Any) -> bytes:
    event = {
        "product_id": product,
        "action": "view",
        "session_id": "visit",
        "occurred_at": (NOW + timedelta(minutes=minutes)).isoformat(),
    }
    return orjson.dumps(event | ids)


def as_guest(product: str, minutes: float = -30.0) -> bytes:
    return behavior(product, minutes, anonymous_id=GUEST)


def as_user(product: str, minutes: float = -20.0) -> bytes:
    return behavior(product, minutes, anonymous_id=GUEST, user_id=USER)


def identify(**ids: Any) -> bytes:
    return behavior("", -25.0, **({"action": "identify", "product_id": None, "user_id": USER} | ids))


async def test_a_guest_who_logs_in_is_one_shopper_afterwards() -> None:
    """The two keys are on different partitions. The guest's published record gets a tombstone."""
    assert partition_for(GUEST.encode(), PARTITIONS) != partition_for(USER.encode(), PARTITIONS)
    lanes = Lanes()
    await lanes.write(as_guest("a"), GUEST)
    await lanes.write(as_user("b"), USER)
    await lanes.drain()
    await lanes.write(as_guest("c", -10), GUEST)
    await lanes.drain()
    ((user, (row,)),) = lanes.rows().items()
    assert (user, [session.events for session in row.sessions]) == (USER, [3])
    assert lanes.published() == {GUEST: None, USER: 3}
    assert lanes.pairs() == {("a", "b"): 1, ("a", "c"): 1, ("b", "c"): 1}
    ids = [header(each, "ce_id") for each in lanes.outputs if each.topic != SHOPPER_REPARTITION]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("key", [USER, GUEST, None])
async def test_an_identify_event_joins_both_whatever_its_key(key: str | None) -> None:
    lanes = Lanes()
    await lanes.write(as_guest("a"), GUEST)
    await lanes.write(identify(anonymous_id=GUEST), key)
    await lanes.drain()
    await lanes.write(behavior("b", -20, user_id=USER), USER)
    await lanes.drain()
    assert [session.events for session in lanes.rows()[USER][0].sessions] == [2]
    assert lanes.rows().keys() == {USER}
    assert lanes.pairs() == {("a", "b"): 1}


async def test_identify_joins_a_guest_who_has_a_session_id_only() -> None:
    lanes = Lanes()
    await lanes.write(behavior("a"), "visit")
    await lanes.write(identify(), USER)
    await lanes.drain()
    assert lanes.rows().keys() == {USER}


async def test_a_login_is_sent_once_a_session() -> None:
    lanes = Lanes()
    for minutes in (-20, -19, -18):
        await lanes.write(as_user("a", minutes), USER)
        await lanes.drain()
    assert len(to(SHOPPER_REPARTITION, lanes.outputs)) == 2  # the login, and its answer


steps = st.lists(
    st.tuples(
        st.sampled_from(["guest", "user", "known user", "drain"]),
        st.sampled_from("abc"),
        st.integers(-29, -1),
        st.none() | st.integers(0, PARTITIONS - 1),
    ),
    max_size=12,
)


@given(steps)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
async def test_rows_are_those_of_one_shopper_on_any_partition(
    written: list[tuple[str, str, int, int | None]],
) -> None:
    """Records without a key are on any partition. The oracle reads all of them as the user's."""
    lanes, oracle = Lanes(), Lanes()
    for who, product, minutes, partition in [*written, ("user", "z", 0, None)]:
        if who == "drain":
            await lanes.drain()
            continue
        key = None if partition is not None else GUEST if who == "guest" else USER
        value = {
            "guest": as_guest(product, minutes),
            "user": as_user(product, minutes),
            "known user": behavior(product, minutes, user_id=USER),
        }[who]
        await lanes.write(value, key, partition)
        await oracle.write(behavior(product, minutes, user_id=USER), USER)
    await lanes.drain()
    ((found,),), ((expected,),) = lanes.rows().values(), oracle.rows().values()
    assert lanes.rows().keys() == {USER}
    assert lanes.pairs() == oracle.pairs()
    for one, other in zip(found.sessions, expected.sessions, strict=True):
        assert (one.events, one.entry_times) == (other.events, other.entry_times)


async def test_without_the_topic_guests_stay_guests() -> None:
    lanes = Lanes(moves=False)
    await lanes.write(as_guest("a"), GUEST)
    await lanes.write(as_user("b"), USER)
    await lanes.write(as_guest("c"), None, partition=0)
    assert lanes.waiting == []
    assert lanes.rows().keys() == {GUEST, USER}


async def test_a_user_s_erasure_reaches_the_guest() -> None:
    """Late events stay forgotten too. What the guest does after the request is of a new shopper."""
    lanes = Lanes()
    await lanes.write(as_guest("a"), GUEST)
    await lanes.write(as_user("b"), USER)
    await lanes.drain()
    for partition in range(PARTITIONS):
        await lanes.write(None, USER, partition, headers=[erasure_header(NOW)])
    await lanes.drain()
    await lanes.write(as_guest("late"), GUEST)
    await lanes.drain()
    assert (lanes.rows(), lanes.published()) == ({}, {GUEST: None, USER: None})
    await lanes.write(as_guest("new", 5), GUEST)
    assert lanes.rows().keys() == {GUEST}


async def test_what_a_guest_did_before_a_user_s_erasure_does_not_come_back_with_a_later_login() -> None:
    lanes = Lanes()
    await lanes.write(as_guest("a"), GUEST)
    for partition in range(PARTITIONS):
        await lanes.write(None, USER, partition, headers=[erasure_header(NOW)])
    await lanes.write(as_user("b", 5), USER)
    await lanes.drain()
    assert lanes.rows()[USER][0].product_weights.keys() == {"b"}


async def test_another_user_of_the_device_is_not_erased_with_the_first() -> None:
    lanes = Lanes()
    await lanes.write(as_user("a", -20), USER)
    await lanes.drain()
    await lanes.write(behavior("b", -10, user_id="bob", anonymous_id=GUEST), "bob")
    await lanes.drain()
    for partition in range(PARTITIONS):
        await lanes.write(None, USER, partition, headers=[erasure_header(NOW)])
    await lanes.drain()
    await lanes.write(as_guest("c", 5), GUEST)
    await lanes.drain()
    assert {user: [each.product_weights.keys() for each in rows] for user, rows in lanes.rows().items()} == {
        "bob": [{"b", "c"}]
    }


async def test_two_ids_that_claim_each_other_do_not_send_events_in_a_circle() -> None:
    lanes = Lanes()
    await lanes.write(behavior("a", user_id="x", anonymous_id="y"), "x")
    await lanes.write(behavior("b", user_id="y", anonymous_id="x"), "y")
    await lanes.drain()
    await lanes.write(behavior("c", anonymous_id="x", session_id=None), "x")
    await lanes.drain()
    assert lanes.rows()


async def test_a_guest_s_row_ends_after_the_retention_of_guests() -> None:
    lanes = Lanes(retention=Retention(shopper_s=None, guest_s=86_400.0))
    await lanes.write(as_guest("a", -4 * 1440), GUEST)
    at = partition_for(GUEST.encode(), PARTITIONS)
    others = (f"user-{number}" for number in range(100))
    other = next(each for each in others if partition_for(each.encode(), PARTITIONS) == at)
    await lanes.write(behavior("b", -1, user_id=other), other)
    assert lanes.rows().keys() == {other}


async def test_a_foreign_record_in_the_internal_topic_is_a_dead_letter() -> None:
    lanes = Lanes()
    lanes.waiting.append(Output(SHOPPER_REPARTITION, 0, b"u", b"?"))
    await lanes.drain()
    assert reasons(lanes.outputs) == ["malformed-message"]
