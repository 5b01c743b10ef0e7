"""Feedback decides a category, and the decision names the person."""

import msgspec
import pytest

from models.enrichment.enricher import Enricher
from schemas.errors import InvalidEvent
from schemas.events import (
    CategoryFeedback,
    DecisionOutcome,
    ProductCreated,
    ProductEnriched,
    Source,
    Verdict,
)
from streams.agents.feedback import corrected

SHOES, DOGS = 187, 5
SOURCE = Source(topic="category-feedback", partition=0, offset=1)


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher.load()


@pytest.fixture(scope="module")
def known(enricher: Enricher) -> ProductEnriched:
    """Shoes, as the model sees them."""
    listing = ProductCreated(product_id="p", title="Nike Men's Running Shoes Blue Size 10")
    return enricher.event(listing, enricher.enrich([listing])[0])


def word(verdict: Verdict, category_id: int | None = None, by: str = "") -> CategoryFeedback:
    return CategoryFeedback(product_id="p", verdict=verdict, category_id=category_id, by=by)


def test_accepting_makes_the_models_category_a_persons(enricher: Enricher, known: ProductEnriched) -> None:
    """The category stays, with the confidence 1."""
    event = corrected(known, word(Verdict.ACCEPT, by="Ann"), enricher, SOURCE)
    assert event.category is not None
    assert known.category is not None
    assert (event.category.id, event.category.path) == (SHOES, known.category.path)
    assert event.category.confidence == 1.0
    assert event.decision.outcome is DecisionOutcome.PERSON
    assert event.decision.why == f"Ann accepted {known.category.path}"


def test_accepting_may_name_what_is_accepted(enricher: Enricher, known: ProductEnriched) -> None:
    """The category that the person saw counts, even if the model has published another one since."""
    event = corrected(known, word(Verdict.ACCEPT, DOGS), enricher, SOURCE)
    assert event.category is not None
    assert event.category.id == DOGS


def test_correcting_chooses_another_category(enricher: Enricher, known: ProductEnriched) -> None:
    """Attributes, text and the model's alternatives stay. The source is the feedback's record."""
    event = corrected(known, word(Verdict.CORRECT, DOGS), enricher, SOURCE)
    assert event.category is not None
    assert known.category is not None
    assert event.category.id == DOGS
    assert event.category.path == enricher.taxonomy.node(DOGS).path
    assert event.category.alternatives == known.category.alternatives != []
    assert event.decision.why == f"a person chose {event.category.path}"
    kept = (event.attributes, event.title, event.embedding, event.model_version)
    assert kept == (known.attributes, known.title, known.embedding, known.model_version)
    assert event.source == SOURCE


def test_tags_follow_the_chosen_category(enricher: Enricher, known: ProductEnriched) -> None:
    """Tags of the old category are replaced by those of the new one. Tags from the text stay."""
    event = corrected(known, word(Verdict.CORRECT, DOGS), enricher, SOURCE)
    before, after = ({tag.name for tag in each.tags} for each in (known, event))
    assert {"shoes"} <= before - after
    assert {"dog supplies"} <= after - before
    assert {"colour:blue", "gender:men"} <= before & after


def test_a_product_may_be_corrected_before_it_is_listed(enricher: Enricher) -> None:
    """Feedback and listings arrive in any order."""
    event = corrected(None, word(Verdict.CORRECT, DOGS), enricher, SOURCE)
    assert event.category is not None
    assert (event.category.id, event.category.alternatives) == (DOGS, [])
    assert (event.model_version, event.title) == (enricher.model_version, "")
    assert "dog supplies" in {tag.name for tag in event.tags}


@pytest.mark.parametrize("published", [False, True])
def test_there_must_be_something_to_accept(
    enricher: Enricher, known: ProductEnriched, published: bool
) -> None:
    """Neither an unknown product nor one without a category can be accepted as it is."""
    without = msgspec.structs.replace(known, category=None) if published else None
    with pytest.raises(InvalidEvent) as refused:
        corrected(without, word(Verdict.ACCEPT), enricher, SOURCE)
    assert (refused.value.reason, refused.value.field) == ("nothing-to-accept", "$.verdict")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_category_that_does_not_exist_is_refused(
    enricher: Enricher, known: ProductEnriched, verdict: Verdict
) -> None:
    with pytest.raises(InvalidEvent, match=enricher.taxonomy_version) as refused:
        corrected(known, word(verdict, -1), enricher, SOURCE)
    assert (refused.value.reason, refused.value.field) == ("unknown-category", "$.category_id")


def test_a_published_category_that_the_taxonomy_dropped_cannot_be_accepted(
    enricher: Enricher, known: ProductEnriched
) -> None:
    """It was published with another taxonomy. The person must choose an existing category."""
    assert known.category is not None
    old = msgspec.structs.replace(known, category=msgspec.structs.replace(known.category, id=10**9))
    with pytest.raises(InvalidEvent) as refused:
        corrected(old, word(Verdict.ACCEPT), enricher, SOURCE)
    assert refused.value.reason == "unknown-category"
