"""A listing's result has the same bytes whatever stands beside it in its batch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoder.by_language import Encoders
from models.encoder.loading import load_second_stage
from models.enrichment.enricher import Enricher, Enrichment
from models.enrichment.serving_classifier import load_classifier
from models.evaluation.titles import own_titles
from models.serving_config import ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import Classifier
from models.taxonomy.tree import Taxonomy
from models.zero_shot.classifier import ZeroShotClassifier
from schemas.events import ProductCreated

GOOGLE = Taxonomy.google()
ARTIFACT = Artifact.load(None, GOOGLE)
TITLES = [each.title for each in own_titles(GOOGLE)[::11]]
LISTINGS = [
    ProductCreated(
        product_id=str(number),
        title=title,
        description=TITLES[-number] if number % 3 else "",
        brand="Acme" if number % 4 else "",
        attributes={"type": TITLES[number // 2]} if number % 5 == 0 else {},
    )
    for number, title in enumerate(TITLES)
]
ONE_BATCH = [list(range(len(TITLES)))]


@st.composite
def batches(draw: st.DrawFn) -> list[list[int]]:
    """The numbers of some listings, each once, in any order, split into batches."""
    order = draw(st.permutations(range(len(TITLES))))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1))))
    return [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def classifiers() -> dict[str, Classifier]:
    encoders = load_second_stage(GOOGLE, ServingConfig())
    assert isinstance(encoders, Encoders)
    return {
        "one thread": load_classifier(ARTIFACT, GOOGLE),
        "two threads": load_classifier(ARTIFACT, GOOGLE, ServingConfig(threads=2)),
        "numpy": load_classifier(ARTIFACT, GOOGLE, ServingConfig(backend="numpy")),
        "zero-shot": ZeroShotClassifier(GOOGLE, encoders),
    }


CLASSIFIERS = classifiers()


def enrichments(classifier: Classifier, split: list[list[int]]) -> dict[int, Enrichment]:
    # A new enricher has an empty cache.
    enricher = Enricher(classifier, ARTIFACT, GOOGLE)
    return {
        number: enrichment
        for batch in split
        for number, enrichment in zip(batch, enricher.enrich([LISTINGS[n] for n in batch]), strict=True)
    }


EXPECTED = enrichments(CLASSIFIERS["one thread"], ONE_BATCH)


@settings(deadline=None, max_examples=6)
@given(batches())
def test_a_listing_has_the_same_enrichment_in_any_batch(split: list[list[int]]) -> None:
    """Equal to the last digit: category, confidences, tags, reason and embedding."""
    assert enrichments(CLASSIFIERS["one thread"], split) == EXPECTED


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_have_the_same_bytes_in_any_batch(name: str) -> None:
    classifier = CLASSIFIERS[name]
    expected = classifier.probabilities(TITLES)

    @settings(deadline=None, max_examples=5)
    @given(batches())
    def check(split: list[list[int]]) -> None:
        for batch in split:
            found = classifier.probabilities([TITLES[number] for number in batch])
            assert found.tobytes() == expected[batch].tobytes()

    check()
