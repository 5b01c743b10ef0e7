"""What came before the catalog is published again when the catalog has come, on a real Kafka, with two shops.

The shops name their products alike: SHELFSTREAM_SHOPS is own-ids. Products get tags by behavior beside.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.behavior.delta_codec import encode_deltas
from models.behavior.deltas import RELATIONS, Deltas
from schemas.codec import decode_affinity_updated, decode_product_enriched, decode_shopper_updated
from schemas.events import Relation, TagSource
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SHOPS = ("north", "south")
PRODUCTS = range(4)
SHOPPERS = range(12)
DAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    settings = {"shops": "own-ids", "catch_up_s": 0.2, "batch_max_records": 5, "signals": True}
    with Deployment(own_broker.bootstrap, tmp_path, **settings) as running:
        yield running


def purchase(shop: str, shopper: int) -> tuple[bytes, bytes]:
    """Return a purchase of the first product: a product with behavior of one product has no neighbors."""
    event = {
        "occurred_at": (DAY + timedelta(minutes=shopper)).isoformat(),
        "product_id": "0",
        "action": "purchase",
        "user_id": f"{shop}-{shopper}",
        "shop_id": shop,
    }
    return f"{shop}-{shopper}".encode(), orjson.dumps(event)


def listing(shop: str, product: int) -> tuple[None, bytes]:
    """Return a listing whose text is like that of the shop's other products."""
    kind = {"north": "Ceramic coffee mug with handle", "south": "Women's running shoes"}[shop]
    title = f"{kind}, number {product}"
    return None, orjson.dumps({"product_id": str(product), "title": title, "shop_id": shop})


def tastes(deployment: Deployment) -> dict[str, list[str]]:
    """Return the best category of each shopper, as published last.

    What follows it are categories of the average shopper at that moment.
    """
    events = [decode_shopper_updated(each.value(), each.key()) for each in deployment.read("shopper-updated")]
    return {event.user_id: [each.name for each in event.categories[:1]] for event in events}


def have_tastes_of_their_shops(deployment: Deployment) -> bool:
    """Whether the shoppers of a shop have one taste, and not that of the other shop's."""
    known = tastes(deployment)
    north, south = ({tuple(known[f"{shop}-{each}"]) for each in SHOPPERS} for shop in SHOPS)
    return len(north) == len(south) == 1 and () not in north | south and north != south


def similar(deployment: Deployment) -> dict[bytes, set[tuple[str, str]]]:
    """Return shop and id of the products with a text like that of each product, as published last."""
    return {
        each.key(): {
            (event.shop_id or "", related.product_id)
            for event in [decode_affinity_updated(each.value(), each.key())]
            for related in event.related
            if related.relation is Relation.SIMILAR
        }
        for each in deployment.read("affinity-updated")
    }


def sold(product: str, sessions: int) -> bytes:
    """Return a record of co-behavior: sessions that bought a product alone."""
    one = np.zeros(1, dtype=np.uint32)
    bought = np.full(1, RELATIONS.index(Relation.BOUGHT), dtype=np.uint8)
    weight, support = np.full(1, float(sessions)), np.full(1, sessions, dtype=np.int32)
    (record,) = encode_deltas(
        Deltas([product], one, one, bought, np.full(1, DAY.timestamp()), weight, support)
    )
    return record


def signals(deployment: Deployment) -> dict[bytes, list[str]]:
    """Return the tags by behavior of the products that have any, as published last."""
    events = {
        each.key(): decode_product_enriched(each.value(), None)
        for each in deployment.read("product-enriched")
    }
    tags = {
        key: [tag.name for tag in event.tags if tag.source is TagSource.BEHAVIOR]
        for key, event in events.items()
    }
    return {key: names for key, names in tags.items() if names}


def test_shoppers_and_lists_catch_up_within_their_shop(deployment: Deployment) -> None:
    """The worker is killed while it catches up: no record has the id of another."""
    deployment.produce("user-behavior", [purchase(shop, shopper) for shop in SHOPS for shopper in SHOPPERS])
    first = deployment.worker()
    first.wait_ready()
    wait_until(lambda: len(tastes(deployment)) == len(SHOPS) * len(SHOPPERS))
    assert not any(tastes(deployment).values())
    deployment.produce("product-created", [listing(shop, product) for product in PRODUCTS for shop in SHOPS])
    wait_until(lambda: any(tastes(deployment).values()))
    first.kill()
    worker = deployment.worker()
    worker.wait_ready()
    wait_until(lambda: have_tastes_of_their_shops(deployment))
    everybody = {
        f"{shop}/{product}".encode(): {(shop, str(other)) for other in PRODUCTS if other != product}
        for shop in SHOPS
        for product in PRODUCTS
    }
    wait_until(lambda: similar(deployment) == everybody)
    deployment.produce("co-behavior", [(b"north/1", sold("north/1", 30))])
    wait_until(lambda: signals(deployment).get(b"north/1") == ["bestseller"])
    deployment.produce("product-created", [listing("north", 1)])
    deployment.wait_until_processed()
    assert signals(deployment)[b"north/1"] == ["bestseller"]
    assert worker.stop() == 0

    assert have_tastes_of_their_shops(deployment)
    assert {each.key() for each in deployment.read("product-enriched")} == set(everybody)
    for topic in ("shopper-updated", "affinity-updated"):
        ids = [dict(each.headers() or [])["ce_id"] for each in deployment.read(topic)]
        assert len(set(ids)) == len(ids)
    assert deployment.read("dead-letter") == []
