"""`replay diff`: a candidate's decisions on a range against the published ones."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import orjson
import pytest
from click.testing import CliRunner, Result

from models.evaluation.decision_diff import DecisionSummary
from models.serving_config import ServingConfig
from models.student.artifact import SHIPPED
from schemas.events import DecisionOutcome, Source
from streams.cli import main
from streams.commands.operate import replay_diff
from streams.embedded import EmbeddedBroker
from streams.inference.messages import InvalidListing, Listing, Prediction
from streams.inference.predictor import Predictor, load_enricher
from streams.provenance import ORIGIN, REPLAY
from streams.records import MemoryRecord, Output
from streams.replay.replay_diff import reason_to_leave_out
from streams.settings import Settings
from tests.support.topic import read_all, write

RECORD = MemoryRecord("product-created", 1, 7, key=b"p", value=b"{}")
PREDICTION = Prediction("p", b"{}", None, "m2", "model", datetime(2026, 1, 1, tzinfo=UTC))
PUBLISHED = DecisionSummary(
    "Food", 0.9, DecisionOutcome.MODEL, (), (), "m1", Source(topic="product-created", partition=1, offset=7)
)


@pytest.mark.parametrize(
    ("record", "prediction", "published", "reason"),
    [
        (RECORD, PREDICTION, PUBLISHED, None),
        (RECORD, PREDICTION, msgspec.structs.replace(PUBLISHED, listing=None), None),
        (
            MemoryRecord("product-created", 1, 90, headers=[(ORIGIN, b"product-created:1:7")]),
            PREDICTION,
            PUBLISHED,
            None,
        ),
        (MemoryRecord("product-created", 1, 8), PREDICTION, PUBLISHED, "another listing"),
        (RECORD, InvalidListing("malformed-json", "", None), PUBLISHED, "invalid"),
        (RECORD, msgspec.structs.replace(PREDICTION, enriched=None), PUBLISHED, "withdrawn"),
        (RECORD, PREDICTION, None, "nothing is published"),
        (RECORD, PREDICTION, msgspec.structs.replace(PUBLISHED, outcome=DecisionOutcome.PERSON), "a person"),
    ],
)
def test_only_decisions_on_the_same_listing_are_compared(
    record: MemoryRecord,
    prediction: Prediction | InvalidListing,
    published: DecisionSummary | None,
    reason: str | None,
) -> None:
    found = reason_to_leave_out(record, prediction, published)
    assert (found is None) == (reason is None)
    assert reason is None or reason in (found or "")


TITLES = {
    b"p0": "Nike Men's Running Shoes Blue Size 10",
    b"p1": "Warm woollen socks",
    b"p2": "Red ceramic coffee mug 350 ml",
    b"p3": "Blue cotton shirt for men",
}


@pytest.fixture(scope="module")
def published() -> list[tuple[bytes, bytes | None]]:
    """Keys and product-enriched events of `TITLES`, as listings at the offsets 0 to 3 of partition 0."""
    predictor = Predictor(load_enricher(ServingConfig(cascade=False, threshold=0.05)))
    listings = [
        Listing(orjson.dumps({"product_id": key.decode(), "title": title}), key, "product-created", 0, offset)
        for offset, (key, title) in enumerate(TITLES.items())
    ]
    return [
        (each.product_id.encode(), each.enriched)
        for each in predictor.predict(listings)
        if isinstance(each, Prediction)
    ]


@pytest.fixture
def shop(embedded: EmbeddedBroker, published: list[tuple[bytes, bytes | None]]) -> Iterator[Settings]:
    """A broker with listings, an older listing, a copy of a replay, and what was published of them."""
    settings = Settings(bootstrap_servers=embedded.bootstrap, embedded=True)
    listed = [
        Output("product-created", 0, key, orjson.dumps({"product_id": key.decode(), "title": title}))
        for key, title in TITLES.items()
    ]
    copy = msgspec.structs.replace(listed[0], headers=[(ORIGIN, b"product-created:0:0"), (REPLAY, b"r1")])
    write(settings, [*listed, copy, msgspec.structs.replace(listed[3], value=b"not a listing")])
    enriched = [Output("product-enriched", 0, b"p0", b"an event of another program")]
    enriched += [Output("product-enriched", 0, key, value) for key, value in published]
    write(settings, [*enriched, Output("product-enriched", 0, b"p1", None)])
    yield settings


def run(settings: Settings, *arguments: str) -> Result:
    environment = {
        "SHELFSTREAM_CASCADE": "false",
        "SHELFSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
    }
    return CliRunner(env=environment).invoke(
        main, ["replay", "diff", "--from", "start", "--candidate", str(SHIPPED), *arguments]
    )


def test_a_candidate_that_abstains_is_shown_and_nothing_is_written(
    shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loading takes seconds, and the commands below load two models.
    monkeypatch.setattr(replay_diff, "load_enricher", cache(load_enricher))
    before = [(each.offset, each.value) for each in read_all(shop, "product-enriched")]
    same = run(shop, "--config", str(threshold(tmp_path, 0.05)), "--json", "--max-changed", "0")
    assert same.exit_code == 0, same.output
    figures = orjson.loads(same.stdout)
    assert (figures["compared"], figures["changed"], figures["flows"]) == (2, 0, [])
    assert figures["left_out"] == {
        "nothing is published: not processed yet, or withdrawn since": 1,
        "the listing is invalid": 1,
    }
    page = tmp_path / "diff.html"
    stricter = run(
        shop, "--config", str(threshold(tmp_path, 0.9999999)), "--html", str(page), "--max-changed", "0.5"
    )
    assert stricter.exit_code == 3, stricter.output
    assert "2 of 2 products (100.0%): another published category" in stricter.stdout
    assert "(in review)" in stricter.stdout
    assert "at most 50.0% are allowed" in stricter.stderr
    assert "Red ceramic coffee mug" in page.read_text()
    one = run(shop, "--config", str(threshold(tmp_path, 0.05)), "--key", "p2", "--json")
    assert orjson.loads(one.stdout)["compared"] == 1
    none = run(shop, "--config", str(threshold(tmp_path, 0.05)), "--key", "absent", "--max-changed", "0.5")
    assert (none.exit_code, "no product was compared" in none.stderr) == (1, True)
    unknown = run(shop, "--candidate", "student-9-00000000")
    assert (unknown.exit_code, "is not a directory" in unknown.stderr) == (1, True)
    assert [(each.offset, each.value) for each in read_all(shop, "product-enriched")] == before


def threshold(folder: Path, value: float) -> Path:
    path = folder / f"{value}.toml"
    path.write_text(f"confidence_threshold = {value}\n")
    return path
