"""Titles in nine languages: forms of words, compounds, thresholds, and what the enricher publishes."""

import numpy as np
import pytest

from models.enrichment.enricher import Enricher
from models.evaluation.language_titles import language_titles
from models.taxonomy.label_hierarchy import same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.zero_shot.language_classifier import LanguageClassifier, read_thresholds
from models.zero_shot.language_names import LANGUAGES_BY_NAMES
from models.zero_shot.word_forms import Term, find_terms, term_of
from models.zero_shot.word_votes import WordVotes
from schemas.events import DecisionOutcome, ProductCreated


@pytest.fixture(scope="module")
def google() -> Taxonomy:
    return Taxonomy.google()


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher.load()


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("de", "handtücher", "handtuch"),
        ("fr", "poupées", "poupee"),
        ("it", "scarpe", "scarpa"),
        ("es", "balones", "balón"),
        ("nl", "boeken", "boek"),
        ("pl", "skarpetki", "skarpetka"),
    ],
)
def test_forms_ignore_accents_and_plurals(language: str, one: str, other: str) -> None:
    assert term_of(one, language) == term_of(other, language)


def test_the_end_of_a_compound_is_the_product() -> None:
    known = {term_of("handtasche", "de"), term_of("leder", "de")}
    assert find_terms("damen lederhandtasche schwarz", "de", known, known) == [
        Term(term_of("handtasche", "de"), within=True)
    ]
    assert find_terms("버터플라이", "ko", {"버터"}, {"버터"}) == []


def test_the_longest_term_is_found_and_what_stands_beside_is_marked() -> None:
    known = {term_of(each, "fr") for each in ("machine", "machine à café", "tasse")}
    found = find_terms("machine à café avec tasse", "fr", known, set())
    assert found == [Term(term_of("machine à café", "fr")), Term(term_of("tasse", "fr"), beside=True)]


@pytest.mark.parametrize("language", LANGUAGES_BY_NAMES)
def test_probabilities_sum_to_one_for_any_text(language: str, google: Taxonomy) -> None:
    votes = WordVotes(google, language)
    titles = [each.title.lower() for each in language_titles(google) if each.language == language][:20]
    sums = votes.probabilities([*titles, "", "12345", "\ud800 !"]).sum(axis=1)
    assert np.all(np.isclose(sums, 1.0, atol=1e-4) | (sums == 0.0))
    assert sums[:20].sum() > 15 and not sums[20:].any()


def test_nothing_is_classified_below_the_threshold_or_in_another_tree(google: Taxonomy) -> None:
    title = "lederhandtasche damen"
    assert LanguageClassifier(google, {"de": (0.5, 0.5)}).classify(title, "de") is not None
    assert LanguageClassifier(google, {"de": (2.0, 2.0)}).classify(title, "de") is None
    assert LanguageClassifier(google, {}).classify(title, "de") is None
    assert LanguageClassifier(google).classify(title, "sv") is None
    own = Taxonomy("own-1", {1: ("Bags",), 2: ("Bags", "Handbags")}, {})
    assert LanguageClassifier(own, {"de": (0.5, 0.5)}).classify(title, "de") is None


def test_all_published_languages_have_thresholds() -> None:
    assert set(read_thresholds()) == set(LANGUAGES_BY_NAMES)
    assert all(least >= 0.9 for each in read_thresholds().values() for least in each)


@pytest.mark.parametrize(
    ("language", "title", "path"),
    [
        ("de", "Herren Winterjacke gefüttert dunkelgrün", "Apparel & Accessories"),
        ("fr", "Casserole et poêle en inox", "Home & Garden > Kitchen & Dining"),
        ("es", "Muñeca articulada con vestido", "Toys & Games > Toys"),
        ("ko", "여성 겨울 부츠", "Apparel & Accessories > Shoes"),
    ],
)
def test_a_listing_in_its_language_is_published(
    enricher: Enricher, language: str, title: str, path: str
) -> None:
    (found,) = enricher.enrich([ProductCreated(product_id="p", title=title, language=language)])
    assert found.category is not None and found.category.path == path
    assert found.decision.outcome is DecisionOutcome.MODEL and found.language == language


def test_unclear_titles_and_other_languages_are_not_supported(enricher: Enricher) -> None:
    titles = [("de", "Qualität die begeistert"), ("sv", "Vinterjacka för herrar")]
    found = enricher.enrich(
        [ProductCreated(product_id="p", title=title, language=language) for language, title in titles]
    )
    assert [each.review_reason for each in found] == [
        "language not supported: de",
        "language not supported: sv",
    ]
    assert [each.category for each in found] == [None, None]


def test_precision_of_what_is_published(enricher: Enricher) -> None:
    titles = [each for each in language_titles(enricher.taxonomy) if not each.is_development]
    found = enricher.enrich(
        [ProductCreated(product_id="p", title=each.title, language=each.language) for each in titles]
    )
    for language in LANGUAGES_BY_NAMES:
        right = [
            same_or_ancestor(enricher.taxonomy.node(one.category.id).index, each.category, enricher.taxonomy)
            for each, one in zip(titles, found, strict=True)
            if each.language == language and one.category is not None and one.review_reason is None
        ]
        assert len(right) >= 35 and np.mean(right) >= 0.95, language
