"""`python -m models.training.attributes.hand_read_draw`: draw published attributes to read by hand.

Prints attributes for a reader to judge before rules are changed. Texts take turns by source, in the order of
their digests; texts with an even digest are left for developing rules.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path

import click

from models.enrichment.enricher import Enricher
from models.training.attributes.hand_read import (
    SOURCES,
    digest_of,
    field_of,
    products_of,
    read_verdicts,
    value_of,
)
from models.training.data.corpus import read_rows
from models.training.spans.corpus import read_annotated
from schemas.events import ProductCreated

_BATCH = 256
Row = tuple[str, str, str, str, str, str]


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Data folder.")
@click.option(
    "--listings",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines of product-created events; the file's name is the source. May be repeated.",
)
@click.option("--count", default=200, show_default=True, help="Rows of each attribute and field.")
def main(data: Path | None, listings: Sequence[Path], count: int) -> None:
    """Print attributes that were not read yet, with the texts."""
    sources: dict[str, list[ProductCreated]] = {path.stem: list(products_of(path)) for path in listings}
    if data is not None:
        for source in SOURCES:
            titles = sorted({row["title"] for row in read_rows(data, source)})
            sources[source] = [ProductCreated(product_id=source, title=title) for title in titles]
        for annotated in read_annotated(data):
            if annotated.split == "test":
                sources.setdefault(annotated.source, []).append(
                    ProductCreated(product_id=annotated.source, title=annotated.text)
                )
    known = {(verdict.attribute, verdict.value, verdict.digest) for verdict in read_verdicts()}
    for row in draw(Enricher.load(), sources, known, count):
        click.echo("\t".join(row))


def draw(
    enricher: Enricher,
    sources: Mapping[str, Sequence[ProductCreated]],
    known: set[tuple[str, str, str]],
    count: int,
) -> Iterator[Row]:
    """Draw attributes.

    Args:
        enricher: Publishes attributes.
        sources: Listings by their source.
        known: Attribute, value and digest of what was read before.
        count: The most rows of each attribute and field.

    Yields:
        Field, attribute, value, source, digest and text.
    """
    drawn: dict[tuple[str, str], list[list[Row]]] = defaultdict(list)
    for source, products in sources.items():
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in _published(enricher, source, products):
            if (row[1], row[2], row[4]) not in known and int(row[4][-1], 16) % 2:
                found[row[0], row[1]].append(row)
        for key, rows in found.items():
            drawn[key].append(sorted(rows, key=lambda row: row[4]))
    for _, columns in sorted(drawn.items()):
        turns = (row for row in chain.from_iterable(zip_longest(*columns)) if row is not None)
        yield from (row for row, _ in zip(turns, range(count), strict=False))


def _published(enricher: Enricher, source: str, products: Sequence[ProductCreated]) -> Iterator[Row]:
    for start in range(0, len(products), _BATCH):
        batch = products[start : start + _BATCH]
        for product, enrichment in zip(batch, enricher.enrich(batch), strict=True):
            for item in enrichment.attributes:
                if item.evidence.field in ("title", "description"):
                    text = product.title if item.evidence.field == "title" else product.description
                    flat = text.replace("\t", " ").replace("\r", " ").replace("\n", "\\n")
                    yield (
                        field_of(item.evidence.field, text),
                        item.name,
                        value_of(item),
                        source,
                        digest_of(text),
                        flat,
                    )


if __name__ == "__main__":
    main()
