"""Given languages are normalized; detected ones are told only when sure."""

import pytest

from models.evaluation.titles import own_titles
from models.taxonomy.tree import Taxonomy
from models.text.language_detection import is_supported, language_code
from schemas.events import DecisionOutcome, ProductCreated
from tests.support.shipped import shipped_enricher

ENRICHER = shipped_enricher()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("en", "en"), ("EN", "en"), ("en-GB", "en"), ("en_US", "en"), ("English", "en"), ("eng", "en"),
        ("zh-TW", "zh"), ("zh-Hans-CN", "zh"), ("中文", "zh"), ("de", "de"), ("Deutsch", "de"),
        ("pt-BR", "pt"), ("fil", "fil"), (" fr ", "fr"), ("", None), (None, None), ("und", None),
        ("??", None), ("a language", None), ("x" * 5000, None),
    ],
)  # fmt: skip
def test_given_languages_are_normalized(given: str | None, code: str | None) -> None:
    assert language_code(given) == code


def test_english_chinese_and_unknown_languages_are_read() -> None:
    assert [is_supported(each) for each in ("en", "zh", None, "de")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("Weißer Tee", "de"),
        ("Red shoes", "de"),
        ("Weißer Tee", None),
        ("Eau de coco", None),
        ("кроссовки Nike для бега", None),
        ("ランニングシューズ メンズ", None),
        ("Löparskor för herrar", None),
    ],
)
def test_other_languages_are_said_before_any_category(title: str, language: str | None) -> None:
    listing = ProductCreated(product_id="p", title=title, language=language, brand="Acme")
    (enrichment,) = ENRICHER.enrich([listing])
    event, review = ENRICHER.event(listing, enrichment), ENRICHER.review(listing, enrichment)
    assert event.decision.outcome is DecisionOutcome.ABSTAINED
    assert event.decision.why == f"language not supported: {event.language}"
    assert event.language == (language or event.language) != "en"
    assert event.category is None
    assert [attribute.evidence.field for attribute in event.attributes] == ["brand"]
    assert review is not None
    assert (review.why, review.language) == (event.decision.why, event.language)


@pytest.mark.parametrize(
    ("title", "language", "department"),
    [
        ("Birra Moretti", "it", "Food, Beverages & Tobacco"),
        ("Damen Winterjacke mit Kapuze", "de", "Apparel & Accessories"),
        ("Chaussures de sport pour homme", "fr", "Apparel & Accessories"),
        ("여성용 겨울 재킷", "ko", "Apparel & Accessories"),
    ],
)
def test_listings_without_a_language_are_classified_in_theirs(
    title: str, language: str, department: str
) -> None:
    (enrichment,) = ENRICHER.enrich([ProductCreated(product_id="p", title=title)])
    assert enrichment.language == language
    assert enrichment.category is not None
    assert enrichment.category.path.split(" > ")[0] == department
    assert enrichment.decision.outcome is DecisionOutcome.MODEL


def test_a_category_of_the_tree_holds_in_any_language() -> None:
    listing = ProductCreated(product_id="p", title="Weißer Tee", language="de", category=2073)
    (enrichment,) = ENRICHER.enrich([listing])
    assert enrichment.decision.outcome is DecisionOutcome.SHOP
    assert enrichment.language == "de"


@pytest.mark.parametrize(
    "title",
    ["Enzo bikini top", "iPhone hülle", "ROSE DU SUD DRAWSTRING BAG", "CARD MOTORBIKE SANTA", "",
     "10 μm filter", "Chanel Coco Mademoiselle eau de parfum", "XJ-4471/B 0093 QQ-77",
     "手机壳 優の良品", "Espresso cups"],
)  # fmt: skip
def test_english_titles_with_foreign_words_are_read(title: str) -> None:
    (enrichment,) = ENRICHER.enrich([ProductCreated(product_id="p", title=title)])
    assert enrichment.language in (None, "en", "zh")


def test_hardly_any_evaluation_title_is_taken_for_another_language() -> None:
    titles = [ProductCreated(product_id="p", title=each.title) for each in own_titles(Taxonomy.google())]
    other = [
        product.title
        for product, enrichment in zip(titles, ENRICHER.enrich(titles), strict=True)
        if not is_supported(enrichment.language)
    ]
    assert len(other) <= 0.005 * len(titles), other
