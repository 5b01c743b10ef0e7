"""Shoppers who acted before the catalog came get their tastes when it comes."""

from typing import Any

import orjson
import pytest

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from models.behavior.shopper import shopper_updated
from schemas.codec import decode_shopper_updated, encode
from schemas.erasure import ERASURE
from schemas.events import Category, Decision, DecisionOutcome, ProductEnriched
from streams.agents.erasures import shoppers_table
from streams.agents.outputs import OutputBuilder
from streams.agents.product_view import ProductView
from streams.agents.sessions import sessions_agent
from streams.agents.unlabeled_shoppers import MARKS_AT_ONCE, UnlabeledShoppers, with_unlabeled
from streams.lanes.processor import Processor
from streams.records import Output
from streams.state.tables import Table, Tables
from streams.topics import PRODUCT_ENRICHED, SHOPPER_UPDATED, USER_BEHAVIOR
from tests.support.processing import Source, caught_up, header, process_batch, processor_of, tables_of, to

SHOPPERS = shoppers_table("shoppers-changelog")
EVENTS, LISTINGS = Source(USER_BEHAVIOR), Source(PRODUCT_ENRICHED)


@pytest.fixture
def view() -> ProductView:
    return ProductView()


@pytest.fixture
def tables() -> Tables:
    return tables_of(SHOPPERS)


def processor(view: ProductView) -> Processor:
    """The agent as a worker composes it."""
    parameters, next_behavior = BehaviorParameters(), shipped_next_behavior()
    unlabeled = UnlabeledShoppers(
        view.describe,
        lambda: view.arrivals,
        lambda shopper, row: shopper_updated(shopper, row, next_behavior, view.describe, parameters),
        OutputBuilder("sessions", 1),
    )
    agent = sessions_agent(SHOPPERS, 1, parameters, next_behavior, view.describe)
    return processor_of(with_unlabeled(agent, SHOPPERS, unlabeled))


async def act(agent: Processor, tables: Tables, *actions: tuple[str, str]) -> list[Output]:
    """Purchases of (shopper, product)."""
    values = [
        {"occurred_at": "2026-01-01T00:00:00Z", "product_id": product, "action": "purchase", "user_id": user}
        for user, product in actions
    ]
    return await process_batch(agent, [EVENTS.record(orjson.dumps(value)) for value in values], tables)


def list_products(view: ProductView, *names: str, path: str = "A") -> None:
    events = [
        ProductEnriched(
            product_id=name,
            decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
            model_version="m",
            taxonomy_version="t",
            category=Category(id=1, path=path, confidence=1.0),
        )
        for name in names
    ]
    view.update([LISTINGS.record(encode(event), event.product_id.encode()) for event in events])


def tastes(outputs: list[Output]) -> dict[str, list[tuple[str, float]]]:
    found = {}
    for output in to(SHOPPER_UPDATED, outputs):
        event = decode_shopper_updated(output.value, output.key)
        found[event.user_id] = [(each.name, each.score) for each in event.categories]
    return found


def marks(tables: Tables) -> list[bytes]:
    table: Table[Any] = tables.of(SHOPPERS)
    return [key for key, _ in table.store.items() if key.startswith(b"\x00shelfstream.unlabeled")]


async def test_a_shopper_is_published_again_when_the_products_are_known(
    view: ProductView, tables: Tables
) -> None:
    """For each part of the catalog that comes, with ids of their own, and never for nothing."""
    agent = processor(view)
    first = await act(agent, tables, ("u", "a"), ("u", "b"), ("v", "c"))
    assert tastes(first) == {"u": [], "v": []}
    assert await caught_up(agent, tables) == []
    list_products(view, "a", "other")
    again = await caught_up(agent, tables)
    assert tastes(again) == {"u": [("A", 1.0)]}
    list_products(view, "b", path="B")
    last = await caught_up(agent, tables)
    assert tastes(last) == {"u": [("A", 0.5), ("B", 0.5)]}
    ids = [header(output, "ce_id") for output in [*to(SHOPPER_UPDATED, first), *again, *last]]
    assert len(set(ids)) == len(ids)
    assert len(marks(tables)) == 1
    list_products(view, "c")
    assert tastes(await caught_up(agent, tables)) == {"v": [("A", 1.0)]}
    assert marks(tables) == []
    list_products(view, "d")
    assert await caught_up(agent, tables) == []


async def test_marks_survive_a_restart(view: ProductView, tables: Tables) -> None:
    """Another worker reads them with the state."""
    await act(processor(view), tables, ("u", "a"))
    list_products(view, "a")
    restarted = Tables([Table(SHOPPERS, tables.of(SHOPPERS).store)], 0)
    agent = processor(view)
    assert tastes(await caught_up(agent, restarted)) == {"u": [("A", 1.0)]}
    assert await caught_up(agent, restarted) == []


async def test_many_shoppers_are_published_in_parts(view: ProductView, tables: Tables) -> None:
    agent = processor(view)
    count = 2 * MARKS_AT_ONCE + 1
    await act(agent, tables, *[(f"u{number}", "a") for number in range(count)])
    list_products(view, "a")
    parts = [len(await caught_up(agent, tables)) for _ in range(4)]
    assert parts == [MARKS_AT_ONCE, MARKS_AT_ONCE, 1, 0]


async def test_a_shopper_who_acts_meanwhile_is_not_published_again(view: ProductView, tables: Tables) -> None:
    agent = processor(view)
    await act(agent, tables, ("u", "a"))
    list_products(view, "a", "b")
    assert tastes(await act(agent, tables, ("u", "b"))) == {"u": [("A", 1.0)]}
    assert await caught_up(agent, tables) == []
    assert marks(tables) == []


async def test_an_erased_shopper_has_no_mark(view: ProductView, tables: Tables) -> None:
    agent = processor(view)
    await act(agent, tables, ("u", "a"))
    assert len(marks(tables)) == 1
    request = EVENTS.record(None, b"u", [(ERASURE, b"2026-02-01T00:00:00Z")])
    await process_batch(agent, [request], tables)
    list_products(view, "a")
    assert await caught_up(agent, tables) == []
    assert marks(tables) == []
