"""The benchmark of descriptions counts what it says it counts."""

from benchmarks.descriptions import measured, name_of
from models.evaluation.titles import LabeledTitle
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")}, {})


class Said:
    """An enrichment as far as it is looked at."""

    def __init__(self, category: int | None, *, sure: bool) -> None:
        self.category = None if category is None else type("C", (), {"id": category})()
        outcome = DecisionOutcome.MODEL if sure else DecisionOutcome.ABSTAINED
        self.decision = type("D", (), {"outcome": outcome})()


class Fixed:
    """Says what it was told to."""

    def __init__(self, said: list[Said]) -> None:
        self.said = said

    def enrich(self, products: list[ProductCreated]) -> list[Said]:
        return self.said


def test_what_is_above_the_label_is_right_and_what_is_beside_is_not() -> None:
    labels = [2, 2, 4, 4]
    titles = [LabeledTitle("t", TREE.node(number).index, "s", "s", "en") for number in labels]
    said = [Said(1, sure=True), Said(4, sure=True), Said(3, sure=False), Said(None, sure=False)]
    products = [ProductCreated(product_id="1", title="t")] * 4
    found = measured(Fixed(said), titles, products, TREE)  # type: ignore[arg-type]
    assert found == (0.5, 0.5, 0.5)


def test_a_name_is_a_word_or_two_characters() -> None:
    assert name_of(LabeledTitle("Blue mug", 0, "s", "s", "en")) == "Blue"
    assert name_of(LabeledTitle("紫砂茶壶", 0, "s", "s", "zh")) == "紫砂"
