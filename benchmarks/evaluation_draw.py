"""Draws the titles of UCI Online Retail (CC BY 4.0) that a person labels for the evaluation.

Run: `python -m benchmarks.evaluation_draw --data FOLDER`, where FOLDER holds
`behavior/online_retail_2010-12_2011-08.csv.gz`. It prints one title a line, deterministically.
`models/evaluation/data/gift_shop.tsv` contains the titles that could be labeled.
"""

import csv
import gzip
from pathlib import Path
from random import Random

import click

from benchmarks.affinity_recall import PRODUCT_CODE, TABLE
from models.text.cleaning import clean

SEED = 20261125
DRAWN = 330
_MIN_CHARACTERS = 4


def descriptions(path: Path) -> list[str]:
    """Return the distinct descriptions of sold products, sorted. Those with lower-case letters are notes."""
    first: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            title = " ".join(row["Description"].split())
            sale = float(row["Quantity"]) > 0 and PRODUCT_CODE.fullmatch(row["StockCode"])
            if sale and len(title) >= _MIN_CHARACTERS and not any(letter.islower() for letter in title):
                first.setdefault(clean(title), title)
    return sorted(first.values())


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The directory with behavior/.",
)
def main(data: Path) -> None:
    """Print the drawn titles."""
    titles = descriptions(data / TABLE)
    for title in Random(SEED).sample(titles, DRAWN):
        click.echo(title)


if __name__ == "__main__":
    main()
