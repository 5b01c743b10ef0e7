"""Measures the classification of titles in nine languages.

Run: `python -m benchmarks.languages` for the scored half of the titles in nine languages that are in this
project. With `--learn`, the thresholds of each language are first learned on the other half and written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from models.arrays import Booleans, Floats
from models.enrichment.enricher import Enricher
from models.evaluation.language_titles import LanguageTitle, language_titles
from models.files.atomic_writes import write_atomically
from models.taxonomy.label_hierarchy import same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.zero_shot.language_classifier import NEVER, THRESHOLDS_FILE, read_thresholds
from models.zero_shot.language_names import LANGUAGES_BY_NAMES
from models.zero_shot.word_votes import LEVELS, WordVotes
from schemas.events import DecisionOutcome, ProductCreated

PRECISION = 0.98
"""The share that is right on the development titles above a threshold, so that 95% are right on others."""
LEAST_THRESHOLD = 0.9
LEAST_PUBLISHED = 20


@dataclass(frozen=True)
class LanguageScore:
    """What is published of a language's titles.

    Attributes:
        titles: The number of titles.
        likeliest: The share whose likeliest department and category of level 2 are right; without thresholds.
        published: The share that is published.
        right: The share of the published that is the label, above it or below it.
        deep: The share of titles that is published at level 2.
    """

    titles: int
    likeliest: tuple[float, float]
    published: float
    right: float
    deep: float


def learn_thresholds(titles: Sequence[LanguageTitle], taxonomy: Taxonomy) -> dict[str, list[float]]:
    """The thresholds of each language, learned on development titles."""
    found = {}
    for language in LANGUAGES_BY_NAMES:
        own = [each for each in titles if each.language == language and each.is_development]
        votes = WordVotes(taxonomy, language)
        rows = votes.probabilities([clean(each.title) for each in own])
        thresholds = []
        for level in range(LEVELS):
            keys = taxonomy.lineage[votes.categories, level]
            masses = np.stack(
                [rows[:, keys == key].sum(axis=1) for key in np.unique(keys[keys >= 0])], axis=1
            )
            best = np.unique(keys[keys >= 0])[masses.argmax(axis=1)]
            right = np.array(
                [same_or_ancestor(b, e.category, taxonomy) for b, e in zip(best, own, strict=True)]
            )
            thresholds.append(_threshold(masses.max(axis=1), right))
        found[language] = thresholds
    return found


def _threshold(confidences: Floats, right: Booleans) -> float:
    """The least confidence above which the share of right titles reaches `PRECISION`."""
    order = np.argsort(-confidences)
    for count in range(len(order), LEAST_PUBLISHED - 1, -1):
        if right[order[:count]].mean() >= PRECISION:
            return max(LEAST_THRESHOLD, float(np.ceil(confidences[order[count - 1]] * 1e4) / 1e4))
    return NEVER


def score(
    titles: Sequence[LanguageTitle], enricher: Enricher, *, is_given: bool
) -> tuple[dict[str, LanguageScore], list[tuple[LanguageTitle, str]]]:
    """Score the titles of the scored half.

    Args:
        titles: Titles of both halves.
        enricher: Decides as it serves.
        is_given: Whether the listings give their language.

    Returns:
        The score of each language, and the wrong titles with their published category.
    """
    taxonomy, found, wrong = enricher.taxonomy, {}, []
    for language in LANGUAGES_BY_NAMES:
        own = [each for each in titles if each.language == language and not each.is_development]
        enrichments = enricher.enrich(
            [
                ProductCreated(product_id=str(n), title=each.title, language=language if is_given else None)
                for n, each in enumerate(own)
            ]
        )
        published = right = deep = 0
        for each, enrichment in zip(own, enrichments, strict=True):
            if enrichment.decision.outcome is DecisionOutcome.ABSTAINED or enrichment.category is None:
                continue
            node = taxonomy.node(enrichment.category.id)
            published += 1
            deep += node.level >= LEVELS
            if same_or_ancestor(node.index, each.category, taxonomy):
                right += 1
            else:
                wrong.append((each, node.path))
        found[language] = LanguageScore(
            len(own),
            _likeliest(own, language, taxonomy),
            published / len(own),
            right / max(published, 1),
            deep / len(own),
        )
    return found, wrong


def _likeliest(titles: Sequence[LanguageTitle], language: str, taxonomy: Taxonomy) -> tuple[float, float]:
    votes = WordVotes(taxonomy, language)
    rows = votes.probabilities([clean(each.title) for each in titles])
    roots = taxonomy.lineage[votes.categories, 0]
    first = [np.bincount(roots, row).argmax() for row in rows]
    second = votes.categories[rows.argmax(axis=1)]
    labels = np.array([each.category for each in titles])
    right = taxonomy.lineage[labels, 0] == first
    exact = [same_or_ancestor(one, label, taxonomy) for one, label in zip(second, labels, strict=True)]
    return float(right.mean()), float((right & np.array(exact)).mean())


@click.command()
@click.option("--learn", is_flag=True, help="Learn the thresholds first and write them.")
@click.option("--wrong", "show", is_flag=True, help="Print the titles that are published wrongly.")
def main(*, learn: bool, show: bool) -> None:
    """Measure the classification of titles in nine languages."""
    console = Console(width=110)
    taxonomy = Taxonomy.google()
    titles = language_titles(taxonomy)
    if learn:
        lines = [
            "\t".join([language, *(f"{each:g}" for each in thresholds)])
            for language, thresholds in learn_thresholds(titles, taxonomy).items()
        ]
        header = "language\t" + "\t".join(f"level{level}" for level in range(1, LEVELS + 1))
        write_atomically(THRESHOLDS_FILE, "\n".join([header, *lines, ""]).encode())
        read_thresholds.cache_clear()
    enricher = Enricher.load()
    for is_given in (True, False):
        scores, wrong = score(titles, enricher, is_given=is_given)
        title = "language given" if is_given else "language detected"
        table = Table(
            "language", "titles", "level 1", "level 2", "published", "right", "at level 2", title=title
        )
        for language, each in scores.items():
            figures = (*each.likeliest, each.published, each.right, each.deep)
            table.add_row(language, str(each.titles), *(f"{figure:.1%}" for figure in figures))
        console.print(table)
        for labeled, path in wrong if show else ():
            console.print(f"{labeled.language}  {labeled.title}  ->  {path}")


if __name__ == "__main__":
    main()
