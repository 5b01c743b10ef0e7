"""Quantities are told apart by their units and context; what is not the product's own is left out."""

import pytest

from models.attributes.extractor import AttributeExtractor
from models.attributes.quantities import find_quantities
from models.text.cleaning import fold
from schemas.events import ProductCreated

EXTRACTOR = AttributeExtractor.shipped({}, 0.95)


def quantities(text: str) -> dict[str, str]:
    return {item.name: f"{item.value} {item.unit or ''}".strip() for item in find_quantities(fold(text), 0.9)}


def described(description: str) -> dict[str, str]:
    product = ProductCreated(product_id="p", title="Thing", description=description)
    return {
        item.name: f"{item.value} {item.unit or ''}".strip()
        for item in EXTRACTOR.extract(product)
        if item.evidence.field == "description"
    }


def sized(value: str, kind: str) -> dict[str, str]:
    return {"size": value, kind: value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('2-in-1 laptop 13.3" 16GB RAM', sized("33.782 cm", "screen_size") | {"memory": "16 gb"}),
        ("5 in 1 hair styler", {}),
        ("3 in a box", {}),
        ("316L stainless steel bracelet", {}),
        ("Pump 1000L/H", {}),
        ("Cordless mower, cuts up to 85 m² per charge", {}),
        ("Hammock 180 kg load", {}),
        ("Shelf, holds 20 kg", {}),
        ("Bar with 20g protein", {}),
        ("3g of sugar", {}),
        ("iphone 3g leather case", {}),
        ("Tiffin Box Seal King 3G", {}),
        ("cabinet 26w x 24d x 63h", {}),
        ("25.5 x 15 x 8 cm", {"dimensions": "25.5 x 15 x 8 cm"}),
        ("Size: 25.50X15.00X8.00cm", {"dimensions": "25.5 x 15 x 8 cm"}),
        ('Mirror 10" W x 12" H', {"dimensions": "25.4 x 30.48 cm"}),
        ("10 x 20 mm and 30 x 40 mm", {}),
        ("2 lbs, 8 oz", sized("1133.98 g", "weight")),
        ("Board 6 ft 2 in", sized("187.96 cm", "length")),
        ("chains of 40cm, 45cm, and 50cm", {}),
        ("16.9 fl oz (500 ml)", sized("499.793 ml", "volume")),
        ("Sleeve for 13 inch laptop", {}),
        ("Pindia Apple Macbook Pro 13 13.3 inch clear", {}),
        ("Apple MacBook Pro 13.3 inch", sized("33.782 cm", "screen_size")),
        ("Book cover for tablet P690 8GB", {}),
        ("Laptop 8GB DDR4 512GB SSD", {"memory": "8 gb", "storage": "512 gb"}),
        ("Phone 128GB", {"storage": "128 gb"}),
        ("Power bank 10000mAh", {"battery": "10000 mah"}),
        ("Bulb 60W", {"power": "60 w"}),
        ("5-7 kg", {}),
        ("20 oz tumbler", {}),
        ("Shirts in sizes S, M and L", {}),
        ("superheroes come in all sizes, shapes", {}),
        ("Shirt size M", {"size": "M"}),
        ("Nut 12 pack", {"pack_quantity": "12 pieces"}),
        ("14 ct gold ring", {}),
    ],
)
def test_quantities_by_what_they_are(text: str, expected: dict[str, str]) -> None:
    assert quantities(text) == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Offers approx. 3g of protein.", {}),
        ("Superheroes come in all sizes, shapes and colours.", {}),
        ("Available in three chain lengths: 40cm, 45cm, and 50cm", {}),
        ("Goes with a 50 cm cushion, weighs 2 kg more.", {}),
        ("Size: 25.50X15.00X8.00cm", {"dimensions": "25.5 x 15 x 8 cm"}),
        ("Dimensions: 10 x 20 x 30 cm", {"dimensions": "10 x 20 x 30 cm"}),
        ("Package dimensions: 10 x 20 x 30 cm", {}),
        ("Weight: 2 kg", {"weight": "2000 g"}),
        ("Dimensions: 8cm x  8cm x 5cm", {"dimensions": "8 x 8 x 5 cm"}),
        ('Dimensions: 91 3 / 4" L x 64 3 / 4" W x 54" H', {}),
        ('Dimensions: 84"(66" + 1 x 18"leaf)W x 38"D x 30.5"H', {}),
        ("Net weight: 500 g", {"weight": "500 g"}),
        ("Size: 20 pounds", {"weight": "9071.85 g"}),
        ("Contents: 8 cakes. Weight: 2.5 lbs. each", {}),
        ("Size: M", {}),
        ("RAM: 8 GB", {}),
        ("Capacity: 29 L", {}),
        ("Container capacity: 25 lbs", {}),
        ("Weight: 2 kg\nWeight: 3 kg", {}),
        ("Sold as a pack of 6.", {"pack_quantity": "6 pieces"}),
        ("It comes in a 2-pack of 8-pound bags.", {}),
    ],
)
def test_quantities_of_descriptions_are_labeled(description: str, expected: dict[str, str]) -> None:
    assert described(description) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Size", "M", {"size": "M"}),
        ("Size", "38", {"size": "38"}),
        ("Size", "10 x 20 cm", {"dimensions": "10 x 20 cm"}),
        ("Net weight", "500 g", sized("500 g", "weight")),
        ("RAM", "8 GB", {"memory": "8 gb"}),
        ("Dimensions", "500 g", {}),
    ],
)
def test_quantities_of_own_fields(name: str, value: str, expected: dict[str, str]) -> None:
    product = ProductCreated(product_id="p", title="Thing", attributes={name: value})
    found = {item.name: f"{item.value} {item.unit or ''}".strip() for item in EXTRACTOR.extract(product)}
    assert found == expected
