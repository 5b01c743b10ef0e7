"""The controlled vocabulary: what a category cannot have is dropped, the rest gets ids."""

import pytest

from models.attributes.vocabulary import Vocabulary
from models.enrichment.enricher import Enricher
from models.taxonomy.tree import Taxonomy
from models.text.lexicon import shipped_lexicon
from models.training.taxonomy.vocabulary import reviewed_names
from schemas.events import Attribute, Evidence, ProductCreated

GOOGLE, SHOPIFY, VOCABULARY = Taxonomy.google(), Taxonomy.shopify(), Vocabulary.shipped()


def checked(tree: Taxonomy, path: str, name: str, value: str, field: str = "title") -> list[Attribute]:
    node = next(node for node in tree.nodes if node.path.endswith(path))
    evidence = Evidence(field=field, start=0, end=1, text="x")  # type: ignore[arg-type]
    given = Attribute(name=name, value=value, confidence=0.9, evidence=evidence)
    return VOCABULARY.checked([given], node, tree.version)


@pytest.mark.parametrize("tree", [GOOGLE, SHOPIFY])
@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("Garden Hoses", "gender", "men"),
        ("Drinkware > Mugs", "gender", "women"),
        ("Apparel & Accessories > Shoes", "material", "lace"),
        ("Clothing > Dresses", "material", "brass"),
        ("Home Decor > Home Fragrances", "material", "linen"),
    ],
)
def test_what_a_category_cannot_have_is_dropped(tree: Taxonomy, path: str, name: str, value: str) -> None:
    path = path.replace("Home Decor > ", "")
    assert checked(tree, path, name, value) == []
    # The shop's own field is no misreading.
    assert [each.value for each in checked(tree, path, name, value, "attributes")] == [value]


@pytest.mark.parametrize(
    ("path", "name", "value", "attribute", "identifier"),
    [
        (
            "Apparel & Accessories > Shoes",
            "material",
            "suede",
            "footwear_material",
            "footwear_material__suede",
        ),
        ("Apparel & Accessories > Shoes", "colour", "maroon", "color", "color__red"),
        ("Apparel & Accessories > Shoes", "gender", "girls", "target_gender", "target_gender__female"),
        ("Clothing > Dresses", "material", "faux leather", "fabric", "fabric__faux_leather"),
        ("Clothing > Dresses", "age_group", "kids", "age_group", "age_group__kids"),
    ],
)
def test_values_get_the_ids_of_their_category(
    path: str, name: str, value: str, attribute: str, identifier: str
) -> None:
    for tree in (GOOGLE, SHOPIFY):
        (found,) = checked(tree, path, name, value)
        assert found.mapped is not None
        assert (found.mapped.attribute, found.mapped.value) == (attribute, identifier)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("Luggage & Bags > Backpacks", "gender", "unisex"),  # shops divide bags although Shopify does not
        ("Clothing > Dresses", "material", "lace"),
        ("Electronics", "material", "aluminium"),  # no list of materials, and yet of metal
        ("Handbags", "material", "jute"),
        ("Clothing > Dresses", "usage", "party"),
    ],
)
def test_what_the_vocabulary_only_does_not_name_stays(path: str, name: str, value: str) -> None:
    (found,) = checked(GOOGLE, path, name, value)
    assert found.mapped is None


def test_an_unknown_tree_keeps_all() -> None:
    tree = Taxonomy("own", {1: ("Hoses",)}, {})
    (found,) = checked(tree, "Hoses", "gender", "men")
    assert found.mapped is None


def test_each_color_of_the_word_list_has_a_value() -> None:
    known = set(reviewed_names()["colour"])
    assert {*shipped_lexicon().values("colour")} - {"", *known} == {"metallic"}


def test_events_have_ids_and_no_impossible_tags() -> None:
    shoe, boot = Enricher.load().enrich(
        [
            ProductCreated(product_id="1", title="Red Tape Men's Formal Lace Black Shoe"),
            ProductCreated(product_id="2", title="Women's suede ankle boots, black"),
        ]
    )
    assert "material" not in {each.name for each in shoe.attributes}
    assert "material:lace" not in {tag.name for tag in shoe.tags}
    ids = {each.name: each.mapped.value for each in boot.attributes if each.mapped is not None}
    assert ids["colour"] == "color__black"
    assert ids["material"] == "footwear_material__suede"
    assert ids["gender"] == "target_gender__female"
