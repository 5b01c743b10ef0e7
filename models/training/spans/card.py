"""The card of a span tagger: what it is, in words and figures, written from its manifest."""

from models.attributes.span_artifact import Head, SpanManifest

_TEXT = """# Model card: {version}

## What it is

What finds product nouns, brands, models, colours, functions and other phrases in Chinese titles: a linear
chain (CRF) over characters for each of two ways of marking. Each is a blend of a plain CRF and one with
gazetteers, trained by CRFsuite, and served with numpy. A character's features are hashed: the pieces of one
to four characters around it, its run of Latin letters and digits and that run's shape, and where entries of
{gazetteers} gazetteers begin, go on and end: phrases that people marked in training titles, Chinese names and
synonyms of categories, brands and values of shops' attributes. Weights are rounded to int8. English titles
are not read.

Made by `{command}`.

## What it learnt from

| titles | |
| --- | ---: |
{titles}

JD's titles are split by the hash of the title, 80 / 10 / 10. Of Taobao, the published development part is
the test; the titles that stand in both of its parts do not count as training. The rows carry no stated
license, and none is part of the project: what ships are weights, and hashes of phrases of two to eight
characters. No personal data is in them.

## How well it does

Exact spans of the test titles: borders and kind must be those that people marked. The plain CRF has the
usual features (characters, pairs and triples around, shapes) and learnt from the same titles.

{tables}
## What it is good and bad at

JD's titles are of phone accessories, stationery, computers and small appliances, Taobao's of everything:
kinds that only JD marks (colour, function, style, audience) are untested on clothes, food and cosmetics.
A span's confidence is the share right of spans of its kind of which the chain was as sure, on calibration
titles of the same source; elsewhere it is lower. People mark inconsistently: `手机` is a product here and
part of one there, so that no tagger gets near 100%.
"""


def render_span_card(manifest: SpanManifest) -> str:
    """The card as Markdown."""
    return _TEXT.format(
        version=manifest.version,
        gazetteers=manifest.gazetteers,
        command=manifest.command,
        titles="\n".join(f"| {name} | {count:,} |" for name, count in manifest.titles.items()),
        tables="\n".join(map(_table, manifest.heads)),
    )


def _table(head: Head) -> str:
    rows = "\n".join(
        f"| {item.kind} | {item.marked:,} | {item.precision:.1%} | {item.recall:.1%} "
        f"| {item.f1:.1%} | {item.baseline_f1:.1%} |"
        for item in head.measurements
    )
    return (
        f"| {head.name} | marked | precision | recall | F1 | F1 of the plain CRF |\n"
        f"| --- | ---: | ---: | ---: | ---: | ---: |\n{rows}\n"
    )
