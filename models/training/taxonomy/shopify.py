"""`python -m models.training.taxonomy.shopify FOLDER`: write the shipped edition of Shopify's taxonomy.

FOLDER holds Shopify's release as tables: `categories.tsv.gz` with the columns id, path and google_id, and
`category_names.tsv.gz` with the columns id and zh-CN. Shopify's ids, such as `aa-1-4`, become codes, because
events hold numbers. A code that the present edition has keeps its number; new ones get the next numbers. They
are far above Google's ids, so that a shop's Google id is not mistaken for one of them.
"""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from models.shipped import PRETRAINED

TARGET = PRETRAINED / "taxonomy" / "shopify" / "categories.tsv.gz"
_BEFORE_FIRST = 10_000_000
_HEADER = ("id", "code", "path", "google_id", "name:zh")


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a gzipped table with a header and tabs."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        columns = next(lines).rstrip("\n").split("\t")
        for line in lines:
            yield dict(zip(columns, line.rstrip("\n").split("\t"), strict=True))


def write_table(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Write a gzipped table, with the same bytes for the same rows."""
    text = "".join("\t".join(row) + "\n" for row in (header, *rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def numbered(codes: list[str], present: dict[str, int]) -> dict[str, int]:
    """A permanent number of each code.

    Args:
        codes: The codes of the new edition, in its order.
        present: The numbers of the codes of the present edition.
    """
    following = max(present.values(), default=_BEFORE_FIRST)
    numbers = {code: present[code] for code in codes if code in present}
    for code in codes:
        if code not in numbers:
            following += 1
            numbers[code] = following
    return numbers


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the shipped file from the tables in FOLDER."""
    present = {row["code"]: int(row["id"]) for row in read_table(TARGET)} if TARGET.exists() else {}
    categories = list(read_table(folder / "categories.tsv.gz"))
    chinese = {row["id"]: row["zh-CN"] for row in read_table(folder / "category_names.tsv.gz")}
    numbers = numbered([row["id"] for row in categories], present)
    rows = [
        (str(numbers[row["id"]]), row["id"], row["path"], row["google_id"], chinese.get(row["id"], ""))
        for row in categories
    ]
    write_table(TARGET, _HEADER, rows)
    click.echo(f"{TARGET}: {len(rows):,} categories, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
