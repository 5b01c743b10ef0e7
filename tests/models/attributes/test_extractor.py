"""Attributes: extraction, normalization, and evidence in the original text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attributes.extractor import ORDER, AttributeExtractor, attributes_text
from models.attributes.statements import DESCRIBED
from schemas.events import ProductCreated

BRANDS = {"nike": "Nike", "peter england": "Peter England", "peter": "Peter", "美的": "Midea/美的"}
EXTRACTOR = AttributeExtractor.shipped(BRANDS, 0.9)
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
WORDS = st.sampled_from(
    [
        "Nike",
        "Peter England",
        "İ",
        "navy Blue",
        "men's",
        "women",
        "cotton",
        "纯棉",
        "红色",
        "男士",
        "女童",
        "500 ml",
        "2.5kg",
        "pack of 6",
        "12片装",
        "cream",
        "ＢＬＵＥ",
        "😀",
        "\x00",
        "rose gold",
        "size XL",
    ]
)
TEXT = st.one_of(
    ANY_TEXT, st.lists(WORDS, max_size=9).map(" ".join), st.lists(WORDS, max_size=6).map("".join)
)


def found(title: str, **fields: object) -> dict[str, list[str]]:
    product = ProductCreated(product_id="p", title=title, **fields)  # type: ignore[arg-type]
    values: dict[str, list[str]] = {}
    for attribute in EXTRACTOR.extract(product):
        values.setdefault(attribute.name, []).append(f"{attribute.value} {attribute.unit or ''}".strip())
    return values


@given(
    TEXT,
    TEXT,
    st.none() | TEXT,
    st.dictionaries(st.sampled_from(["颜色", "brand", "Size", "x"]) | TEXT, TEXT),
)
def test_evidence_is_a_span_of_the_original_text(
    title: str, description: str, brand: str | None, attributes: dict[str, str]
) -> None:
    """For any text, each attribute's evidence is the text at its span, and confidences are in range."""
    product = ProductCreated(
        product_id="p", title=title, description=description, brand=brand, attributes=attributes
    )
    texts = {
        "title": title,
        "description": description,
        "brand": brand or "",
        "attributes": attributes_text(attributes),
    }
    names = []
    for attribute in EXTRACTOR.extract(product, span_matches=EXTRACTOR.match_spans([product])[0]):
        evidence = attribute.evidence
        assert 0 <= evidence.start < evidence.end
        assert texts[evidence.field][evidence.start : evidence.end] == evidence.text
        assert 0.0 < attribute.confidence <= 1.0
        assert attribute.value
        names.append(attribute.name)
    assert names == sorted(names, key=ORDER.index)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (
            "Peter England Men Navy Blue Cotton Shirt Size XL",
            {"brand": ["Peter England"], "colour": ["navy blue"], "gender": ["men"]}
            | {"age_group": ["adult"], "material": ["cotton"], "size": ["XL"]},
        ),
        (
            "Nike Women's Multi-Color Shoes",
            {"brand": ["Nike"], "colour": ["multi"], "gender": ["women"], "age_group": ["adult"]},
        ),
        ("NEW! Hot sale: Nike shoes", {"brand": ["Nike"]}),
        ("Hot Nike sale", {"brand": ["Nike"]}),
        ("Kids Girls Sports T-shirt", {"gender": ["girls"], "age_group": ["kids"], "usage": ["sports"]}),
        (
            "Printed silk saree",
            {"gender": ["women"], "material": ["silk"], "usage": ["ethnic"], "age_group": ["adult"]},
        ),
        ("Lipstick for men", {"gender": ["men"], "age_group": ["adult"]}),
        (
            "秋冬季儿童运动鞋",
            {"age_group": ["kids"], "season": ["autumn and winter"], "usage": ["sports"]},
        ),
        ("Shirt by Nike", {}),
        (
            "Mens & Womens Black and Red Gloves",
            {"gender": ["unisex"], "age_group": ["adult"], "colour": ["black", "red"]},
        ),
        ("Lady Finger 500g", {"size": ["500 g"], "weight": ["500 g"]}),
        ("Faux leather wallet", {"material": ["faux leather"]}),
        (
            "Shampoo 2,5 Litres pack of 3",
            {"size": ["2500 ml"], "volume": ["2500 ml"], "pack_quantity": ["3 pieces"]},
        ),
        ("Shirt 3XL", {"size": ["3XL"]}),
        ("Kindle 6 inch", {"size": ["15.24 cm"], "screen_size": ["15.24 cm"]}),
        ("ＢＬＵＥ Ｔshirt", {"colour": ["blue"]}),
        (
            "美的电饭煲4L 白色",
            {"brand": ["Midea"], "size": ["4000 ml"], "volume": ["4000 ml"], "colour": ["white"]},
        ),
        (
            "男士纯棉短袖酒红色",
            {"gender": ["men"], "age_group": ["adult"], "material": ["cotton"], "colour": ["burgundy"]},
        ),
        ("男女同款运动鞋", {"gender": ["unisex"], "usage": ["sports"]}),
        ("美女系列抽纸12包装", {"pack_quantity": ["12 pieces"]}),
        ("", {}),
    ],
)  # fmt: skip
def test_attributes_of_titles(title: str, expected: dict[str, list[str]]) -> None:
    assert found(title) == expected


def test_own_fields_precede_the_title_and_the_title_precedes_the_description() -> None:
    values = found(
        "Nike red shoes",
        brand=" Puma ",
        attributes={"颜色": "白色", "size": "500ml"},
        description="Color: blue. Weight: 2 kg",
    )
    assert values == {"brand": ["Puma"], "colour": ["white"], "size": ["500 ml"], "volume": ["500 ml"]} | {
        "weight": ["2000 g"],
    }


STATEMENTS = (
    "Color: black", "Ideal for: Women", "Size: M", "RAM: 8 GB", "Made of linen", "Weight: 2 kg", "500 ml",
    "Occasion: casual", "Season: winter", "Screen size: 24 inches", "Power: 60 W", "Set of 2", "for kids",
)  # fmt: skip


@given(st.lists(st.sampled_from(STATEMENTS), max_size=6).map(". ".join))
def test_a_description_gives_only_attributes_of_known_precision(description: str) -> None:
    assert set(found("Thing", description=description)) <= set(DESCRIBED)


@pytest.mark.parametrize("brand", ["other/其他", "Regular", " ", "Black", "N/A"])
def test_a_brand_field_without_a_brand_is_ignored(brand: str) -> None:
    assert "brand" not in found("a plain thing", brand=brand)


def test_words_count_by_the_kind_of_product() -> None:
    """Cream is a color only if appearance matters, and food has neither color nor material."""
    product = ProductCreated(product_id="p", title="Cream red cotton candy, silk")
    values = [attribute.value for attribute in EXTRACTOR.extract(product)]
    assert values == ["cream", "red", "silk"]
    assert [attribute.value for attribute in EXTRACTOR.extract(product, has_appearance=False)] == [
        "red",
        "silk",
    ]
    assert EXTRACTOR.extract(product, is_food=True) == []


def test_the_words_of_a_brand_give_no_other_attribute() -> None:
    extractor = AttributeExtractor.shipped({"indigo nation": "Indigo Nation"}, 0.9)
    products = [
        ProductCreated(product_id="p", title="Indigo Nation white shirt"),
        ProductCreated(product_id="p", title="white shirt Red Tape", brand="Red Tape"),
    ]
    for product in products:
        colors = [item.value for item in extractor.extract(product) if item.name == "colour"]
        assert colors == ["white"]


def test_a_product_noun_implies_a_gender_only_if_no_word_states_one() -> None:
    assert found("", description="a lipstick")["gender"] == ["women"]
    assert found("", description="a lipstick, for men")["gender"] == ["men"]


def test_spans_of_a_chinese_title_are_attributes() -> None:
    product = ProductCreated(product_id="p", title="晨光中性笔0.5mm黑色学生用")
    span_matches = EXTRACTOR.match_spans([product])[0]
    values = {(item.name, item.value) for item in EXTRACTOR.extract(product, span_matches=span_matches)}
    assert values >= {("product", "中性笔"), ("colour", "black"), ("brand", "晨光")}
