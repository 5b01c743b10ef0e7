"""No log line of behavior holds an id of a shopper, with and without pseudonyms, also of what fails."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.taste_mean import ProductLabels
from schemas.erasure import erasure_header
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.erasures import shoppers_table
from streams.agents.sessions import sessions_agent
from streams.lanes.agent import AgentProcessor
from streams.lanes.bisection import Bisection
from streams.lanes.log_observer import LogObserver
from streams.lanes.runtime import LaneLimits
from streams.observability.logs import configure_logs
from streams.records import MemoryRecord, Output, Record
from streams.topics import DEAD_LETTER, SHOPPER_REPARTITION, USER_BEHAVIOR
from tests.support.processing import NOW_MS, Source, tables_of

SHOPPERS = shoppers_table("shoppers-changelog")
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
IDS = (
    "übung@example.org",
    '{"x": "%s %d"}',
    "-.*quoted' \"id",
    "12345678901234567890",
    "名前は秘密",
    "\\u0000",
    "x" * 256,
)
POISON = "poison"


def event(**fields: Any) -> bytes:
    occurred_at = (NOW - timedelta(minutes=30)).isoformat()
    return msgspec.json.encode({"product_id": "p", "action": "view", "occurred_at": occurred_at} | fields)


def records(name: str) -> list[MemoryRecord]:
    """Good, invalid and failing records of a shopper, with the id in every place."""
    source, key = Source(USER_BEHAVIOR), name.encode()
    values = [
        event(user_id=name, session_id=name),
        event(anonymous_id=name),
        event(user_id="u", anonymous_id=name, action="identify"),
        event(user_id=name, product_id=POISON),
        event(user_id=name, session_id=[name]),
        event(user_id=name, action=name),
        event(user_id=name, occurred_at=name),
        event(user_id=name, quantity=name, price=name),
        event(user_id="another"),
        event(user_id=name)[:-1],
        name.encode(),
        b"\xff" + name.encode(),
        None,
    ]
    found = [source.record(value, key, [("ce_subject", key)]) for value in values]
    return [*found, source.record(None, key, [erasure_header(NOW)]), source.record(values[0], key)]


def describe(product: str) -> ProductLabels | None:
    if product == POISON:
        raise RuntimeError("the product view failed")
    return None


class _Lane:
    """What the observer logs of a lane."""

    def __str__(self) -> str:
        return "sessions-0"


@pytest.mark.parametrize("name", IDS)
@pytest.mark.usefixtures("logging_as_before")
async def test_no_log_line_holds_an_id(name: str) -> None:
    lines = io.StringIO()
    configure_logs("json", "debug", lines)
    agent = sessions_agent(SHOPPERS, 1, BehaviorParameters(), shipped_next_behavior(), describe, moves=True)
    letters = DeadLetterBuilder("group", 1)

    def dead_letter(record: Record, error: Exception) -> Output:
        LogObserver().record_dead_lettered(_Lane(), record, error)  # type: ignore[arg-type]
        return letters(record, error, agent.name)

    bisection = Bisection(AgentProcessor(agent, 1, letters), LaneLimits(), dead_letter)
    tables = tables_of(SHOPPERS)
    *acted, request, late = records(name)
    outputs, _ = await bisection.process(acted, tables)
    erased, _ = await bisection.process([request, late], tables)
    messages = Source(SHOPPER_REPARTITION)
    moved = [messages.moved(output) for output in [*outputs, *erased] if output.topic == SHOPPER_REPARTITION]
    moved.append(messages.record(name.encode(), name.encode()))
    more, _ = await bisection.process(moved, tables)
    assert sum(output.topic == DEAD_LETTER for output in [*outputs, *more]) >= 7
    written = lines.getvalue()
    assert "record dead-lettered" in written, "what fails is logged"
    assert "the product view failed" in written
    forms = {name, msgspec.json.encode(name).decode()[1:-1], repr(name)[1:-1], ascii(name)[1:-1]}
    assert [form for form in forms if form in written] == []
