"""Two CRFs of a source as one: a weighted mean over the same hashed features, rounded to int8.

The plain CRF's features are among the other's, or nearly so: each of its weights goes to the slots whose
characters mostly have its feature in training titles.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycrfsuite

from models.attributes.span_artifact import SpanWeights
from models.training.spans.crf import label_names, plain_features

LEAST_WEIGHT = 0.05
"""Features none of whose weights is as great are left out."""
_PLAIN_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 22, 9, 10, 11, 23, 23)
"""For each of the plain features, the column of `models.attributes.span_features` that says the same."""

Rows = dict[int, dict[int, float]]
"""By slot, weights by label."""
Chain = tuple[Rows, npt.NDArray[np.float32]]
"""Weights, and transitions from label to label."""


def plain_slots(titles: Iterable[tuple[str, npt.NDArray[np.int64]]]) -> dict[str, list[int]]:
    """The slots of each plain feature: those of whose characters most have it.

    Args:
        titles: Texts, and the slots of their characters.
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
    """The weights of a CRF by slot, and its transitions.

    Args:
        path: CRFsuite's model.
        kinds: Its kinds.
        slots: Of a plain CRF's features, as `plain_slots` returns them; None where features are slots.
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


def blend(first: Chain, second: Chain, share: float) -> Chain:
    """One chain of two: `share` of the first's weights and the rest of the second's."""
    rows: Rows = {}
    for (weights, _), part in ((first, share), (second, 1.0 - share)):
        for slot, row in weights.items() if part else ():
            mixed = rows.setdefault(slot, {})
            for label, weight in row.items():
                mixed[label] = mixed.get(label, 0.0) + part * weight
    return rows, share * first[1] + np.float32(1.0 - share) * second[1]


def weights_of(heads: Mapping[str, Chain], masks: npt.NDArray[np.uint16]) -> SpanWeights:
    """The weights of all heads as one table, rounded to int8.

    Args:
        heads: Weights and transitions by head.
        masks: Which gazetteers hold an entry of each slot.
    """
    weights: Rows = {}
    column = 0
    for rows, transitions in heads.values():
        for slot, row in rows.items():
            if max(map(abs, row.values())) >= LEAST_WEIGHT:
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
