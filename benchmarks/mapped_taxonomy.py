"""Measures classification in Shopify's taxonomy: by the mapping to Google's, and by the names alone.

Run: `python -m benchmarks.mapped_taxonomy --data FOLDER`, where FOLDER holds `products/` and `mappings/` as
in training. The labels are Google's, so a title's label is Shopify's category for it. A decision is right if
it is the label, an ancestor of it, or a descendant of it. The student is trained on these shops; by the names
alone, Shopify's tree is one that nobody trained for.

*Finer* is the share of the published titles with a category below Google's. Of those among them whose shop's
own label names a category there (`Tshirts`), *named* is the share whose category is that one or below it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
import numpy as np

from benchmarks.zero_shot import level_hits
from models.arrays import Floats
from models.enrichment.serving_classifier import load_mapped_classifier
from models.student.artifact import Artifact
from models.student.classifier import Classifier
from models.taxonomy.files import SEPARATOR
from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.label_hierarchy import each_same_or_ancestor
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.training.data.corpus import SHOPS, products_of, read_shops
from models.zero_shot.classifier import ZeroShotClassifier
from models.zero_shot.name_match import names_in


class LabeledTitle(NamedTuple):
    """A title with its labels.

    Attributes:
        text: The cleaned title.
        google: The index of its label in Google's tree.
        own: The cleaned last name of the shop's own label.
    """

    text: str
    google: int
    own: str


def titles_of(data: Path, google: Taxonomy, shop: str) -> list[LabeledTitle]:
    """The distinct labeled titles of a shop."""
    own = {
        clean(title): clean(label.rpartition(SEPARATOR.strip())[2])
        for title, label, _ in products_of(data, shop)
    }
    return [
        LabeledTitle(each.text, each.category, own.get(each.text, ""))
        for each in read_shops(data, google, [shop])
        if each.kind == "title"
    ]


def measure(name: str, titles: Sequence[LabeledTitle], mapping: GoogleMapping, classifier: Classifier) -> str:
    """Classify titles and return their row of the table."""
    tree = mapping.taxonomy
    labels = mapping.heads[[each.google for each in titles]]
    texts = [each.text for each in titles]
    probabilities = np.concatenate(list(_probabilities(texts, classifier)))
    accuracy = [level_hits(probabilities, tree, labels, level)[0].mean() for level in (1, 2, 3)]
    results = classifier.classify(texts)
    sure = np.array([each.sure for each in results])
    chosen = np.array([each.category for each in results])
    right = each_same_or_ancestor(chosen[sure], labels[sure], tree)
    finer, named, agreeing = 0, 0, 0
    for row in np.flatnonzero(sure).tolist():
        found = _below_google(int(chosen[row]), mapping)
        finer += bool(found)
        wanted = [place for place in found if _names_one(titles[row].own, place, found, tree)]
        if wanted:
            named += 1
            agreeing += any(place <= chosen[row] < tree.ends[place] for place in wanted)
    cells = (
        name,
        f"{len(titles):,}",
        *(f"{each:.1%}" for each in accuracy),
        f"{sure.mean():.1%}",
        f"{right.mean():.1%}",
        f"{finer / max(1, int(sure.sum())):.1%}",
        f"{agreeing / named:.1%} of {named:,}" if named else "",
    )
    return f"| {' | '.join(cells)} |"


def _probabilities(texts: Sequence[str], classifier: Classifier) -> Iterator[Floats]:
    for start in range(0, len(texts), 64):
        yield classifier.probabilities(texts[start : start + 64])


def _below_google(category: int, mapping: GoogleMapping) -> list[int]:
    """The finer categories among which a published category was found; empty if it is not below Google's."""
    google_id = mapping.taxonomy.nodes[category].google_id
    if google_id is None or google_id not in mapping.google:
        return []
    finer = mapping.finer.get(mapping.google.node(google_id).index, [])
    return finer if category in finer else []


def _names_one(own: str, place: int, places: Sequence[int], tree: Taxonomy) -> bool:
    names = [clean(tree.nodes[each].name) for each in places]
    return bool(own) and names_in(own, names)[list(places).index(place)]


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--titles", default=1000, show_default=True, help="The maximum number of titles of each shop.")
@click.option("--seed", default=7, show_default=True)
@click.option("--names/--no-names", default=True, help="Whether to measure by the names alone, too.")
def main(data: Path, titles: int, seed: int, names: bool) -> None:
    """Print the table."""
    mapping = GoogleMapping(Taxonomy.google(), Taxonomy.shopify())
    classifiers: dict[str, Classifier] = {
        "by the mapping": load_mapped_classifier(Artifact.load(None, mapping.google), mapping)
    }
    if names:
        classifiers["by the names alone"] = ZeroShotClassifier.load(mapping.taxonomy)
    click.echo("| shop | titles | level 1 | level 2 | level 3 | published | right | finer | named |")
    click.echo(f"| --- |{' ---: |' * 8}")
    for shop in SHOPS:
        rows = titles_of(data, mapping.google, shop)
        chosen = Random(seed).sample(rows, min(titles, len(rows)))
        for way, classifier in classifiers.items():
            click.echo(measure(f"{shop}, {way}", chosen, mapping, classifier))


if __name__ == "__main__":
    main()
