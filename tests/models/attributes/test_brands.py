"""Brands: one name for each, and ordinary words only with evidence."""

import pytest

from models.attributes.brands import BrandFinder, brand_name, read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.tags import Tagger
from models.shipped import PRETRAINED
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from schemas.events import ProductCreated

BRANDS = read_brands(PRETRAINED / "student" / "brands.tsv")
FINDER = BrandFinder(BRANDS, 0.95)


@pytest.mark.parametrize(
    ("title", "brand"),
    [
        ("Nike Air Max 90 men's shoes", "Nike"),
        ("耐克运动鞋", "Nike"),
        ("Cocktail dress with sequins", None),
        ("Blueberry muffin", None),
        ("Only today: silver ring", None),
        ("ONLY Women Black Top", "ONLY"),
        ("Apple cider vinegar", None),
        ("苹果5斤装", None),
    ],
)
def test_brands_of_titles(title: str, brand: str | None) -> None:
    found = [item.value for item in FINDER.find(fold(title))]
    assert found == ([brand] if brand else [])


@pytest.mark.parametrize(
    ("given", "name"),
    [("Nike/耐克", "Nike"), ("耐克", "Nike"), ("NIKE", "Nike"), ("Acme", "Acme"), ("S/M Tools", "S/M Tools")],
)
def test_a_given_brand_has_its_one_name(given: str, name: str) -> None:
    assert FINDER.named(given) == name


def test_a_name_in_one_script_stays() -> None:
    assert brand_name("三只松鼠") == "三只松鼠"
    assert brand_name("AC/DC") == "AC/DC"


def test_given_and_found_brands_give_one_tag() -> None:
    extractor, tagger = AttributeExtractor.shipped(BRANDS, 0.99), Tagger.shipped(Taxonomy.google())
    listings = [
        ProductCreated(product_id="p", title="Nike shoes"),
        ProductCreated(product_id="p", title="shoes", brand="Nike/耐克"),
        ProductCreated(product_id="p", title="shoes", brand="NIKE"),
    ]
    for listing in listings:
        tags = tagger.tags(-1, 0.0, extractor.extract(listing), "")
        assert [tag.name for tag in tags] == ["brand:nike"]
