"""Training of the student: an embedding of features, averaged, and one matrix to a logit per category.

The model is fastText's (Joulin et al., 2016) with four changes: an exact softmax; a vocabulary without
collisions; kinship, as a category's vector is its own part plus those of its ancestors, so that one that no
product was seen of resembles its kin; and coarse labels: a label that is an inner category says only that the
product is somewhere below it, so its likelihood is the sum of the probabilities of its subtree. All in numpy.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.arrays import Floats
from models.student.seen_ngrams import seen_ngram_hashes
from models.taxonomy.tree import Taxonomy
from models.text.features import feature_hash, text_features
from models.training.data.corpus import Example

_LEAST_BATCH, _LEAST_STEPS = 32, 20
"""A pass over few examples has some 20 steps, in batches of 32 at least; in fewer steps, less is learnt."""


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of one training run.

    Attributes:
        dimensions: The width of the embedding.
        epochs: Passes over the examples.
        batch: Examples per step; fewer where there are few examples, or the steps were too few to learn.
        rate: Adagrad's learning rate at the start; it falls linearly to a tenth.
        dropout: The share of features hidden at each step, so that no shop's habit is relied upon alone.
        shrinkage: Added to the number of features that the sum is divided by: few features, little certainty.
        output_rate: The output matrix's learning rate relative to the table's.
        spread: The standard deviation of the parts of categories' vectors at the start.
        name_weight: How much an example made of a category's own name counts.
        word_weight: How much an example made of what the teacher knows of a word counts.
        unlabeled_weight: How much an example made of a title that nobody labeled counts.
        feedback_weight: How much an example made of a person's word on a product counts.
        rows: The most rows of the table, the empty row included.
        seed: Of every random choice.
    """

    dimensions: int = 64
    epochs: int = 5
    batch: int = 512
    rate: float = 0.25
    dropout: float = 0.4
    shrinkage: float = 8.0
    output_rate: float = 0.3
    spread: float = 1.0
    name_weight: float = 1.0
    word_weight: float = 1.0
    unlabeled_weight: float = 1.0
    feedback_weight: float = 5.0
    rows: int = 130_000
    seed: int = 20261122


@dataclass
class Student:
    """The trained numbers.

    Attributes:
        hashes: Shape [rows - 1], uint32: the feature of row 1, 2, ….
        table: Shape [rows, dimensions]; row 0 is zero.
        weights: Shape [dimensions, categories].
        bias: Shape [categories].
        shrinkage: As in the config.
        familiar: Hashes of what labeled titles say often: see `models.student.seen_ngrams`.
    """

    hashes: npt.NDArray[np.uint32]
    table: Floats
    weights: Floats
    bias: Floats
    shrinkage: float
    familiar: npt.NDArray[np.uint32]

    def hidden(self, counts: csr_matrix) -> Floats:
        """Shape [texts, dimensions]: the shrunk mean of each text's rows, `counts` being [texts, rows]."""
        sums = np.asarray(counts @ self.table, dtype=np.float32)
        totals = np.asarray(counts.sum(axis=1), dtype=np.float32)
        return np.asarray(sums / (totals + self.shrinkage), dtype=np.float32)

    def logits(self, counts: csr_matrix) -> Floats:
        """Shape [texts, categories]."""
        return np.asarray(self.hidden(counts) @ self.weights + self.bias, dtype=np.float32)


def build_vocabulary(
    features: Sequence[Sequence[str]], rows: int, certain: Collection[str] = frozenset()
) -> npt.NDArray[np.uint32]:
    """The hashes of the features worth a row: seen in enough texts, the most frequent first.

    Words and Chinese pieces need two texts, pairs three, pieces of words five, as these are many and vague.
    Those in `certain` need one.
    """
    seen = Counter(feature for text in features for feature in set(text))
    wanted = [
        feature for feature, count in seen.items() if feature in certain or count >= _texts_needed(feature)
    ]
    wanted.sort(key=lambda feature: (feature not in certain, -seen[feature], feature))
    hashes = dict.fromkeys(feature_hash(feature) for feature in wanted)
    return np.array(list(hashes)[: rows - 1], dtype=np.uint32)


def _texts_needed(feature: str) -> int:
    if " " in feature or feature.endswith("$"):
        return 3
    return 2 if feature[0] in "=~" or feature[0] >= "\u3040" else 5


def count_matrix(features: Sequence[Sequence[str]], hashes: npt.NDArray[np.uint32]) -> csr_matrix:
    """Shape [texts, rows]: how often each row's feature occurs in each text."""
    row_of = {int(value): row for row, value in enumerate(hashes, 1)}
    indices: list[int] = []
    starts = [0]
    for text in features:
        indices.extend(row for feature in text if (row := row_of.get(feature_hash(feature))) is not None)
        starts.append(len(indices))
    ones = np.ones(len(indices), dtype=np.float32)
    return csr_matrix((ones, np.array(indices), np.array(starts)), shape=(len(features), len(hashes) + 1))


def train(
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> Student:
    """Learn from the examples, whatever their split.

    Args:
        examples: What to learn.
        taxonomy: The label space.
        config: The settings.
        progress: Called after each step with its number, the number of steps, and the mean loss of late.
    """
    features = [text_features(example.text) for example in examples]
    # What the teacher says of a word it says once; it knows more words than the shops' titles have.
    certain = {f"={example.text}" for example in examples if example.kind == "word"}
    hashes = build_vocabulary(features, config.rows, certain)
    counts = count_matrix(features, hashes)
    run = _Run(counts, examples, taxonomy, config, hashes)
    steps = config.epochs * -(-len(examples) // run.batch)
    recent = 0.0
    for step, chosen in enumerate(run.batches(), 1):
        loss = run.step(chosen, config.rate * (1.0 - 0.9 * step / steps))
        recent = loss if step == 1 else 0.98 * recent + 0.02 * loss
        progress(step, steps, recent)
    return run.student


class _Run:
    """One training run: the student so far and Adagrad's sums of squares."""

    def __init__(
        self,
        counts: csr_matrix,
        examples: Sequence[Example],
        taxonomy: Taxonomy,
        config: TrainingConfig,
        hashes: npt.NDArray[np.uint32],
    ) -> None:
        self.config, self.counts = config, counts
        self.batch = min(config.batch, max(_LEAST_BATCH, len(examples) // _LEAST_STEPS))
        self.random = np.random.default_rng(config.seed)
        self.first = np.array([example.category for example in examples])
        self.last = taxonomy.ends[self.first]
        self.importance = np.array([example.weight for example in examples], dtype=np.float32)
        self.shares = probability_matrix(examples, len(taxonomy))
        shape = (config.dimensions, len(taxonomy))
        self.student = Student(
            hashes=hashes,
            # Zero, so that a feature that was never learnt says nothing.
            table=np.zeros((counts.shape[1], config.dimensions), dtype=np.float32),
            weights=np.zeros(shape, dtype=np.float32),
            bias=np.zeros(len(taxonomy), dtype=np.float32),
            shrinkage=config.shrinkage,
            familiar=seen_ngram_hashes(example.text for example in examples if example.labeled),
        )
        self.table_squares = np.full(counts.shape[1], 1e-6, dtype=np.float32)
        self.parts = self.random.normal(0.0, config.spread, shape).astype(np.float32)
        self.part_squares = np.full(shape, 1e-2, dtype=np.float32)
        self.bias_parts = np.zeros((1, len(taxonomy)), dtype=np.float32)
        self.bias_squares = np.full((1, len(taxonomy)), 1e-2, dtype=np.float32)
        self.ends = taxonomy.ends
        self.levels = [
            np.flatnonzero(taxonomy.levels == level) for level in range(2, taxonomy.lineage.shape[1] + 1)
        ]
        self.parents = np.array([node.parent for node in taxonomy.nodes])
        self._compose()

    def batches(self) -> Iterator[npt.NDArray[np.int64]]:
        """The examples' numbers, shuffled anew each epoch."""
        for _ in range(self.config.epochs):
            order = self.random.permutation(len(self.first))
            for start in range(0, len(order), self.batch):
                yield order[start : start + self.batch]

    def step(self, chosen: npt.NDArray[np.int64], rate: float) -> float:
        """One step of Adagrad on the chosen examples; returns their weighted mean loss."""
        counts = self.counts[chosen]
        counts.data = (self.random.random(len(counts.data)) >= self.config.dropout).astype(np.float32)
        used, columns = np.unique(counts.indices, return_inverse=True)
        counts = csr_matrix((counts.data, columns, counts.indptr), shape=(len(chosen), len(used)))
        scale = 1.0 / (np.asarray(counts.sum(axis=1), dtype=np.float32) + self.student.shrinkage)
        hidden = np.asarray(counts @ self.student.table[used], dtype=np.float32) * scale
        logits = hidden @ self.student.weights + self.student.bias
        loss, slope = subtree_loss(logits, self.first[chosen], self.last[chosen], self.shares[chosen])
        importance = self.importance[chosen][:, None]
        slope *= importance
        hidden_slope = (slope @ self.student.weights.T) * scale
        gradient = hidden.T @ slope / np.float32(len(chosen))
        self._move_output(gradient, slope.mean(axis=0, dtype=np.float32), rate)
        self._move_table(used, np.asarray(counts.T @ hidden_slope, dtype=np.float32), rate)
        return float((loss * importance[:, 0]).sum() / importance.sum())

    def _move_output(self, weights: Floats, bias: Floats, rate: float) -> None:
        """Adagrad on the parts: a part's slope is the sum of the slopes of the vectors in its subtree."""
        for parts, squares, slope in (
            (self.parts, self.part_squares, self._subtree(weights)),
            (self.bias_parts, self.bias_squares, self._subtree(bias[None])),
        ):
            squares += slope**2
            parts -= self.config.output_rate * rate * slope / np.sqrt(squares)
        self._compose()

    def _subtree(self, slopes: Floats) -> Floats:
        sums = np.zeros((slopes.shape[0], slopes.shape[1] + 1))
        np.cumsum(slopes, axis=1, dtype=np.float64, out=sums[:, 1:])
        return np.asarray(sums[:, self.ends] - sums[:, :-1], dtype=np.float32)

    def _compose(self) -> None:
        """Each category's vector and bias: its own part plus its parent's vector."""
        weights, bias = self.parts.copy(), self.bias_parts.copy()
        for level in self.levels:
            weights[:, level] += weights[:, self.parents[level]]
            bias[:, level] += bias[:, self.parents[level]]
        self.student.weights, self.student.bias = weights, bias[0]

    def _move_table(self, used: npt.NDArray[np.int32], slope: Floats, rate: float) -> None:
        self.table_squares[used] += (slope**2).mean(axis=1)
        self.student.table[used] -= rate * slope / np.sqrt(self.table_squares[used])[:, None]
        self.student.table[0] = 0.0


def probability_matrix(examples: Sequence[Example], categories: int) -> csr_matrix:
    """Shape [examples, categories]: the teacher's shares of each example; empty rows where a label counts."""
    starts = np.cumsum([0, *(len(example.shares) for example in examples)])
    pairs = [pair for example in examples for pair in example.shares]
    columns = np.array([column for column, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float32)
    return csr_matrix((values, columns, starts), shape=(len(examples), categories))


def subtree_loss(
    logits: Floats,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    shares: csr_matrix | None = None,
) -> tuple[Floats, Floats]:
    """The negative log of the probability of each text's label subtree `[first, last)`, and its gradient.

    Args:
        logits: Shape [texts, categories].
        first: Shape [texts]: the label's index.
        last: Shape [texts]: one past the last index of the label's subtree.
        shares: Shape [texts, categories]: where a row is not empty, the loss is the cross-entropy with it
            instead, and the label does not count (distillation: Hinton et al., 2015).

    Returns:
        The losses, shape [texts], and their slopes with respect to the logits, shape [texts, categories]:
        the softmax less the softmax restricted to the subtree, or less the shares.
    """
    slope = np.exp(logits - logits.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    losses = np.empty(len(logits), dtype=np.float32)
    for text, (start, end) in enumerate(zip(first, last, strict=True)):
        row = slice(*shares.indptr[text : text + 2]) if shares is not None else slice(0)
        if shares is not None and row.start < row.stop:
            columns, values = shares.indices[row], shares.data[row]
            losses[text] = -(values * np.log(np.maximum(slope[text, columns], 1e-12))).sum()
            slope[text, columns] -= values
            continue
        inside = slope[text, start:end]
        mass = max(float(inside.sum()), 1e-12)
        losses[text] = -np.log(mass)
        inside *= 1.0 - 1.0 / mass
    return losses, slope
