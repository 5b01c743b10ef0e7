"""Traditional Chinese is read as simplified Chinese; simplified Chinese and Japanese stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enrichment.enricher import Enricher
from models.evaluation.titles import own_titles
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean, fold
from models.text.traditional_chinese import to_simplified
from schemas.events import ProductCreated


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("無線藍牙耳機 降噪", "无线蓝牙耳机 降噪"),
        ("兒童運動鞋 透氣", "儿童运动鞋 透气"),
        ("貓砂 10公斤", "猫砂 10公斤"),
        ("名著", "名著"),
        ("無線掃除機 コードレス", "無線掃除機 コードレス"),
        ("Espresso cups", "Espresso cups"),
    ],
)
def test_traditional_characters_become_simplified(traditional: str, simplified: str) -> None:
    assert to_simplified(traditional) == simplified
    assert clean(traditional) == clean(simplified)
    assert fold(traditional) == fold(simplified)


@given(st.text())
def test_length_is_kept_and_twice_is_once(text: str) -> None:
    once = to_simplified(text)
    assert len(once) == len(text)
    assert to_simplified(once) == once


def test_simplified_evaluation_titles_stay_as_they_are() -> None:
    titles = [each.title for each in own_titles(Taxonomy.google()) if each.language == "zh"]
    assert len(titles) > 100
    assert [to_simplified(title) for title in titles] == titles


def test_a_traditional_listing_is_decided_as_its_simplified_form() -> None:
    titles = ("無線藍牙耳機 降噪 黑色", "无线蓝牙耳机 降噪 黑色")
    one, other = Enricher.load().enrich([ProductCreated(product_id="p", title=title) for title in titles])
    assert one.category == other.category and one.category is not None
    assert one.category.path.startswith("Electronics > Audio")
    assert [each.name for each in one.attributes] == [each.name for each in other.attributes]
    for each in one.attributes:
        assert titles[0][each.evidence.start : each.evidence.end] == each.evidence.text
