"""Training of the student: mean of feature embeddings, followed by one matrix to the categories' logits.

The model is fastText's (Joulin et al., 2016) with four changes, all in numpy:

- The softmax is exact.
- The vocabulary has no hash collisions.
- A category's output vector is the sum of its own vector and those of its ancestors. A category without
  training products thus resembles its parent and siblings.
- A label may be an inner category. Its likelihood is the sum of the probabilities of its subtree.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.arrays import Floats
from models.student.seen_ngrams import seen_ngram_hashes
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.progress import LossCallback, ignore_loss
from models.training.student.config import TrainingConfig
from models.training.student.loss import probability_matrix, subtree_loss
from models.training.student.student import Student, build_vocabulary, count_matrix

_MIN_BATCH, _MIN_STEPS = 32, 20
"""With few examples, an epoch has about 20 steps, in batches of at least 32: fewer steps learn less."""


def train(
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    progress: LossCallback = ignore_loss,
) -> Student:
    """Train a student on all of the examples, whatever their split.

    Args:
        examples: Training examples.
        taxonomy: Label space.
        config: Hyperparameters.
        progress: Called after each step.

    Returns:
        The trained student. The same examples and config give the same parameters.
    """
    features = [text_features(example.text) for example in examples]
    # The teacher labels each word once, and knows more words than the shops' titles have.
    always = {f"={example.text}" for example in examples if example.kind == "word"}
    hashes = build_vocabulary(features, config.rows, always)
    counts = count_matrix(features, hashes)
    run = _TrainingRun(counts, examples, taxonomy, config, hashes)
    steps = config.epochs * -(-len(examples) // run.batch)
    smoothed = 0.0
    for step, chosen in enumerate(run.batches(), 1):
        loss = run.step(chosen, config.rate * (1.0 - 0.9 * step / steps))
        smoothed = loss if step == 1 else 0.98 * smoothed + 0.02 * loss
        progress(step, steps, smoothed)
    return run.student


class _TrainingRun:
    """The student and the state of Adagrad during one training run."""

    def __init__(
        self,
        counts: csr_matrix,
        examples: Sequence[Example],
        taxonomy: Taxonomy,
        config: TrainingConfig,
        hashes: npt.NDArray[np.uint32],
    ) -> None:
        self.config, self.counts = config, counts
        self.batch = min(config.batch, max(_MIN_BATCH, len(examples) // _MIN_STEPS))
        self.random = np.random.default_rng(config.seed)
        self.first = np.array([example.category for example in examples])
        self.last = taxonomy.ends[self.first]
        self.importance = np.array([example.weight for example in examples], dtype=np.float32)
        self.probabilities = probability_matrix(examples, len(taxonomy))
        shape = (config.dimensions, len(taxonomy))
        self.student = Student(
            hashes=hashes,
            # Zero, so that a feature that is never updated has no effect.
            table=np.zeros((counts.shape[1], config.dimensions), dtype=np.float32),
            weights=np.zeros(shape, dtype=np.float32),
            bias=np.zeros(len(taxonomy), dtype=np.float32),
            shrinkage=config.shrinkage,
            seen_ngrams=seen_ngram_hashes(example.text for example in examples if example.labeled),
        )
        self.table_squares = np.full(counts.shape[1], 1e-6, dtype=np.float32)
        self.own_weights = self.random.normal(0.0, config.spread, shape).astype(np.float32)
        self.weight_squares = np.full(shape, 1e-2, dtype=np.float32)
        self.own_bias = np.zeros((1, len(taxonomy)), dtype=np.float32)
        self.bias_squares = np.full((1, len(taxonomy)), 1e-2, dtype=np.float32)
        self.ends = taxonomy.ends
        self.levels = [
            np.flatnonzero(taxonomy.levels == level) for level in range(2, taxonomy.lineage.shape[1] + 1)
        ]
        self.parents = np.array([node.parent for node in taxonomy.nodes])
        self._sum_ancestors()

    def batches(self) -> Iterator[npt.NDArray[np.int64]]:
        """Iterate over batches of example numbers, reshuffled in each epoch."""
        for _ in range(self.config.epochs):
            order = self.random.permutation(len(self.first))
            for start in range(0, len(order), self.batch):
                yield order[start : start + self.batch]

    def step(self, chosen: npt.NDArray[np.int64], rate: float) -> float:
        """Do one Adagrad step on a batch.

        Args:
            chosen: Numbers of the batch's examples, shape [batch].
            rate: Learning rate.

        Returns:
            Weighted mean loss of the batch before the step.
        """
        counts = self.counts[chosen]
        counts.data = (self.random.random(len(counts.data)) >= self.config.dropout).astype(np.float32)
        used, columns = np.unique(counts.indices, return_inverse=True)
        counts = csr_matrix((counts.data, columns, counts.indptr), shape=(len(chosen), len(used)))
        scale = 1.0 / (np.asarray(counts.sum(axis=1), dtype=np.float32) + self.student.shrinkage)
        hidden = np.asarray(counts @ self.student.table[used], dtype=np.float32) * scale
        logits = hidden @ self.student.weights + self.student.bias
        loss, gradient = subtree_loss(
            logits, self.first[chosen], self.last[chosen], self.probabilities[chosen]
        )
        importance = self.importance[chosen][:, None]
        gradient *= importance
        hidden_gradient = (gradient @ self.student.weights.T) * scale
        weight_gradient = hidden.T @ gradient / np.float32(len(chosen))
        self._update_output(weight_gradient, gradient.mean(axis=0, dtype=np.float32), rate)
        self._update_table(used, np.asarray(counts.T @ hidden_gradient, dtype=np.float32), rate)
        return float((loss * importance[:, 0]).sum() / importance.sum())

    def _update_output(self, weights: Floats, bias: Floats, rate: float) -> None:
        """Update the categories' own vectors. Their gradients are sums over the categories' subtrees."""
        for own, squares, gradient in (
            (self.own_weights, self.weight_squares, self._subtree_sums(weights)),
            (self.own_bias, self.bias_squares, self._subtree_sums(bias[None])),
        ):
            squares += gradient**2
            own -= self.config.output_rate * rate * gradient / np.sqrt(squares)
        self._sum_ancestors()

    def _subtree_sums(self, gradients: Floats) -> Floats:
        sums = np.zeros((gradients.shape[0], gradients.shape[1] + 1))
        np.cumsum(gradients, axis=1, dtype=np.float64, out=sums[:, 1:])
        return np.asarray(sums[:, self.ends] - sums[:, :-1], dtype=np.float32)

    def _sum_ancestors(self) -> None:
        """Set each category's output vector and bias: its own plus those of its ancestors."""
        weights, bias = self.own_weights.copy(), self.own_bias.copy()
        for level in self.levels:
            weights[:, level] += weights[:, self.parents[level]]
            bias[:, level] += bias[:, self.parents[level]]
        self.student.weights, self.student.bias = weights, bias[0]

    def _update_table(self, used: npt.NDArray[np.int32], gradient: Floats, rate: float) -> None:
        self.table_squares[used] += (gradient**2).mean(axis=1)
        self.student.table[used] -= rate * gradient / np.sqrt(self.table_squares[used])[:, None]
        self.student.table[0] = 0.0
