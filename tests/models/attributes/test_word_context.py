"""Context: what a listing is not, what goes with it, and words for things give no attribute."""

import pytest

from models.attributes.extractor import AttributeExtractor
from schemas.events import ProductCreated

EXTRACTOR = AttributeExtractor.shipped({}, 0.95)


def values(name: str, title: str, description: str = "") -> list[str]:
    product = ProductCreated(product_id="p", title=title, description=description)
    return [attribute.value for attribute in EXTRACTOR.extract(product) if attribute.name == name]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Non-leather vegan belt", []),
        ("Leather-free wallet", []),
        ("Wallet without leather", []),
        ("Not leather, but canvas bag", ["canvas"]),
        ("Imitation leather shoulder bag", ["faux leather"]),
        ("Fake silk scarf", []),
        ("Genuine leather belt", ["leather"]),
        ("Wood effect wallpaper", []),
        ("Conditioner for leather", []),
        ("Steel bottle", ["steel"]),
        ("316L stainless steel bracelet", ["stainless steel"]),
    ],
)
def test_materials(title: str, expected: list[str]) -> None:
    assert values("material", title) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Eternal Rose Box", []),
        ("Straightening treatment for gray hair", []),
        ("Coffee table oak", []),
        ("Orange juice", []),
        ("Black pepper mill", []),
        ("Women's rose top", ["rose"]),
        ("Sofa, coffee", ["coffee brown"]),
        ("Grey hoodie", ["grey"]),
    ],
)
def test_colors(title: str, expected: list[str]) -> None:
    assert values("colour", title) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Brass fitting, male thread", []),
        ("USB cable male to female", []),
        ("Iron Man figure", []),
        ("Male grooming kit", ["men"]),
        ("T-shirt for men", ["men"]),
    ],
)
def test_genders(title: str, expected: list[str]) -> None:
    assert values("gender", title) == expected


@pytest.mark.parametrize(
    ("description", "name", "expected"),
    [
        ("Lace up and go. Part of our ambition to end plastic waste. No virgin polyester.", "material", []),
        ("Pair with a denim skirt.", "material", []),
        ("Pair with a denim skirt.", "gender", []),
        ("Looks good with black shoes.", "colour", []),
        ("Colour: black", "colour", ["black"]),
        ("Lining material: silk", "material", []),
        ("Material: linen, cotton", "material", ["linen", "cotton"]),
        ("Our shirt is made of linen.", "material", ["linen"]),
        ("60% cotton, 40% polyester", "material", ["cotton", "polyester"]),
        ("Material: PU / polyester lining", "material", ["faux leather"]),
        ("Material: mesh upper / rubber outsole", "material", []),
        ("Pot material: resin", "material", []),
        ("Fabric: art silk", "material", []),
        ("Ideal for: Women", "gender", []),
    ],
)
def test_a_description_gives_only_what_it_states(description: str, name: str, expected: list[str]) -> None:
    assert values(name, "Thing", description) == expected


def test_a_description_without_a_title_is_read_as_a_title() -> None:
    assert values("colour", " ", "black thing") == ["black"]
