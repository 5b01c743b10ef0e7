"""The model card of a span tagger: description and metrics as Markdown, rendered from its manifest."""

from models.attributes.span_artifact import Head, SpanManifest

_TEXT = """# Model card: {version}

## Description

A tagger for product nouns, brands, models, colors, functions and other phrases in Chinese titles. It has one
linear-chain CRF over characters for each of two annotation schemes. Each is a blend of a plain CRF and one
with gazetteers, trained with CRFsuite and served with numpy.

The features of a character are hashed: the character n-grams of one to four around it, its run of Latin
letters and digits with the run's shape, and where entries of {gazetteers} gazetteers begin, continue and end.
The gazetteers hold annotated phrases of training titles, Chinese names and synonyms of categories, brands,
and attribute values of shops. Weights are int8. English titles are not tagged.

Training command: `{command}`.

## Training data

| titles | |
| --- | ---: |
{titles}

JD's titles are split 80 / 10 / 10 by the hash of the title. Of Taobao, the published development part is the
test split; titles that are in both of its parts are not used for training. The rows carry no stated license
and are not part of the project. The model holds weights, and hashes of phrases of two to eight characters.
The data holds no personal data.

## Evaluation

Precision, recall and F1 of exact spans in the test titles: borders and kind must equal the annotation. The
plain CRF has the usual features (surrounding characters, pairs, triples and shapes) and the same training
titles.

{tables}
## Intended use and limits

JD's titles are of phone accessories, stationery, computers and small appliances, Taobao's of all kinds.
Kinds that only JD annotates (colour, function, style, audience) are untested on clothes, food and cosmetics.
A span's confidence is the precision of spans of its kind with a similar probability, on calibration titles
of the same source; on other titles it is too high. The annotation is inconsistent: `手机` is a product in one
title and part of one in another, so no tagger gets near 100%.
"""


def render_span_card(manifest: SpanManifest) -> str:
    """Render the card as Markdown."""
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
