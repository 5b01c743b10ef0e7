"""Linear-chain CRFs over characters, trained with CRFsuite: the baseline and the shipped one."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycrfsuite

from models.text.cleaning import fold
from models.training.spans.corpus import KINDS, AnnotatedSpan, AnnotatedTitle
from models.training.spans.scores import SpanScore, score_spans

L1, L2, ITERATIONS, PLAIN_ITERATIONS = 0.05, 0.05, 100, 120
_WINDOW = range(-2, 3)
_PAIRS = ((-2, -1), (-1, 0), (0, 1), (1, 2), (-1, 1))


def label_names(kinds: Sequence[str]) -> list[str]:
    """The BIO labels of a head, in the order of `models.attributes.span_decoding`."""
    return ["O", *(f"{part}-{kind}" for kind in kinds for part in "BI")]


def labels_of(title: AnnotatedTitle, kinds: Collection[str]) -> list[str]:
    """Compute the BIO label of each character of a title. Spans of other kinds are labeled `O`."""
    labels = ["O"] * len(title.text)
    for kind, start, end in title.spans:
        if kind in kinds:
            labels[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start - 1)
    return labels


def spans_of_labels(labels: Sequence[str]) -> list[AnnotatedSpan]:
    """Decode BIO labels to spans. An `I-` label without a beginning begins a span."""
    spans: list[AnnotatedSpan] = []
    start = -1
    for place, label in enumerate([*labels, "O"]):
        kind = labels[start][2:] if start >= 0 else ""
        if start >= 0 and label != f"I-{kind}":
            spans.append((kind, start, place))
            start = -1
        if label != "O" and start < 0:
            start = place
    return spans


def plain_features(text: str) -> list[list[str]]:
    """The baseline's features of each character: surrounding characters, pairs, triples and shapes."""
    folded = fold(text)
    shapes = [_shape(character) for character in folded]

    def at(place: int) -> str:
        return folded[place] if 0 <= place < len(folded) else "#"

    features = []
    for place in range(len(folded)):
        found = [f"{offset}:{at(place + offset)}" for offset in _WINDOW]
        found += [f"{a},{b}:{at(place + a)}{at(place + b)}" for a, b in _PAIRS]
        found += [f"3{offset}:" + "".join(at(place + offset + i) for i in range(3)) for offset in (-2, -1, 0)]
        around = "".join(shapes[max(0, place - 2) : place + 3])
        features.append([*found, f"s:{shapes[place]}", f"s5:{around}"])
    return features


def slot_features(slots: npt.NDArray[np.int64]) -> list[list[str]]:
    """Convert feature slots, shape [characters, columns], to CRFsuite's feature names `COLUMN:SLOT`."""
    return [[f"{column}:{slot}" for column, slot in enumerate(row)] for row in slots.tolist()]


def train_crf(
    examples: Iterable[tuple[list[list[str]], list[str]]], path: Path, iterations: int = ITERATIONS
) -> None:
    """Train a CRF and write it, unless the file exists already.

    Args:
        examples: Features and labels of each title's characters.
        path: File of the model.
        iterations: Maximum number of iterations.
    """
    if path.exists():
        return
    trainer = pycrfsuite.Trainer(verbose=False)
    for features, labels in examples:
        trainer.append(features, labels)
    trainer.set_params({"c1": L1, "c2": L2, "max_iterations": iterations})
    unfinished = path.with_suffix(".part")
    trainer.train(str(unfinished))
    unfinished.replace(path)


def tag_with_crf(path: Path, titles: Iterable[list[list[str]]]) -> list[list[AnnotatedSpan]]:
    """Tag titles, given by their features, with the model at `path`."""
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    return [spans_of_labels(tagger.tag(features)) for features in titles]


def baseline_scores(titles: Sequence[AnnotatedTitle], source: str, path: Path) -> list[SpanScore]:
    """Train the baseline CRF on a source's training titles, and score it on the test titles."""
    own = [title for title in titles if title.source == source]
    kinds = {kind for title in own for kind, _, _ in title.spans}
    train_crf(
        ((plain_features(title.text), labels_of(title, kinds)) for title in own if title.split == "train"),
        path,
        PLAIN_ITERATIONS,
    )
    test = [title for title in own if title.split == "test"]
    found = tag_with_crf(path, (plain_features(title.text) for title in test))
    return score_spans([title.spans for title in test], found, KINDS[source])


def _shape(character: str) -> str:
    if character.isdigit():
        return "9"
    if "a" <= character <= "z":
        return "a"
    return "c" if character >= "\u3400" and character.isalpha() else "-"
