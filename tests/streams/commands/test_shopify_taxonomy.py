"""Shopify's product taxonomy as the served tree: by its name alone, offline and in the worker."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from models.taxonomy.tree import SHOPIFY, SHOPIFY_VERSION
from schemas.events import CategoryFeedback, DecisionOutcome, ProductCreated, Source, Verdict
from streams.agents.factory import create_agents
from streams.agents.feedback import corrected
from streams.cli import main
from streams.settings import Settings


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher.load(ServingConfig(taxonomy=SHOPIFY))


def test_the_command_knows_the_tree_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSTREAM_DATA_DIR", str(tmp_path))
    line = orjson.dumps({"product_id": "1", "title": "adidas men printed charcoal sweatshirt"})
    result = CliRunner().invoke(main, ["enrich", "-", "--taxonomy", "shopify"], input=line)
    assert result.exit_code == 0, result.output
    event = orjson.loads(result.stdout)
    path = "Apparel & Accessories > Clothing > Clothing Tops > Sweatshirts"
    assert event["taxonomy_version"] == SHOPIFY_VERSION
    assert event["category"]["path"] == path
    assert "+mapped-" in event["model_version"]
    shopify, google = event["category"]["mapped"]
    assert shopify == {"taxonomy": SHOPIFY_VERSION, "id": "aa-1-13-14", "path": path}
    assert (google["id"], google["path"]) == ("212", "Apparel & Accessories > Clothing > Shirts & Tops")
    nowhere = CliRunner().invoke(main, ["enrich", "-", "--taxonomy", "shopfy"], input=line)
    assert nowhere.exit_code == 2
    assert "'shopfy' does not exist" in nowhere.output


def test_the_explanation_shows_googles_decision_and_its_place() -> None:
    result = CliRunner().invoke(main, ["explain", "--taxonomy", "shopify", "adidas men printed sweatshirt"])
    assert result.exit_code == 0, result.output
    assert "Shirts & Tops" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(
        f"In {SHOPIFY_VERSION}: Apparel & Accessories > Clothing"
    )


def test_the_worker_serves_the_tree_of_its_settings(tmp_path: Path) -> None:
    agents = create_agents(Settings(agents=("enrich",), taxonomy=SHOPIFY, data_dir=tmp_path))
    try:
        assert agents.serving is not None
        assert agents.serving.report().taxonomy_version == SHOPIFY_VERSION
    finally:
        agents.close()


@pytest.mark.parametrize(
    "category",
    [
        "aa-1-13-14",
        "gid://shopify/TaxonomyCategory/aa-1-13-14",
        "apparel & accessories > clothing > clothing tops > sweatshirts",
    ],
)
def test_a_shop_gives_a_category_by_code_or_path(enricher: Enricher, category: str) -> None:
    product = ProductCreated(product_id="1", title="item 4711", category=category)
    (enrichment,) = enricher.enrich([product])
    assert enrichment.decision.outcome is DecisionOutcome.SHOP
    assert enrichment.category is not None
    assert enrichment.category.mapped[0].id == "aa-1-13-14"


def test_a_google_id_of_a_shop_is_no_number_of_the_tree(enricher: Enricher) -> None:
    (enrichment,) = enricher.enrich([ProductCreated(product_id="1", title="item 4711", category=212)])
    assert enrichment.category is not None
    assert enrichment.category.path == "Apparel & Accessories > Clothing > Clothing Tops"


def test_feedback_carries_both_ids(enricher: Enricher) -> None:
    socks = next(node for node in enricher.taxonomy.nodes if node.path.endswith("> Crew Socks"))
    feedback = CategoryFeedback(product_id="1", verdict=Verdict.CORRECT, category_id=socks.id)
    source = Source(topic="category-feedback", partition=0, offset=0)
    event = corrected(None, feedback, enricher, source)
    assert event.category is not None
    assert [each.taxonomy for each in event.category.mapped] == [SHOPIFY_VERSION, "google-2021-09-21"]
    assert event.category.mapped[0].id == socks.code
