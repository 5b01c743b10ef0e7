"""Tags: from the decided category, attributes and phrases; sorted, unique, stable."""

from models.tags import Tagger
from models.taxonomy import Taxonomy
from schemas.events import Attribute, Evidence, TagSource

GOOGLE = Taxonomy.google()
TAGGER = Tagger.shipped(GOOGLE)
BLUE = Attribute(
    name="colour",
    value="navy blue",
    confidence=0.9,
    evidence=Evidence(field="title", start=0, end=4, text="navy"),
)
SIZE = Attribute(
    name="size", value="XL", confidence=0.9, evidence=Evidence(field="title", start=0, end=2, text="XL")
)
BEDS = GOOGLE.node(4434).index


def test_each_source_gives_its_tags_best_first() -> None:
    tags = TAGGER.tags(BEDS, 0.95, [BLUE, SIZE], "waterproof dog bed")
    assert [(tag.name, tag.source, tag.confidence) for tag in tags] == [
        ("dog beds", TagSource.CATEGORY, 0.95),
        ("dog supplies", TagSource.CATEGORY, 0.95),
        ("colour:navy blue", TagSource.ATTRIBUTE, 0.9),
        ("waterproof", TagSource.PHRASE, 0.9),
    ]


def test_an_undecided_category_tags_nothing() -> None:
    assert TAGGER.tags(-1, 0.4, [], "thing") == []


def test_a_department_alone_is_a_tag() -> None:
    assert [tag.name for tag in TAGGER.tags(int(GOOGLE.roots[0]), 0.9, [], "")] == ["animals & pet supplies"]


def test_small_edits_and_order_of_words_change_nothing() -> None:
    variants = ("organic gluten free bar", "gluten-free organic bar!", "bar, organic; gluten  free (new)")
    assert {tuple(tag.name for tag in TAGGER.tags(-1, 0.0, [], text)) for text in variants} == {
        ("gluten free", "organic")
    }


def test_synonyms_and_languages_share_a_name() -> None:
    names = {
        tag.name for text in ("bluetooth", "wireless", "无线耳机") for tag in TAGGER.tags(-1, 0.0, [], text)
    }
    assert names == {"wireless"}


def test_misleading_phrases_are_swallowed() -> None:
    assert TAGGER.tags(-1, 0.0, [], "baby carrots") == []
