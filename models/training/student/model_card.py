"""The model card: what a trained model is, in words and figures, written from its manifest."""

from models.student.artifact import Manifest, Measurement
from models.taxonomy.tree import GOOGLE_VERSION
from models.training.student.trainer import TrainingConfig

_HEAD = """# Model card: {version}

## What it is

The student of shelfstream's cascade: a bag of hashed words, pairs of words and pieces of words (for
Chinese: pieces of one to three characters), each with an int8 vector of {dimensions} numbers; their
shrunk mean times one matrix gives a logit for each of the {categories:,} categories of {taxonomy}.
Written with numpy, served with onnxruntime on a CPU. Labels that name an inner category count for its
whole subtree. Temperature {temperature}; a category is published at level 1, 2, 3 and deeper from a
probability of {thresholds}. Otherwise a shallower category is published, and if not even level 1 is
sure, the product goes to review.

Trained with `{command}`: {epochs} epochs, seed {seed}. With
the runs for unseen shops that takes well under an hour on two cores.

## What it learnt from

{data}

Besides, each category's own names and path in the tree's languages and synonyms where
there are some{teacher}. Titles were
deduplicated within a shop and split by the hash of their words, 80 / 10 / 10, so that titles which differ
in numbers, punctuation or the order of words are together. {rows}

## How well it does

Accuracy is of the likeliest category at each level, over texts whose label goes that deep. ECE is the
calibration error of level 1 (15 bins). *Published* is the share that the model decides alone, *right*
the share of those whose published category is the label or an ancestor of it (or below it where the
label itself is coarse).

*Cascade* is the student with pretrained encoders as second stage, which judge what the student doubts unless
it is mostly made of what labeled titles say.

| held-out texts of known shops | model | texts | level 1 | level 2 | level 3 | ECE | published | right |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{known}

{unseen}Brands found at the start of held-out Flipkart titles are right in {brand:.1%}.

## What it is good and bad at

{limits}"""

_GOOGLE_ROWS = """The rows themselves
carry no stated license and are not part of the project. No personal data is in them; the seller's
identity is not used."""

_OWN_ROWS = """What may be done with the
rows is for those to say who gave them."""

_GOOGLE_LIMITS = """\
Good at new listings of the kinds of shops it knows: fashion, groceries, an Indian general marketplace.
It is fast and small, and it says nothing about a text of which it knows no word.

Less good at departments that no training shop sells: there it has only the categories' names, their
synonyms, and what encoders say of single words, and sometimes takes a familiar department for an
unfamiliar one; the second table says how often. The synonyms were written by hand from general knowledge,
by somebody who knew what kinds of shops these are and had seen a few rows of each shop and some of its
labels: the second table flatters to an extent that nobody has measured. Look at a sample before you publish
its decisions for such a shop, and send corrections. Chinese rests on some 400 labeled titles of five
departments, on names and synonyms, and on what an encoder makes of titles without a label, most of which are
of the marketplace that the labeled ones are of. It reads words and not sentences:
`case for phone` and `phone with case` are much the same to it. Titles stuffed with many product nouns get
the commonest. It has no idea of pictures and prices. Descriptions the text encoders read, where the title
leaves the category unsure or is a mere name; no data at hand says how well.
"""

_OWN_LIMITS = """\
Good at new listings of the kinds that it was shown; the tables say how good, on titles that it did not
learn from. A table of a few dozen texts says little. Of categories without titles it knows the names, and
of words in neither titles nor names nothing. It reads words and not sentences: `case for phone` and
`phone with case` are much the same to it. It has no idea of pictures and prices; descriptions are read by the
text encoders, if they serve too. Look at a sample before you publish its decisions, and send corrections.
"""

_UNSEEN = """The same training without one shop, measured on all of that shop: what to expect of a
shop it has never seen, if that shop sells what no other training shop sells.

| unseen shops | model | texts | level 1 | level 2 | level 3 | ECE | published | right |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

"""


def render_card(manifest: Manifest, config: TrainingConfig) -> str:
    """The card as Markdown."""
    known = [item for item in manifest.measurements if not item.name.startswith("unseen ")]
    unseen = [item for item in manifest.measurements if item.name.startswith("unseen ")]
    data = ["| data set | train | calibration | test |", "| --- | ---: | ---: | ---: |"]
    data += [f"| {d.name} | {d.train:,} | {d.calibration:,} | {d.test:,} |" for d in manifest.training_data]
    google = manifest.taxonomy_version == GOOGLE_VERSION
    return _HEAD.format(
        rows=_GOOGLE_ROWS if google else _OWN_ROWS,
        limits=_GOOGLE_LIMITS if google else _OWN_LIMITS,
        version=manifest.model_version,
        dimensions=config.dimensions,
        categories=len(manifest.labels),
        taxonomy=manifest.taxonomy_version,
        temperature=manifest.temperature,
        thresholds=", ".join(f"{value:.2f}" for value in manifest.thresholds),
        command=manifest.command,
        epochs=config.epochs,
        seed=config.seed,
        data="\n".join(data),
        teacher=f", and what pretrained encoders make of texts without a label:\n{manifest.teacher}"
        if manifest.teacher
        else "",
        known=_rows(known),
        unseen=_UNSEEN.format(rows=_rows(unseen))
        if unseen
        else "Unseen shops were not measured in this run.\n\n",
        brand=manifest.brand_precision,
    )


def _rows(measurements: list[Measurement]) -> str:
    return "\n".join(
        f"| {item.name.removeprefix('unseen ')} | {'cascade' if item.cascade else 'student'} "
        f"| {item.texts:,} | "
        + " | ".join(f"{value:.1%}" for value in item.accuracy)
        + f" | {item.calibration_error:.1%} | {item.published:.1%} | {item.precision:.1%} |"
        for item in measurements
    )
