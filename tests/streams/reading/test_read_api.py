"""The read API over HTTP: tokens, committed rows, keys of other workers, and what is said without any."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from models.behavior.affinity_row import AffinityRow
from models.behavior.deltas import DeltaBuilder
from models.behavior.parameters import BehaviorParameters
from models.behavior.sessions import ShopperRow, apply_events
from schemas.events import Action, Relation, UserBehavior
from schemas.keys import partition_for
from schemas.pseudonyms import Pseudonyms
from streams.agents.affinity_view import AffinityView
from streams.agents.factory import create_queries
from streams.agents.product_view import ProductView
from streams.agents.queries import Queries
from streams.agents.shop_taste import ShopTaste
from streams.credentials import read_api_token
from streams.lanes.committed_rows import LaneRows
from streams.observability.health import HealthServer
from streams.observability.metrics import Metrics
from streams.observability.status import WorkerStatus
from streams.reading.api import ReadApi, Source
from streams.reading.owners import Owners
from streams.records import MemoryRecord
from streams.replay.worker_records import WorkerRecord
from streams.settings import Settings
from streams.settings_sources import load_settings
from streams.state.stores import Checkpoint, MemoryStore
from streams.state.tables import StateDamaged, Table, Tables, TableSpec
from streams.topics import PRODUCT_ENRICHED

V = TypeVar("V")
TOKEN = "a-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SETTINGS = Settings(read_api_token=TOKEN, partitions=2)
AT = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = ("mug", "tin", "lamp", "a/b c", "große Tasse")


class MemoryLane:
    """A lane with tables in memory. `running` is whether its state can be read."""

    def __init__(self, *specs: TableSpec[Any]) -> None:
        self.opened = Tables([Table(spec, MemoryStore()) for spec in specs], 0)
        self.running = True

    @property
    def tables(self) -> Tables | None:
        return self.opened if self.running else None

    def stage(self, spec: TableSpec[V], key: str, row: V) -> None:
        self.opened.of(spec).put(key.encode(), row)

    def commit(self) -> None:
        for table in self.opened:
            table.apply(table.changes(), Checkpoint((1, 0)))


class Worker:
    """A worker's read API with the lanes of some partitions."""

    def __init__(self, *partitions: int, token: Callable[[], str] = lambda: TOKEN) -> None:
        self.view = ProductView(with_titles=True)
        related = AffinityView(100)
        self.queries = create_queries(SETTINGS, self.view, related, ShopTaste(self.view, related, 1e6))
        specs = self.queries._affinities, self.queries._shoppers
        self.lanes = {
            (agent, each): MemoryLane(*specs) for agent in ("affinity", "sessions") for each in partitions
        }
        self.api = ReadApi(token)
        self.owners = Owners()
        self.source = Source(self.queries, self.rows, self.owners, SETTINGS.partitions)
        self.api.source = self.source

    def rows(self, agent: str, partition: int) -> LaneRows | None:
        lane = self.lanes.get((agent, partition))
        return None if lane is None else LaneRows(lane)

    def lane(self, agent: str, key: str) -> MemoryLane:
        return self.lanes[agent, partition_for(key.encode(), SETTINGS.partitions)]

    def has(self, agent: str, key: str) -> bool:
        return (agent, partition_for(key.encode(), SETTINGS.partitions)) in self.lanes


@asynccontextmanager
async def served(worker: Worker) -> AsyncIterator[TestClient[Any, Any]]:
    server = HealthServer(WorkerStatus(), Metrics(), routes=worker.api.routes())
    async with TestClient(TestServer(server.application())) as client:
        yield client


def affinities(queries: Queries) -> TableSpec[AffinityRow]:
    return queries._affinities


def row_of(product: str, *others: str) -> AffinityRow:
    builder = DeltaBuilder()
    if others:
        builder.add_pairs(product, list(others), [AT.timestamp()] * len(others), Relation.BOUGHT)
    deltas = dict(builder.build().by_product())
    return (
        AffinityRow.empty().merged(deltas[product], BehaviorParameters()) if others else AffinityRow.empty()
    )


def list_product(view: ProductView, product: str, title: str) -> None:
    value = orjson.dumps({"product_id": product, "title": title})
    view.update([MemoryRecord(PRODUCT_ENRICHED, 0, 0, key=product.encode(), value=value)])


def shopper_row(shopper: str) -> ShopperRow:
    event = UserBehavior(
        occurred_at=AT, product_id="mug", action=Action.VIEW, user_id=shopper, session_id="s"
    )
    return apply_events(ShopperRow(), [event], DeltaBuilder(), BehaviorParameters())


async def get(client: TestClient[Any, Any], path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await client.get(path, headers=BEARER | headers)
    assert answer.content_type == "application/json"
    return answer.status, await answer.json()


async def test_a_product_is_answered_with_titles_from_the_committed_row() -> None:
    worker = Worker(0, 1)
    lane = worker.lane("affinity", "mug")
    list_product(worker.view, "mug", "RED MUG")
    list_product(worker.view, "tin", "TIN")
    lane.stage(affinities(worker.queries), "mug", row_of("mug", "tin"))
    lane.commit()
    async with served(worker) as client:
        status, event = await get(client, "/affinity/mug")
        assert (status, event["title"]) == (200, "RED MUG")
        assert [(each["product_id"], each["title"]) for each in event["related"]] == [("tin", "TIN")]
        assert [each["title"] for each in event["recommended"]] == ["TIN"]
        # A batch in progress: its rows are staged, and may yet be rolled back.
        lane.stage(affinities(worker.queries), "mug", row_of("mug", "tin", "lamp"))
        assert (await get(client, "/affinity/mug"))[1] == event
        lane.commit()
        assert len((await get(client, "/affinity/mug"))[1]["related"]) == 2


async def test_a_product_without_related_ones_is_no_error() -> None:
    worker = Worker(0, 1)
    lane = worker.lane("affinity", "mug")
    lane.stage(affinities(worker.queries), "mug", row_of("mug"))
    lane.commit()
    async with served(worker) as client:
        status, event = await get(client, "/affinity/mug")
    assert (status, event["related"]) == (200, [])


async def test_a_shopper_is_answered_as_it_is_published() -> None:
    worker = Worker(0, 1)
    lane = worker.lane("sessions", "u")
    lane.stage(worker.queries._shoppers, "u", shopper_row("u"))
    lane.commit()
    async with served(worker) as client:
        status, event = await get(client, "/shopper/u")
    assert (status, event["user_id"], event["session"]["session_id"]) == (200, "u", "s")
    assert sum(event["next_behavior"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "path", ["/affinity/nothing", "/shopper/nobody", "/affinity/%00shelfstream.positions"]
)
async def test_what_is_unknown_is_not_found(path: str) -> None:
    async with served(Worker(0, 1)) as client:
        status, answer = await get(client, path)
    assert status == 404
    assert answer["error"].startswith("no ")


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer tök\udc80n"}]
)
async def test_without_the_token_nothing_is_answered(headers: dict[str, str]) -> None:
    async with served(Worker(0, 1)) as client:
        for path in ("/affinity/mug", "/shopper/u"):
            answer = await client.get(path, headers=headers)
            assert answer.status == 401
            assert "Authorization" in (await answer.json())["error"]
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_before_the_start_and_while_restoring_it_is_not_available() -> None:
    worker = Worker(0, 1)
    async with served(worker) as client:
        worker.lane("affinity", "mug").running = False
        status, answer = await get(client, "/affinity/mug")
        assert (status, "restores" in answer["error"]) == (503, True)
        worker.api.source = None
        status, answer = await get(client, "/affinity/mug")
        assert (status, "not started" in answer["error"]) == (503, True)


async def test_a_token_file_is_read_again_at_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    settings = Settings(read_api_token_file=file)
    async with served(Worker(0, 1, token=lambda: read_api_token(settings))) as client:
        assert (await get(client, "/affinity/mug"))[0] == 404
        file.write_text("another-token-of-the-tests")
        assert (await get(client, "/affinity/mug"))[0] == 401
        for useless in ("short", ""):
            file.write_text(useless)
            assert (await get(client, "/affinity/mug"))[0] == 503


def said(member: str, url: str, partitions: list[int], at: int) -> MemoryRecord:
    record = WorkerRecord(
        worker_id=f"worker {member}",
        member_id=member,
        agents=("sessions", "affinity"),
        model_version="",
        partitions={"affinity": partitions, "sessions": partitions},
        url=url,
    )
    return MemoryRecord("workers", 0, at, at, member.encode(), msgspec.json.encode(record))


async def test_each_worker_answers_for_the_keys_of_all() -> None:
    workers = [Worker(0), Worker(1)]
    for worker in workers:
        for product in PRODUCTS:
            if worker.has("affinity", product):
                lane = worker.lane("affinity", product)
                lane.stage(affinities(worker.queries), product, row_of(product, "other"))
                lane.commit()
    async with served(workers[0]) as one, served(workers[1]) as other:
        records = [
            # A worker that died had everything, and its port is closed.
            said("dead", "http://127.0.0.1:1", [0, 1], 1),
            said("one", str(one.make_url("/")), [0], 2),
            said("other", str(other.make_url("/")), [1], 3),
        ]
        for worker in workers:
            worker.owners.update(records)
        for client in (one, other):
            for product in PRODUCTS:
                status, event = await get(client, f"/affinity/{quote(product, safe='')}")
                assert (status, event["product_id"]) == (200, product)
            assert (await get(client, "/shopper/nobody"))[0] == 404


async def test_a_key_that_no_worker_has_is_not_passed_around() -> None:
    """Both workers believe that the other one has the partition."""
    workers = [Worker(), Worker()]
    async with served(workers[0]) as one, served(workers[1]) as other:
        workers[0].owners.update([said("other", str(other.make_url("/")), [0, 1], 1)])
        workers[1].owners.update([said("one", str(one.make_url("/")), [0, 1], 1)])
        status, answer = await get(one, "/affinity/mug")
    assert (status, answer["error"].endswith("answers 503")) == (503, True)


async def test_a_shopper_is_found_by_id_under_the_pseudonyms_of_all_keys() -> None:
    pseudonyms = Pseudonyms.parse(f"k2:{'2' * 32},k1:{'1' * 32},clear")
    workers = [Worker(0), Worker(1)]
    names = {"new": pseudonyms.of("new"), "former": pseudonyms.former("former")[0], "clear": "clear"}
    for worker in workers:
        worker.api.source = replace(worker.source, names_of=pseudonyms.names)
        for name in names.values():
            if worker.has("sessions", name):
                lane = worker.lane("sessions", name)
                lane.stage(worker.queries._shoppers, name, shopper_row(name))
                lane.commit()
    async with served(workers[0]) as one, served(workers[1]) as other:
        records = [
            said("one", str(one.make_url("/")), [0], 1),
            said("other", str(other.make_url("/")), [1], 1),
        ]
        for worker in workers:
            worker.owners.update(records)
        for client in (one, other):
            for shopper, name in names.items():
                status, event = await get(client, f"/shopper/{shopper}")
                assert (status, event["user_id"]) == (200, name)
            assert (await get(client, "/shopper/nobody"))[0] == 404


async def test_what_cannot_be_passed_on_says_why() -> None:
    worker = Worker()
    async with served(worker) as client:
        assert "no worker has said" in (await get(client, "/affinity/mug"))[1]["error"]
        worker.owners.update([said("other", "", [0, 1], 1)])
        status, answer = await get(client, "/affinity/mug")
        assert (status, "SHELFSTREAM_ADVERTISED_URL" in answer["error"]) == (503, True)
        worker.owners.update([said("other", "http://127.0.0.1:1", [0, 1], 2)])
        assert "does not answer" in (await get(client, "/affinity/mug"))[1]["error"]


def test_the_last_word_decides_who_has_a_partition() -> None:
    owners = Owners()
    owners.update(
        [said("a", "", [0, 1], 5), said("b", "", [1], 3), MemoryRecord("workers", 0, 9, value=b"?")]
    )
    assert [each.member_id for each in owners.claimants("affinity", 1)] == ["a", "b"]
    owners.update([said("a", "", [0], 7)])
    assert [each.member_id for each in owners.claimants("affinity", 1)] == ["b"]
    assert owners.claimants("enrich", 0) == []


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"SHELFSTREAM_READ_API_TOKEN": "short"}, "READ_API_TOKEN: Expected `str` of length >= 16"),
        ({"SHELFSTREAM_READ_API_TOKEN": TOKEN, "SHELFSTREAM_HTTP_PORT": "-1"}, "needs http_port"),
        ({"SHELFSTREAM_READ_API_TOKEN": TOKEN, "SHELFSTREAM_READ_API_TOKEN_FILE": "t"}, "not both"),
        ({"SHELFSTREAM_ADVERTISED_URL": "10.0.0.7:9464"}, "ADVERTISED_URL"),
    ],
)
def test_wrong_settings_are_named_without_the_token(environ: dict[str, str], says: str) -> None:
    with pytest.raises(Exception, match=says) as error:
        load_settings(environ=environ)
    assert TOKEN not in str(error.value)
    assert "short" not in str(error.value)


async def test_without_a_token_there_are_no_routes() -> None:
    assert not Settings().has_read_api
    async with TestClient(TestServer(HealthServer(WorkerStatus(), Metrics()).application())) as client:
        assert (await client.get("/affinity/mug", headers=BEARER)).status == 404


def test_a_row_that_cannot_be_decoded_is_no_answer_and_changes_nothing() -> None:
    worker = Worker(0, 1)
    lane, spec = worker.lane("affinity", "mug"), affinities(worker.queries)
    store = lane.opened.of(spec).store
    store.apply({b"mug": b"\xff"}, Checkpoint((1, 0)))
    with pytest.raises(StateDamaged, match="mug"):
        LaneRows(lane).committed_row(spec, b"mug")
    assert store.get(b"mug") == b"\xff"
