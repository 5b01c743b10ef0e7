"""With pseudonyms no id of a shopper leaves the agent, and a new key keeps what is known of a shopper."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow
from schemas.codec import decode_behavior, decode_shopper_updated
from schemas.dead_letters import LEFT_OUT, MESSAGE
from schemas.erasure import erasure_header
from schemas.keys import partition_for
from schemas.pseudonyms import Pseudonyms
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.agents.shopper_names import ShopperNames
from streams.lanes.agent import AgentProcessor
from streams.records import MemoryRecord, Output
from streams.topics import DEAD_LETTER, SHOPPER_REPARTITION, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import NOW_MS, Source, process_batch, reasons, tables_of, to

PARTITIONS = 4
SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
OLD = "k1:0123456789abcdef0123456789abcdef"
NEW = "k2:fedcba9876543210fedcba9876543210"
ODD = ("übung@example.org", '{} % \\ "q"', "-.*", "12345678901234567890", "名前", "x" * 256)


class Lanes:
    """All lanes of the agent, with the keys of a worker, which can be changed."""

    def __init__(self, keys: str | None) -> None:
        self.tables = [tables_of(SHOPPERS, partition) for partition in range(PARTITIONS)]
        self._sources = {
            (topic, at): Source(topic, at)
            for topic in (USER_BEHAVIOR, SHOPPER_REPARTITION)
            for at in range(PARTITIONS)
        }
        self.outputs: list[Output] = []
        self.start(keys)

    def start(self, keys: str | None) -> None:
        pseudonyms = None if keys is None else Pseudonyms.parse(keys)
        parameters = BehaviorParameters()
        agent = sessions_agent(
            SHOPPERS,
            PARTITIONS,
            parameters,
            shipped_next_behavior(),
            lambda product: None,
            moves=True,
            names=ShopperNames(pseudonyms, PARTITIONS, parameters.session_gap_s),
        )
        self._processor = AgentProcessor(
            agent, PARTITIONS, DeadLetterBuilder("group", PARTITIONS, pseudonyms)
        )

    def record(
        self, value: bytes | None, key: str, partition: int | None = None, **more: Any
    ) -> MemoryRecord:
        at = partition_for(key.encode(), PARTITIONS) if partition is None else partition
        return self._sources[USER_BEHAVIOR, at].record(value, key.encode(), **more)

    async def process(self, records: Sequence[MemoryRecord]) -> list[Output]:
        """Process a batch, and all messages that follow from it."""
        first = await process_batch(self._processor, records, self.tables[records[0].partition])
        self.outputs += first
        waiting = to(SHOPPER_REPARTITION, first)
        while waiting:
            output = waiting.pop(0)
            moved = self._sources[SHOPPER_REPARTITION, output.partition].moved(output)
            outputs = await process_batch(self._processor, [moved], self.tables[output.partition])
            self.outputs += outputs
            waiting += to(SHOPPER_REPARTITION, outputs)
        return first

    async def act(self, product: str, minutes: float = -30.0, **ids: str) -> list[Output]:
        return await self.process([self.record(event(product, minutes, **ids), next(iter(ids.values())))])

    def rows(self) -> dict[str, int]:
        """Return the number of events in the sessions of each row."""
        found = {}
        for tables in self.tables:
            for key, data in tables.of(SHOPPERS).store.items():
                if not key.startswith(b"\x00"):
                    _, state = ShopperRow.from_bytes(data).copy_for_update()
                    found[key.decode()] = sum(session.events for session in state.sessions)
        return found

    def published(self) -> dict[str, int | None]:
        """Return the events of each shopper's published session; None after a tombstone."""
        latest: dict[str, int | None] = {}
        for output in to(SHOPPER_UPDATED, self.outputs):
            update = None if output.value is None else decode_shopper_updated(output.value, output.key)
            latest[(output.key or b"").decode()] = None if update is None else update.session.events
        return latest

    def written(self) -> bytes:
        """Return all bytes of outputs and of state."""
        parts = [row for tables in self.tables for item in tables.of(SHOPPERS).store.items() for row in item]
        for output in self.outputs:
            parts += [output.key or b"", output.value or b""]
            parts += [part for name, value in output.headers for part in (name.encode(), value or b"")]
        return b"\n".join(parts)


def event(product: str, minutes: float = -30.0, **fields: Any) -> bytes:
    occurred_at = (NOW + timedelta(minutes=minutes)).isoformat()
    return msgspec.json.encode({"product_id": product, "action": "view", "occurred_at": occurred_at} | fields)


def names_of(keys: str) -> Pseudonyms:
    return Pseudonyms.parse(keys)


def forms(name: str) -> list[bytes]:
    """An id as JSON and other formats write it."""
    return [name.encode(), msgspec.json.encode(name)[1:-1]]


@pytest.mark.parametrize("name", ODD)
async def test_no_id_is_in_outputs_state_or_logs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lanes = Lanes(NEW)
    guest = f"{name[:250]}guest"
    subject = [("ce_subject", name.encode())]
    good = [
        lanes.record(event("a", user_id=name, session_id=guest), name, 0, headers=subject),
        lanes.record(event("a", anonymous_id=guest), guest, 0),
        lanes.record(event("b", -20, user_id=name, anonymous_id=guest), name, 0),
        lanes.record(event("c", -10, anonymous_id=guest), guest, 0),
    ]
    bad = [
        lanes.record(event("a", user_id=name, session_id=5), name, 0, headers=subject),
        lanes.record(event("a", user_id="another", action=name), name, 0),
        lanes.record(event("a", user_id=name, occurred_at=name), name, 0),
        lanes.record(event("a", user_id=name)[:-1], name, 0),
        lanes.record(b"\x00\x00\x00\x00\x07" + name.encode(), name, 0),
        lanes.record(event("a", user_id=[name], ref=name), name, 0),
    ]
    await lanes.process(good + bad)
    assert len(reasons(lanes.outputs)) == len(bad) - 1, "a wrong optional field is left out"
    written = lanes.written() + caplog.text.encode()
    assert [each for each in (*forms(name), *forms(guest)) if each in written] == []
    user = names_of(NEW).of(name)
    assert lanes.published()[user] is not None
    assert {key for key, events in lanes.rows().items() if events} == {user}


async def test_pseudonyms_change_no_figure() -> None:
    """What is known of a user and a guest is the same, under another name."""
    found = []
    for keys in (None, NEW):
        lanes = Lanes(keys)
        await lanes.act("a", anonymous_id="guest")
        await lanes.act("b", -20, user_id="ana", anonymous_id="guest")
        await lanes.act("c", -10, anonymous_id="guest")
        found.append(lanes.published())
    clear, named = found
    of = names_of(NEW).of
    assert named == {of(name): events for name, events in clear.items()}
    assert clear["ana"] == 3


async def test_a_dead_letter_has_the_pseudonym_and_can_be_redriven() -> None:
    lanes = Lanes(NEW)
    [letter] = to(
        DEAD_LETTER, await lanes.process([lanes.record(event("a", user_id="ana", action="look"), "ana")])
    )
    of = names_of(NEW).of
    assert letter.key == of("ana").encode()
    assert letter.value is not None
    fixed = msgspec.json.decode(letter.value) | {"action": "view"}
    await lanes.process([lanes.record(msgspec.json.encode(fixed), of("ana"))])
    assert lanes.published() == {of("ana"): 1}


async def test_a_value_that_is_no_json_is_left_out_of_its_dead_letter() -> None:
    lanes = Lanes(NEW)
    [letter] = to(DEAD_LETTER, await lanes.process([lanes.record(b"\x00\x00\x00\x00\x07ana", "ana")]))
    assert letter.value is None
    assert dict(letter.headers)[LEFT_OUT] == b"value"
    assert b"ana" not in dict(letter.headers)[MESSAGE]


@pytest.mark.parametrize(("before", "after"), [(OLD, f"{NEW},{OLD}"), (None, f"{NEW},clear")])
async def test_a_new_key_keeps_what_is_known(before: str | None, after: str) -> None:
    lanes = Lanes(before)
    old = (lambda name: name) if before is None else names_of(before).of
    new = names_of(after).of
    await lanes.act("a", user_id="ana")
    await lanes.act("a", anonymous_id="guest")
    assert lanes.published() == {old("ana"): 1, old("guest"): 1}
    lanes.start(after)
    await lanes.act("b", -20, user_id="ana")
    await lanes.act("b", -20, anonymous_id="guest")
    await lanes.act("c", -10, user_id="ana")
    assert lanes.published() == {old("ana"): None, old("guest"): None, new("ana"): 3, new("guest"): 2}
    assert lanes.rows() == {new("ana"): 3, new("guest"): 2}


async def test_a_row_that_a_worker_with_the_old_key_wrote_later_is_found_too() -> None:
    lanes = Lanes(OLD)
    await lanes.act("a", -300, user_id="ana")
    lanes.start(f"{NEW},{OLD}")
    await lanes.act("b", -240, user_id="ana")
    lanes.start(OLD)
    await lanes.act("c", -235, user_id="ana")
    lanes.start(f"{NEW},{OLD}")
    await lanes.act("d", -30, user_id="ana")
    assert lanes.rows() == {names_of(NEW).of("ana"): 4}


async def test_a_shopper_is_asked_for_once_and_again_if_the_batch_is_repeated() -> None:
    names = ShopperNames(names_of(f"{NEW},{OLD}"), PARTITIONS, 1800.0)
    lanes = Lanes(None)
    first, second = (lanes.record(event("a", minutes, user_id="ana"), "ana") for minutes in (-30.0, -20.0))

    def asked(record: MemoryRecord) -> int:
        found, _ = decode_behavior(record.value, record.key)
        return len(names.requests(record, found))

    assert [asked(first), asked(second), asked(first), asked(second)] == [1, 0, 1, 0]


async def test_an_erasure_by_the_id_forgets_all_names_and_late_events() -> None:
    lanes = Lanes(OLD)
    await lanes.act("a", user_id="ana")
    lanes.start(f"{NEW},{OLD},clear")
    for partition in range(PARTITIONS):
        request = lanes.record(None, "ana", partition, headers=[erasure_header(NOW)])
        await lanes.process([request])
    assert lanes.rows() == {}
    assert lanes.published()[names_of(OLD).of("ana")] is None
    await lanes.act("b", -20, user_id="ana")
    assert lanes.rows() == {}
    await lanes.act("c", 10, user_id="ana")
    assert lanes.rows() == {names_of(NEW).of("ana"): 1}
