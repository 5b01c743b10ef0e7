"""The shipped model on 130 titles written for this test, English and Chinese: no worse than it was."""

from pathlib import Path

import pytest

from models.enrichment.enricher import Enrichment
from models.taxonomy.tree import SEPARATOR
from schemas.events import DecisionOutcome, ProductCreated
from tests.support.shipped import shipped_enricher

ENRICHER = shipped_enricher()
ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "data" / "titles.tsv").read_text("utf-8").splitlines()
]


def enriched(language: str) -> list[tuple[Enrichment, str]]:
    rows = [row for row in ROWS[1:] if row[0] == language]
    products = [ProductCreated(product_id=str(number), title=row[1]) for number, row in enumerate(rows)]
    return [(found, row[2]) for found, row in zip(ENRICHER.enrich(products), rows, strict=True)]


def accuracy(language: str, level: int) -> float:
    """The share of titles whose likeliest candidate agrees with the label down to `level`."""
    hits = []
    for found, label in enriched(language):
        path = found.category.alternatives[0].path if found.category is not None else ""
        hits.append(path.split(SEPARATOR)[:level] == label.split(SEPARATOR)[:level])
    return sum(hits) / len(hits)


def published(language: str) -> tuple[float, float]:
    """The share that the model decides, and the precision at the depth that it chose."""
    rights = []
    for found, label in enriched(language):
        if found.decision.outcome is DecisionOutcome.MODEL and found.category is not None:
            chosen = found.category.path.split(SEPARATOR)[:2]
            rights.append(chosen == label.split(SEPARATOR)[: len(chosen)])
    return len(rights) / len(enriched(language)), sum(rights) / max(1, len(rights))


@pytest.mark.parametrize(
    ("language", "level", "least"), [("en", 1, 0.98), ("en", 2, 0.97), ("zh", 1, 0.94), ("zh", 2, 0.85)]
)
def test_accuracy_does_not_fall(language: str, level: int, least: float) -> None:
    assert accuracy(language, level) >= least


@pytest.mark.parametrize(("language", "coverage", "precision"), [("en", 0.88, 0.98), ("zh", 0.8, 0.93)])
def test_the_precision_of_published_categories(language: str, coverage: float, precision: float) -> None:
    covered, right = published(language)
    assert covered >= coverage
    assert right >= precision
