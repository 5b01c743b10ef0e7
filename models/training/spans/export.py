"""Export of the CRFs: the two CRFs of a source are blended over the same hashed features, then quantized.

Nearly every feature of the plain CRF corresponds to one of the other CRF. Each of its weights is assigned to
the slots whose characters mostly have that feature in training titles.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycrfsuite

from models.attributes.span_artifact import SpanWeights
from models.training.spans.crf import label_names, plain_features

MIN_WEIGHT = 0.05
"""Features whose weights are all smaller in magnitude are left out."""
_PLAIN_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 22, 9, 10, 11, 23, 23)
"""The column of `models.attributes.span_features` that corresponds to each plain feature."""

Rows = dict[int, dict[int, float]]
"""Weights by label, by slot."""
Chain = tuple[Rows, npt.NDArray[np.float32]]
"""A CRF: weights, and transitions from label to label, shape [labels, labels]."""


def plain_slots(titles: Iterable[tuple[str, npt.NDArray[np.int64]]]) -> dict[str, list[int]]:
    """Assign slots to the plain features: a slot goes to the feature that most of its characters have.

    Args:
        titles: Texts, and the slots of their characters, shape [characters, columns].

    Returns:
        Slots by plain feature.
    """
    counts: dict[tuple[int, int], Counter[str]] = {}
    for text, slots in titles:
        for features, row in zip(plain_features(text), slots.tolist(), strict=True):
            for place, (feature, column) in enumerate(zip(features, _PLAIN_COLUMNS, strict=True)):
                counts.setdefault((place, row[column]), Counter())[feature] += 1
    found: dict[str, list[int]] = {}
    for (_, slot), features_there in counts.items():
        found.setdefault(features_there.most_common(1)[0][0], []).append(slot)
    return found


def read_rows_of(path: Path, kinds: Sequence[str], slots: Mapping[str, Sequence[int]] | None = None) -> Chain:
    """Read the weights of a CRF by slot, and its transitions.

    Args:
        path: Model file of CRFsuite.
        kinds: Span kinds of the CRF.
        slots: Slots of a plain CRF's features, from `plain_slots`; None if the features are slots.
    """
    number = {name: place for place, name in enumerate(label_names(kinds))}
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    dump = tagger.info()
    transitions = np.zeros((len(number), len(number)), dtype=np.float32)
    for (before, after), weight in dump.transitions.items():
        transitions[number[before], number[after]] = weight
    rows: Rows = {}
    for (name, label), weight in dump.state_features.items():
        for slot in (int(name.partition(":")[2]),) if slots is None else slots.get(name, ()):
            row = rows.setdefault(slot, {})
            row[number[label]] = row.get(number[label], 0.0) + weight
    return rows, transitions


def blend(first: Chain, second: Chain, weight: float) -> Chain:
    """Compute the weighted mean of two CRFs.

    Args:
        first: CRF with weight `weight`.
        second: CRF with weight `1 - weight`.
        weight: Weight in [0, 1].
    """
    rows: Rows = {}
    for (weights, _), factor in ((first, weight), (second, 1.0 - weight)):
        for slot, row in weights.items() if factor else ():
            mixed = rows.setdefault(slot, {})
            for label, value in row.items():
                mixed[label] = mixed.get(label, 0.0) + factor * value
    return rows, weight * first[1] + np.float32(1.0 - weight) * second[1]


def weights_of(heads: Mapping[str, Chain], masks: npt.NDArray[np.uint16]) -> SpanWeights:
    """Join the weights of all heads in one int8 table.

    Args:
        heads: CRF of each head.
        masks: Gazetteers that have an entry in each slot, as bits, shape [2 ** SLOT_BITS].
    """
    weights: Rows = {}
    column = 0
    for rows, transitions in heads.values():
        for slot, row in rows.items():
            if max(map(abs, row.values())) >= MIN_WEIGHT:
                weights.setdefault(slot, {}).update({column + label: value for label, value in row.items()})
        column += len(transitions)
    kept = sorted(weights)
    table = np.zeros((len(kept), column), dtype=np.float64)
    for place, slot in enumerate(kept):
        table[place, list(weights[slot])] = list(weights[slot].values())
    scale = float(np.abs(table).max()) / 127.0
    entries = np.flatnonzero(masks).astype(np.uint32)
    return SpanWeights(
        np.array(kept, dtype=np.uint32),
        np.rint(table / scale).astype(np.int8),
        scale,
        {head: transitions for head, (_, transitions) in heads.items()},
        entries,
        masks[entries],
    )
