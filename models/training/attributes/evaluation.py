"""`python -m models.training.attributes.evaluation --data DATA`: how well attributes are found.

English: fashion titles whose shop says gender, base colour, season and usage; the title alone is read, and
the first value found counts. Chinese: exact spans of the test titles of JD and Taobao, by the span tagger and
by word lists alone. With `--baseline` a plain CRF is trained and measured too (extra `train`, some minutes).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.span_tagger import SpanTagger
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from models.training.attributes.gold_titles import AttributeScore, read_gold, score_titles
from models.training.spans.corpus import KINDS, Marked, MarkedTitle, read_marked
from models.training.spans.scores import SpanScore, score_spans, tagger_scores
from schemas.events import ProductCreated

_KIND_OF = {"size": "specification", "pack_quantity": "specification"}


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Also write JSON there."
)
@click.option("--baseline", is_flag=True, help="Also train and measure a plain CRF.")
def main(data: Path, path: Path | None, baseline: bool) -> None:
    """Measure each attribute's precision, recall and F1 on titles that nobody learnt from."""
    artifact = Artifact.load(None, Taxonomy.google())
    brands = read_brands(artifact.path / "brands.tsv")
    extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
    gold = [title for title in read_gold(data) if title.split == "test"]
    english = score_titles(gold, lambda title: first_values(extractor, title))
    marked = read_marked(data)
    report: dict[str, Any] = {"english titles": english}
    console = Console()
    console.print(_table("Fashion titles", {"found in the title": english}))
    for source in KINDS:
        test = [title for title in marked if title.source == source and title.split == "test"]
        columns = {
            "span tagger": tagger_scores(marked, source, SpanTagger.load()),
            "word lists": word_scores(extractor, test, source),
        }
        if baseline:
            columns["plain CRF"] = _baseline(marked, source)
        report[source] = columns
        console.print(_table(f"{source}, {len(test):,} test titles", columns))
    if path is not None:
        plain = msgspec.to_builtins(report)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n")


def first_values(extractor: AttributeExtractor, title: str) -> dict[str, str]:
    """The first value of each attribute that an extractor finds in a title."""
    values: dict[str, str] = {}
    for attribute in extractor.extract(ProductCreated(product_id="title", title=title)):
        values.setdefault(attribute.name, attribute.value)
    return values


def word_scores(extractor: AttributeExtractor, titles: Sequence[MarkedTitle], source: str) -> list[SpanScore]:
    """How well word lists and patterns alone find exact spans."""
    found = [list(_word_spans(extractor, title.text)) for title in titles]
    return score_spans([title.spans for title in titles], found, KINDS[source])


def _word_spans(extractor: AttributeExtractor, text: str) -> Iterable[Marked]:
    for attribute in extractor.extract(ProductCreated(product_id="title", title=text)):
        evidence = attribute.evidence
        yield _KIND_OF.get(attribute.name, attribute.name), evidence.start, evidence.end


def _baseline(marked: Sequence[MarkedTitle], source: str) -> list[SpanScore]:
    from models.training.spans.crf import baseline_scores

    with TemporaryDirectory() as folder:
        return baseline_scores(marked, source, Path(folder) / "plain")


def _table(title: str, columns: Mapping[str, Sequence[SpanScore | AttributeScore]]) -> Table:
    table = Table(title=title)
    table.add_column("attribute")
    table.add_column("true", justify="right")
    for name in columns:
        table.add_column(f"{name}: precision, recall, F1", justify="right")
    for rows in zip(*columns.values(), strict=True):
        first = rows[0]
        name, true = (
            (first.kind, first.marked) if isinstance(first, SpanScore) else (first.name, first.titles)
        )
        shares = [f"{row.precision:.1%} {row.recall:.1%} {row.f1:.1%}" for row in rows]
        table.add_row(name, f"{true:,}", *shares)
    return table


if __name__ == "__main__":
    main()
