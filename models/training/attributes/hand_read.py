"""`python -m models.training.attributes.hand_read`: the precision of published attributes, read by hand.

`hand_read.tsv` holds one reader's verdict for each attribute of a sample of listings, drawn by
`python -m models.training.attributes.hand_read_draw`. Rows whose license allows it hold the text; the others
hold its digest, and count again where `--data` or `--listings` has the text.

Of an attribute with several readings, the rules were changed before the last one was begun.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.enrichment.category_metadata import has_appearance, is_food
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_chinese
from models.text.markup import plain_text
from models.training.data.corpus import read_rows
from models.training.spans.corpus import read_annotated
from schemas.codec import decode_product_created
from schemas.events import Attribute, ProductCreated

HAND_READ = Path(__file__).with_name("hand_read.tsv")
SOURCES = ("flipkart", "fashion_styles", "instacart", "openbg", "openbg_attributes")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A published value, and whether it is right.

    Attributes:
        reading: The number of the reading, from 1.
        field: `title`, `chinese_title` or `description`.
        attribute: Name of the attribute.
        value: The value with its unit.
        right: Whether the text says so of the product itself.
        digest: Digest of the text.
        department: The listing's department, which decides about words for colors and materials.
        text: The text, or empty where its license does not allow to keep it.
    """

    reading: int
    field: str
    attribute: str
    value: str
    right: bool
    digest: str
    department: str
    text: str


@dataclass(slots=True)
class Precision:
    """The counts of one attribute in one reading.

    Attributes:
        read: Number of values that were read.
        right: Number of them that are right.
        kept: Number of values, of texts at hand, that the present rules still publish.
        kept_right: Number of them that are right.
    """

    read: int = 0
    right: int = 0
    kept: int = 0
    kept_right: int = 0


def digest_of(text: str) -> str:
    """Return the digest by which a text is known."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def field_of(evidence: str, text: str) -> str:
    """Return the field under which a value is read: `chinese_title` for a title with Chinese characters.

    Args:
        evidence: The field of the attribute's evidence.
        text: The field's text.
    """
    return "chinese_title" if evidence == "title" and is_chinese(text) else evidence


def value_of(attribute: Attribute) -> str:
    """Return an attribute's value with its unit."""
    return f"{attribute.value} {attribute.unit}" if attribute.unit else attribute.value


def read_verdicts(path: Path = HAND_READ) -> list[Verdict]:
    """Read the verdicts."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return [
        Verdict(int(reading), field, name, value, right == "1", digest, department, text.replace("\\n", "\n"))
        for reading, field, name, value, right, _, digest, department, text in rows
    ]


def precisions(
    verdicts: Iterable[Verdict], extractor: AttributeExtractor, texts: dict[str, str]
) -> dict[tuple[str, str, int], Precision]:
    """Count the right values by field, attribute and reading.

    Args:
        verdicts: The verdicts.
        extractor: The present rules.
        texts: More texts by their digest.
    """
    counts: dict[tuple[str, str, int], Precision] = defaultdict(Precision)
    for verdict in verdicts:
        count = counts[verdict.field, verdict.attribute, verdict.reading]
        count.read += 1
        count.right += verdict.right
        text = verdict.text or texts.get(verdict.digest, "")
        if text and verdict.value in _published(extractor, verdict, text):
            count.kept += 1
            count.kept_right += verdict.right
    return dict(sorted(counts.items()))


def _published(extractor: AttributeExtractor, verdict: Verdict, text: str) -> list[str]:
    is_title = verdict.field != "description"
    product = ProductCreated(
        product_id="p", title=text if is_title else "-", description="" if is_title else text
    )
    spans = extractor.match_spans([product])[0] if verdict.field == "chinese_title" else ()
    found = extractor.extract(
        product,
        has_appearance=has_appearance(verdict.department),
        is_food=is_food(verdict.department),
        span_matches=spans,
    )
    return [value_of(item) for item in found if item.name == verdict.attribute]


def texts_of(data: Path | None, listings: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of the data folder and of JSON lines of product-created events."""
    if data is not None:
        for source in SOURCES:
            yield from (row["title"] for row in read_rows(data, source))
        yield from (title.text for title in read_annotated(data))
    for product in chain.from_iterable(map(products_of, listings)):
        yield from (plain_text(product.title), plain_text(product.description))


def products_of(path: Path) -> Iterator[ProductCreated]:
    """Yield the listings of JSON lines of product-created events."""
    with path.open("rb") as lines:
        yield from map(decode_product_created, lines)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Data folder.")
@click.option(
    "--listings",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines of product-created events. May be repeated.",
)
def main(data: Path | None, listings: Sequence[Path]) -> None:
    """Print the precision of each attribute, from titles and from descriptions."""
    artifact = Artifact.load(None, Taxonomy.google())
    brands = read_brands(artifact.path / "brands.tsv")
    extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
    texts = {digest_of(text): text for text in texts_of(data, listings) if text}
    table = Table("field", "attribute", "reading", title="Published attributes, read by hand")
    for column in ("read", "right", "precision", "still published", "right of them"):
        table.add_column(column, justify="right")
    for (field, name, reading), count in precisions(read_verdicts(), extractor, texts).items():
        share = f"{count.right / count.read:.1%}"
        table.add_row(
            field,
            name,
            str(reading),
            str(count.read),
            str(count.right),
            share,
            str(count.kept),
            str(count.kept_right),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
