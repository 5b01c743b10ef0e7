"""What a listing says beside its title: which fields are evidence, and how much they weigh."""

from typing import Any

import numpy as np
import pytest

from models.enrichment.category_evidence import ListingText, category_levels, listing_text
from models.enrichment.enricher import Enrichment
from models.enrichment.evidence_weights import EvidenceWeights
from models.enrichment.listing_classifier import BRAND_CONFLICT, NO_TITLE, PATH_CONFLICT, UNKNOWN_TITLE
from models.enrichment.listing_explanation import explain_listing
from models.enrichment.shop_category import ShopCategories
from models.student.classifier import Classification
from models.taxonomy.tree import Taxonomy
from schemas.codec import decode_product_enriched, encode
from schemas.events import DecisionOutcome, Evidence, ProductCreated
from tests.support.shipped import shipped_enricher

ENRICHER = shipped_enricher()
NOISE = {
    "availability": "out of stock",
    "price": "$ 19.99 USD",
    "Colour": "Rock White, Velvet Black, Bronze",
    "Option1 Name": "Title",
    "Option1 Value": "Default Title",
    "size": "S, M, L, XL",
    "sku": "PW-20-RED-0417",
    "shipping": "US::Standard Ground:0.00 USD",
    "配送安装地区": "全国",
}


def product(title: str, **fields: Any) -> ProductCreated:
    return ProductCreated(product_id="p", title=title, **fields)


def one(title: str, **fields: Any) -> Enrichment:
    return ENRICHER.enrich([product(title, **fields)])[0]


def path(enrichment: Enrichment) -> str:
    return enrichment.category.path if enrichment.category is not None else ""


@pytest.mark.parametrize(
    "title", ["Fresh Dill 100gm", "Premium Tulip Plant Pot", "Red shoes", "手机壳", "zzqx"]
)
@pytest.mark.parametrize("name", [*NOISE, "all"])
def test_fields_that_are_no_evidence_leave_the_category_alone(title: str, name: str) -> None:
    attributes = NOISE if name == "all" else {name: NOISE[name]}
    plain, listed = one(title), one(title, attributes=attributes)
    assert (listed.category, listed.decision, listed.embedding) == (
        plain.category,
        plain.decision,
        plain.embedding,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"brand": "Acme"}, ListingText("mug", brand="acme")),
        ({"brand": "Mug"}, ListingText("mug")),
        ({"attributes": {"Product Type": "Drinkware"}}, ListingText("mug", type="drinkware")),
        ({"attributes": {"productType": "Kitchen > Mugs"}}, ListingText("mug", path="kitchen mugs")),
        ({"attributes": {"类目": "水杯"}}, ListingText("mug", type="水杯")),
        (
            {"attributes": {"材质": "陶瓷", "Material": "<b>Clay</b>"}},
            ListingText("mug", details="陶瓷 clay"),
        ),
        ({"attributes": {"color": "red", "type": ""}}, ListingText("mug")),
    ],
)
def test_evidence_is_read_by_a_vocabulary_of_fields(fields: dict[str, Any], expected: ListingText) -> None:
    assert listing_text(product("Mug", **fields), None) == expected


@pytest.mark.parametrize(
    ("category", "levels"),
    [
        ("Lawn &amp; Garden > Pots", ["lawn & garden", "pots"]),
        ("Home > All products > Pots", ["pots"]),
        ("Sale", []),
        ("Pots > Pots", ["pots"]),
        ("家居 > 花盆", ["家居", "花盆"]),
        (" > ", []),
    ],
)
def test_levels_of_a_shop_that_say_nothing_are_left_out(category: str, levels: list[str]) -> None:
    assert category_levels(category) == levels


def test_a_shops_own_path_decides_where_the_title_does_not() -> None:
    assert one("Gaia").decision.outcome is DecisionOutcome.ABSTAINED
    for fields in ({"shop_category": "Lawn & Garden > Pots"}, {"category": "Lawn & Garden > Pots"}):
        enrichment = one("Gaia", **fields)
        assert enrichment.decision.outcome is DecisionOutcome.MODEL
        assert path(enrichment).startswith("Home & Garden > Lawn & Garden")
        assert enrichment.shop_category == "Lawn & Garden > Pots"


def test_a_path_that_contradicts_a_sure_title_goes_to_review() -> None:
    enrichment = one("Running shoes", shop_category="Lawn & Garden > Pots")
    assert one("Running shoes").decision.outcome is DecisionOutcome.MODEL
    assert enrichment.decision.outcome is DecisionOutcome.ABSTAINED
    assert enrichment.review_reason == PATH_CONFLICT


@pytest.mark.parametrize(
    ("title", "brand"), [("Fresh Basil", "Jo Malone Perfume"), ("Cocoa Butter", "Palmer's Lotion")]
)
def test_a_brand_questions_a_title_of_few_words(title: str, brand: str) -> None:
    assert one(title).decision.outcome is DecisionOutcome.MODEL
    assert one(title, brand=brand).review_reason == BRAND_CONFLICT


@pytest.mark.parametrize(("title", "brand"), [("No. 5", "Chanel Parfums"), ("Luminous Whip", "Olay")])
def test_a_name_without_a_noun_is_not_decided(title: str, brand: str) -> None:
    for listing in (one(title), one(title, brand=brand)):
        assert listing.decision.outcome is DecisionOutcome.ABSTAINED


def test_a_brand_leaves_a_clear_title_alone() -> None:
    for brand in ("Olay", "Chanel Parfums", "Nikon"):
        assert path(one("Nike Men's Black Running Shoes", brand=brand)) == "Apparel & Accessories > Shoes"


def test_a_description_does_not_make_a_title_of_few_words_unsure() -> None:
    for fields in ({}, {"description": "Green tea. Read more"}):
        assert one("Green tea", **fields).decision.outcome is DecisionOutcome.MODEL


def test_decisions_with_other_evidence_are_not_mixed_up_in_the_cache() -> None:
    first, second = one("Gaia", shop_category="Lawn & Garden > Pots"), one("Gaia")
    assert first.category != second.category
    assert one("Gaia", shop_category="Lawn & Garden > Pots").category == first.category


SHOES = "Apparel & Accessories > Shoes"


@pytest.mark.parametrize(
    "category",
    [
        187,
        "187",
        " 187 ",
        SHOES,
        "apparel & accessories>SHOES",
        "Apparel &amp; Accessories >  Shoes",
        f"187 - {SHOES}",
    ],
)
def test_a_category_of_the_tree_is_taken_over(category: str | int) -> None:
    listing = product("Red running shoes", category=category)
    (enrichment,) = ENRICHER.enrich([listing])
    assert enrichment.decision.outcome is DecisionOutcome.SHOP
    assert enrichment.category is not None
    assert (enrichment.category.id, enrichment.category.path) == (187, SHOES)
    assert enrichment.review_reason is None
    assert ENRICHER.review(listing, enrichment) is None
    assert "shoes" in {tag.name for tag in enrichment.tags}
    event = ENRICHER.event(listing, enrichment)
    assert decode_product_enriched(encode(event), b"p") == event


def test_a_category_that_the_title_surely_contradicts_goes_to_review() -> None:
    listing = product("Nike Men's Black Running Shoes", category="Media > Books")
    (enrichment,) = ENRICHER.enrich([listing])
    assert enrichment.decision.outcome is DecisionOutcome.ABSTAINED
    assert path(enrichment) == "Media > Books"
    review = ENRICHER.review(listing, enrichment)
    assert review is not None
    assert [each.path for each in review.candidates[:2]] == ["Media > Books", SHOES]


def test_a_category_that_the_tree_does_not_have_is_kept_as_the_shops_own() -> None:
    for category, kept in ((99999999, "99999999"), ("Pots", "Pots"), ("²", "²"), ("  ", None)):
        listing = product("Gaia", category=category)
        assert ENRICHER.event(listing, ENRICHER.enrich([listing])[0]).shop_category == kept


def test_a_tree_of_ones_own_finds_its_own_categories() -> None:
    tree = Taxonomy("tree", {1: ("Kitchen",), 2: ("Kitchen", "Tea pots")}, {})
    categories = ShopCategories(tree)
    assert [categories.find(each) for each in (2, "kitchen > TEA  POTS", 187, "", None)] == [1, 1, -1, -1, -1]


def test_weights_agree_with_the_formula() -> None:
    """Two departments with two categories: a path weighs twice as much as the title, a type as much."""
    tree = Taxonomy("tree", {1: ("A",), 2: ("A", "x"), 3: ("B",), 4: ("B", "y")}, {})
    weights = EvidenceWeights(tree, (0.5,))
    title = np.array([[0.1, 0.5, 0.1, 0.3]], dtype=np.float32)
    evidence = np.array([[0.0, 0.1, 0.1, 0.8]], dtype=np.float32)
    alone = Classification(0, 0.6, False, (), np.zeros(4, dtype=np.int8))
    for is_path, power, floor in ((True, 0.5, 0.1), (False, 1.0, 0.3)):
        expected = title[0] ** power * ((1 - floor) * evidence[0] + floor * 0.25)
        expected /= expected.sum()
        (found,) = weights.classify([alone], title, evidence, np.array([is_path]))
        assert dict(found.candidates) == pytest.approx(dict(enumerate(expected.tolist())), abs=1e-3)
        assert found.category == 3
    sure = Classification(1, 0.99, True, (), np.zeros(4, dtype=np.int8))
    unknown = np.zeros((1, 4), dtype=np.float32)
    assert weights.classify([sure], title, unknown, np.array([True])) == [sure]


@pytest.mark.parametrize("title", ["", "-", "4711", "N/A", "Untitled", "无标题"])
@pytest.mark.parametrize(
    "fields",
    [
        {"brand": "Nike"},
        {"shop_category": "Lawn & Garden > Pots"},
        {"attributes": {"product type": "Shoes"}},
        {"attributes": {"material": "leather"}, "brand": "Nike"},
    ],
)
def test_evidence_beside_no_title_does_not_decide_alone(title: str, fields: dict[str, Any]) -> None:
    listed = one(title, **fields)
    assert listed.decision.outcome is DecisionOutcome.ABSTAINED
    assert listed.review_reason == NO_TITLE or listed.category is None
    # The reviewer sees what it points to.
    assert listed.category is None or listed.category.alternatives


def test_a_brand_does_not_decide_beside_a_title_of_unknown_words() -> None:
    listed = one("zzqx", brand="Nike")
    assert (listed.decision.outcome, listed.review_reason) == (DecisionOutcome.ABSTAINED, UNKNOWN_TITLE)
    assert one("zzqx", shop_category="Lawn & Garden > Pots").decision.outcome is DecisionOutcome.MODEL


def test_a_description_stands_for_a_title_that_says_nothing() -> None:
    listed = one("n/a", description="Ceramic mug with a handle", brand="Acme")
    assert listed.decision.outcome is DecisionOutcome.MODEL
    assert path(listed).startswith("Home & Garden > Kitchen & Dining > Tableware")


@pytest.mark.parametrize(
    "given", [2169, "2169", "Home & Garden > Kitchen & Dining > Tableware > Drinkware > Mugs"]
)
def test_a_category_that_is_taken_over_is_evidence_of_itself(given: str | int) -> None:
    decision = one("Ceramic mug", category=given).decision
    assert decision.outcome is DecisionOutcome.SHOP
    assert decision.evidence == Evidence(field="category", start=0, end=len(str(given)), text=str(given))
    assert one("Ceramic mug").decision.evidence is None


def test_each_field_of_a_listing_is_explained_alone() -> None:
    listing = product("Velvet pouf", brand="Acme", shop_category="Home > Furniture", attributes={"size": "M"})
    explained = explain_listing(ENRICHER, listing)
    assert [effect.field for effect in explained.effects] == ["brand", "shop_category"]
    assert explained.not_read == ["attributes.size"]
    assert (explained.is_given, explained.is_read) == (False, True)
    assert (explained.title, explained.whole) == (one("Velvet pouf"), ENRICHER.enrich([listing])[0])
    by_field = {effect.field: effect for effect in explained.effects}
    assert by_field["brand"].enrichment == one("Velvet pouf", brand="Acme")
    assert by_field["shop_category"].share is not None and by_field["shop_category"].share > 0
