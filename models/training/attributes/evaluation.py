"""`python -m models.training.attributes.evaluation --data DATA`: evaluate the extraction of attributes.

English: fashion titles whose shop states gender, base color, season and usage. Attributes are extracted from
the title only, and the first value of each counts. Chinese: exact spans in the test titles of JD and Taobao,
by the span tagger, by word lists only, and what is published. With `--baseline` a plain CRF is trained
and evaluated too (extra `train`, a few minutes).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
import orjson
from rich.console import Console
from rich.table import Table

from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.attributes.span_tagger import SpanTagger
from models.student.artifact import Artifact
from models.taxonomy.tree import Taxonomy
from models.training.attributes.gold_titles import AttributeScore, read_gold, score_titles
from models.training.spans.corpus import KINDS, AnnotatedSpan, AnnotatedTitle, read_annotated
from models.training.spans.scores import SpanScore, score_spans, tagger_scores
from schemas.events import Attribute, ProductCreated

_KIND_OF = {"size": "specification", "pack_quantity": "specification"}


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the scores to, as JSON.",
)
@click.option("--baseline", is_flag=True, help="Also train and evaluate a plain CRF.")
def main(data: Path, path: Path | None, baseline: bool) -> None:
    """Print precision, recall and F1 of each attribute on held-out titles."""
    artifact = Artifact.load(None, Taxonomy.google())
    brands = read_brands(artifact.path / "brands.tsv")
    extractor = AttributeExtractor.shipped(brands, artifact.manifest.brand_precision)
    gold = [title for title in read_gold(data) if title.split == "test"]
    english = score_titles(gold, lambda title: first_values(extractor, title))
    annotated = read_annotated(data)
    report: dict[str, Any] = {"english titles": english}
    console = Console()
    console.print(_table("Fashion titles", {"found in the title": english}))
    for source in KINDS:
        test = [title for title in annotated if title.source == source and title.split == "test"]
        columns = {
            "span tagger": tagger_scores(annotated, source, SpanTagger.load()),
            "word lists": word_scores(extractor, test, source),
            "published": published_scores(extractor, test, source),
        }
        if baseline:
            columns["plain CRF"] = _baseline(annotated, source)
        report[source] = columns
        console.print(_table(f"{source}, {len(test):,} test titles", columns))
    if path is not None:
        content = orjson.dumps(msgspec.to_builtins(report), option=orjson.OPT_INDENT_2)
        path.write_bytes(content + b"\n")


def first_values(extractor: AttributeExtractor, title: str) -> dict[str, str]:
    """Extract the first value of each attribute from a title."""
    values: dict[str, str] = {}
    for attribute in extractor.extract(ProductCreated(product_id="title", title=title)):
        values.setdefault(attribute.name, attribute.value)
    return values


def word_scores(
    extractor: AttributeExtractor, titles: Sequence[AnnotatedTitle], source: str
) -> list[SpanScore]:
    """Score word lists and patterns, without the span tagger, on exact spans."""
    found = [list(_word_spans(extractor, title.text)) for title in titles]
    return score_spans([title.spans for title in titles], found, KINDS[source])


def published_scores(
    extractor: AttributeExtractor, titles: Sequence[AnnotatedTitle], source: str
) -> list[SpanScore]:
    """Score what a worker publishes, from the span tagger and from word lists, on exact spans."""
    products = [ProductCreated(product_id="title", title=title.text) for title in titles]
    found = [
        [_span_of(item) for item in extractor.extract(product, span_matches=spans)]
        for product, spans in zip(products, extractor.match_spans(products), strict=True)
    ]
    return score_spans([title.spans for title in titles], found, KINDS[source])


def _span_of(attribute: Attribute) -> AnnotatedSpan:
    evidence = attribute.evidence
    return _KIND_OF.get(attribute.name, attribute.name), evidence.start, evidence.end


def _word_spans(extractor: AttributeExtractor, text: str) -> Iterable[AnnotatedSpan]:
    yield from map(_span_of, extractor.extract(ProductCreated(product_id="title", title=text)))


def _baseline(annotated: Sequence[AnnotatedTitle], source: str) -> list[SpanScore]:
    from models.training.spans.crf import baseline_scores

    with TemporaryDirectory() as folder:
        return baseline_scores(annotated, source, Path(folder) / "plain")


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
        cells = [f"{row.precision:.1%} {row.recall:.1%} {row.f1:.1%}" for row in rows]
        table.add_row(name, f"{true:,}", *cells)
    return table


if __name__ == "__main__":
    main()
