"""Promotions leave a title as classifiers read it, and names that begin like one stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.titles import own_titles
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.text.promotions import clean_title, promotion_phrases, without_promotions

TITLES = [each.title for each in own_titles(Taxonomy.google())]
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("NEW Nike Shoes!!", "nike shoes"),
        ("[SALE] Red Mug", "red mug"),
        ("Red Mug - FREE SHIPPING!!!", "red mug"),
        ("[NEW] [HOT] Mug [in stock] …", "mug"),
        ("50% OFF Summer Dress", "summer dress"),
        ("Nike [Official] Shoes", "nike shoes"),
        ("★★★ Best Seller ★★★ Yoga Mat", "yoga mat"),
        ("HOT! Jalapeno Chips", "jalapeno chips"),
        ("【包邮】新款女鞋 秋季", "女鞋 秋季"),
        ("☆新品☆ 手机壳 促销", "手机壳"),
        ("[Acme] Mug", "acme mug"),
    ],
)
def test_promotions_are_not_read(title: str, read: str) -> None:
    assert clean_title(title) == read


@pytest.mark.parametrize(
    "title",
    [
        "new balance m364 men shoes",
        "new york cheesecake",
        "hot sauce",
        "hot cocoa mix",
        "art nouveau lamp",
        "just in case tissues",
        "mug (pack of 2)",
        "authentic mexican salsa",
        "100% cotton shirt",
    ],
)
def test_names_stay(title: str) -> None:
    assert clean_title(title) == title


@pytest.mark.parametrize("title", ["new", "!!", "[sale]", "包邮", "", "😀"])
def test_promotions_alone_are_read(title: str) -> None:
    """They are all that the listing says, and no title becomes empty by this."""
    assert clean_title(title) == title


@given(ANY_TEXT)
def test_any_text_is_read(text: str) -> None:
    """Nothing raises, a letter or digit that was there is not lost altogether."""
    read = clean_title(text)
    assert any(map(str.isalnum, read)) == any(map(str.isalnum, clean(text)))
    assert len(read) <= len(clean(text))


@given(
    st.sampled_from(TITLES),
    st.lists(st.sampled_from(sorted(promotion_phrases()["promotion"])), max_size=3),
    st.lists(
        st.sampled_from(sorted(promotion_phrases()["marked"] | promotion_phrases()["promotion"])), max_size=3
    ),
    st.sampled_from(["", "!", "!!", " ***", "…"]),
)
def test_a_dressed_title_is_read_as_the_plain_one(
    title: str, before: list[str], bracketed: list[str], after: str
) -> None:
    dressed = " ".join([*before, *(f"[{each}]" for each in bracketed), title]) + after
    assert clean_title(dressed) == clean_title(title)


def test_most_plain_titles_are_read_as_they_are() -> None:
    """Only punctuation at their ends and square brackets may go."""
    changed = [title for title in map(clean, TITLES) if without_promotions(title) != title]
    assert len(changed) <= 0.02 * len(TITLES), changed
