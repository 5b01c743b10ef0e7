"""The model card of a trained student: description and metrics as Markdown, rendered from its manifest."""

import msgspec

from models.student.artifact import Manifest, Measurement
from models.taxonomy.tree import GOOGLE_VERSION
from models.training.student.config import TrainingConfig
from models.training.student.threshold_table import threshold_section

_CARD = """# Model card: {version}

## Description

The student of shelfstream's cascade. Its features are hashed words, word pairs and word pieces, and for
Chinese character n-grams of one to three characters. Each feature has an int8 vector of {dimensions} numbers.
The shrunk mean of the vectors times one matrix gives a logit for each of the {categories:,} categories of
{taxonomy}. {parts}It is served with onnxruntime on a CPU.

A label that is an inner category counts for its whole subtree. The temperature is {temperature}. The
thresholds of levels {levels} are {thresholds}. Below its threshold a category is not published: a
shallower one is published instead, or the product goes to review if level 1 is below its threshold too.

Training command: `{command}`, with {epochs} epochs and seed {seed}.{duration}

{choices}## Training data

{data}

The student was also trained on each category's names, path, translations and
synonyms{teacher}. Titles were
deduplicated within a shop and split 80 / 10 / 10 by the hash of their words, so titles that differ only in
numbers, punctuation or word order are in the same split. {rows}

## Evaluation

Accuracy is that of the most probable category of each level, over the texts whose label is that deep. ECE is
the expected calibration error of level 1 (15 bins). *Published* is the share of texts that are published
without a person. *Right* is the share of those whose published category is the label, an ancestor of the
label, or, for a coarse label, below it.

{cascade}

| held-out texts of known shops | model | texts | level 1 | level 2 | level 3 | ECE | published | right |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{known}

{unseen}{brand}

## Intended use and limits

{limits}"""

_GOOGLE_PARTS = "The model is trained with numpy. "
_OWN_PARTS = """The logits are
the sum of two parts: those of an embedding, trained on titles and on the categories' names, and the margins
of a linear support vector machine per category that has titles, with those of its ancestors. The weight of
the former was chosen on calibration titles. """
_GOOGLE_DURATION = """ Including the
runs for unseen shops it takes well under an hour on two cores."""
_REFIT = """ The served
model was trained on the calibration titles too, after they had determined weight, temperature and thresholds;
no model was trained on the test titles."""

_CASCADE = """\
*Cascade* is the student with pretrained text encoders as second stage. The encoders classify the texts that
the student is unsure of, unless most of a text's n-grams were seen in training titles."""
_ALONE = """\
The student is served alone: on the calibration titles it was better alone than with the text encoders, which
know nothing but the categories' names."""

_GOOGLE_BRAND = "Brands found at the start of held-out Flipkart titles are right in {precision:.1%}."
_OWN_BRAND = "The brand names are those of the shipped model. They were not measured on these titles."

_GOOGLE_ROWS = """The rows carry no
stated license and are not part of the project. They hold no personal data; the seller's identity is not
used."""

_OWN_ROWS = """The owner of
the rows decides how they may be used."""

_GOOGLE_LIMITS = """\
Good for new listings of the kinds of shops in the training data: fashion, groceries, an Indian general
marketplace. The model is fast and small. It makes no prediction for a text without a known word.

Weaker for departments that no training shop sells. There the student has only the categories' names and
synonyms and the words that encoders labeled, and it sometimes predicts a familiar department; the second
table shows how often. The synonyms were written by hand, by somebody who knew what kinds of shops these are
and had seen a few rows of each shop and some of its labels. The second table is therefore too optimistic, to
an unknown extent. Check a sample before you publish decisions for such a shop, and send corrections.

Chinese was trained on about 400 labeled titles of five departments, on names and synonyms, and on titles
that an encoder labeled, most of which are from the marketplace of the labeled ones.

The model has no word order beyond pairs: `case for phone` and `phone with case` are almost the same to it.
Titles with many product nouns get the most frequent one. Pictures and prices are not used. The text encoders
read descriptions if the title leaves the category unsure or consists of a name only; how well that works was
not measured.
"""

_OWN_LIMITS = """\
Good for new listings of the kinds in the training data; the tables show the accuracy on held-out titles. A
row with a few dozen texts is not reliable. Categories without training titles are predicted by their names
only. The model has no word order beyond pairs: `case for phone` and `phone with case` are almost the same to
it. Pictures and prices are not used; descriptions are read by the text encoders, if they are served too.
Check a sample before you publish decisions, and send corrections.
"""

_UNSEEN = """For each shop the training was repeated without it, and the model was evaluated on all of that
shop. The metrics show what to expect for a new shop whose products no training shop sells.

| unseen shops | model | texts | level 1 | level 2 | level 3 | ECE | published | right |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

"""


def render_card(manifest: Manifest, config: TrainingConfig) -> str:
    """Render the card as Markdown.

    Args:
        manifest: Manifest of the model.
        config: Config that the model was trained with.
    """
    known = [item for item in manifest.measurements if not item.name.startswith("unseen ")]
    unseen = [item for item in manifest.measurements if item.name.startswith("unseen ")]
    data = ["| data set | train | calibration | test |", "| --- | ---: | ---: | ---: |"]
    data += [f"| {d.name} | {d.train:,} | {d.calibration:,} | {d.test:,} |" for d in manifest.training_data]
    google = manifest.taxonomy_version == GOOGLE_VERSION
    refitted = manifest.threshold_choices is not msgspec.UNSET
    return _CARD.format(
        levels="1, 2, … and deeper" if refitted else "1, 2, 3 and deeper",
        parts=_OWN_PARTS if refitted else _GOOGLE_PARTS,
        duration=_REFIT if refitted else _GOOGLE_DURATION if google else "",
        choices=threshold_section(manifest),
        cascade=_ALONE if manifest.alone is True else _CASCADE,
        rows=_GOOGLE_ROWS if google else _OWN_ROWS,
        limits=_GOOGLE_LIMITS if google else _OWN_LIMITS,
        version=manifest.model_version,
        dimensions=next((t.shape[1] for t in manifest.tensors if t.name == "table"), config.dimensions),
        categories=len(manifest.labels),
        taxonomy=manifest.taxonomy_version,
        temperature=manifest.temperature,
        thresholds=", ".join(f"{value:.4f}" if refitted else f"{value:.2f}" for value in manifest.thresholds),
        command=manifest.command,
        epochs=config.epochs,
        seed=config.seed,
        data="\n".join(data),
        teacher=f", and on texts that pretrained encoders labeled:\n{manifest.teacher}"
        if manifest.teacher
        else "",
        known=_rows(known),
        unseen=_UNSEEN.format(rows=_rows(unseen))
        if unseen
        else "Unseen shops were not measured in this run.\n\n",
        brand=_GOOGLE_BRAND.format(precision=manifest.brand_precision) if google else _OWN_BRAND,
    )


def _rows(measurements: list[Measurement]) -> str:
    return "\n".join(
        f"| {item.name.removeprefix('unseen ')} | {'cascade' if item.cascade else 'student'} "
        f"| {item.texts:,} | "
        + " | ".join(f"{value:.1%}" for value in item.accuracy)
        + f" | {item.calibration_error:.1%} | {item.published:.1%} | {item.precision:.1%} |"
        for item in measurements
    )
