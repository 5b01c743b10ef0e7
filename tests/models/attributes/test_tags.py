"""Tags: from the decided category, attributes and phrases; sorted, unique, stable."""

from hypothesis import given
from hypothesis import strategies as st

from models.attributes.extractor import AttributeExtractor
from models.attributes.tags import Tagger
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import fold
from schemas.events import Attribute, Evidence, ProductCreated, TagSource

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


def test_an_undecided_category_gives_no_tag() -> None:
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


def test_misleading_phrases_give_no_tag() -> None:
    assert TAGGER.tags(-1, 0.0, [], "baby carrots") == []


def test_a_negated_phrase_gives_no_tag() -> None:
    for text in ("not waterproof", "non-organic", "without bluetooth", "不防水", "非手工"):
        assert TAGGER.tags(-1, 0.0, [], text) == [], text
    assert [tag.name for tag in TAGGER.tags(-1, 0.0, [], "non-slip, non gmo")] == ["non gmo", "non slip"]


def test_only_normalized_values_and_confident_brands_are_tags() -> None:
    evidence = Evidence(field="title", start=0, end=1, text="x")

    def names(name: str, value: str, confidence: float) -> list[str]:
        attribute = Attribute(name=name, value=value, confidence=confidence, evidence=evidence)
        return [tag.name for tag in TAGGER.tags(-1, 0.0, [attribute], "")]

    assert names("colour", "starlight", 0.95) == []
    assert names("colour", "black", 0.7) == ["colour:black"]
    assert names("brand", "Nike", 0.95) == ["brand:nike"]
    assert names("brand", "Nike", 0.7) == []


EXTRACTOR = AttributeExtractor.shipped(
    {"nike": "Nike", "peter england": "Peter England", "美的": "Midea/美的"}, 0.95
)
TITLES = st.sampled_from(
    [
        ["nike", "women", "navy", "blue", "waterproof", "running", "shoes"],
        ["peter", "england", "men", "striped", "cotton", "slim", "fit", "shirt"],
        ["organic", "gluten", "free", "whole", "grain", "bread"],
        ["美的", "静音", "白色", "智能", "电饭煲"],
        ["男士", "纯棉", "长袖", "条纹", "酒红色", "衬衫"],
    ]
)
PROMOTIONS = st.lists(
    st.sampled_from(["NEW", "Sale", "Hot", "包邮", "正品", "官方"]), max_size=3, unique=True
)


def tag_names(title: str) -> set[str]:
    product = ProductCreated(product_id="p", title=title)
    span_matches = EXTRACTOR.match_spans([product])[0]
    attributes = EXTRACTOR.extract(product, span_matches=span_matches)
    return {tag.name for tag in TAGGER.tags(BEDS, 0.9, attributes, fold(title))}


@given(
    TITLES,
    PROMOTIONS,
    st.booleans(),
    st.sampled_from([" ", "  ", " - ", ", ", " / "]),
    st.sampled_from("un!."),
)
def test_case_spaces_punctuation_and_promotions_change_no_tag(
    words: list[str], promotions: list[str], before: bool, between: str, end: str
) -> None:
    """A title with promotional words, other case or punctuation has the tags of the plain title."""
    plain = tag_names(" ".join(words))
    edited = [*promotions, *words] if before else [*words, *promotions]
    text = between.join(edited)
    text = {"u": text.upper(), "n": text.title()}.get(end, text + end)
    assert tag_names(text) == plain
    assert len(plain) > 3
