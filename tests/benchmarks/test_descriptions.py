"""The benchmark of descriptions computes its figures by the label hierarchy."""

from benchmarks.descriptions import measure, name_of
from models.evaluation.titles import LabeledTitle
from models.taxonomy.tree import Taxonomy
from schemas.events import DecisionOutcome, ProductCreated

TREE = Taxonomy("tiny-1", {1: ("Wear",), 2: ("Wear", "Shoes"), 3: ("Food",), 4: ("Food", "Milk")}, {})


class FakeEnrichment:
    """The parts of an enrichment that the benchmark reads."""

    def __init__(self, category: int | None, *, decided: bool) -> None:
        self.category = None if category is None else type("C", (), {"id": category})()
        outcome = DecisionOutcome.MODEL if decided else DecisionOutcome.ABSTAINED
        self.decision = type("D", (), {"outcome": outcome})()


class FixedEnricher:
    """Returns given enrichments."""

    def __init__(self, enrichments: list[FakeEnrichment]) -> None:
        self.enrichments = enrichments

    def enrich(self, products: list[ProductCreated]) -> list[FakeEnrichment]:
        return self.enrichments


def test_an_ancestor_of_the_label_is_correct_and_a_sibling_is_not() -> None:
    labels = [2, 2, 4, 4]
    titles = [LabeledTitle("t", TREE.node(number).index, "s", "s", "en") for number in labels]
    enrichments = [
        FakeEnrichment(1, decided=True),
        FakeEnrichment(4, decided=True),
        FakeEnrichment(3, decided=False),
        FakeEnrichment(None, decided=False),
    ]
    products = [ProductCreated(product_id="1", title="t")] * 4
    figures = measure(FixedEnricher(enrichments), titles, products, TREE)  # type: ignore[arg-type]
    assert figures == (0.5, 0.5, 0.5)


def test_a_name_is_a_word_or_two_characters() -> None:
    assert name_of(LabeledTitle("Blue mug", 0, "s", "s", "en")) == "Blue"
    assert name_of(LabeledTitle("紫砂茶壶", 0, "s", "s", "zh")) == "紫砂"
