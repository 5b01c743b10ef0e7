"""Training with differential privacy: a student of public texts, adjusted to the shops' titles by DP-SGD.

The student's table and output matrix are trained on public texts: the categories' names and synonyms, and
words that a teacher labeled. The shops' labeled titles then train one more matrix, from the hidden vectors to
the categories of the first levels; deeper categories inherit the adjustment. That matrix is trained by DP-SGD
(Abadi et al., "Deep Learning with Differential Privacy", 2016). It is linear, so it is added to the student's
output matrix: the artifact has the usual form, and serving does not change.

The guarantee protects one labeled title of one shop, added or removed. Nothing else of the shops is in the
model: no vocabulary, brand names, temperature, thresholds or drift histograms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.progress import LossCallback, ProgressCallback, loss_reporter
from models.training.student.config import TrainingConfig
from models.training.student.student import Student, count_matrix
from models.training.student.trainer import train

_ROWS = 4096
_BLOCK = 512


@dataclass(frozen=True)
class Privacy:
    """The privacy guarantee and the hyperparameters of DP-SGD.

    Attributes:
        epsilon: Privacy budget. Infinite for no noise, to measure the cost of the noise.
        delta: Probability that the budget does not hold; far below 1 / number of titles.
        epochs: Expected passes over the titles.
        batch: Expected titles per step. Each title is drawn independently (Poisson sampling).
        rate: Learning rate at the start. It falls linearly to a tenth.
        clip: Maximum norm of a title's gradient.
        levels: Number of taxonomy levels that are adjusted. Deeper categories inherit the adjustment.
        seed: Seed of sampling and noise. None for a secret random seed: whoever knows the seed can subtract
            the noise.
    """

    epsilon: float
    delta: float = 1e-6
    epochs: int = 10
    batch: int = 2048
    rate: float = 8.0
    clip: float = 1.0
    levels: int = 3
    seed: int | None = None


@dataclass(frozen=True)
class HeadTask:
    """The input of DP-SGD.

    Categories that are shifted by the same amount form a *group*: a category of the deepest shifted level
    with everything below it, or a single category above that level. Probabilities within a group do not
    change. A softmax over groups, with the log-sum-exp of each group's logits, therefore has the same
    gradients as the softmax over all categories.

    Attributes:
        hidden: Scaled hidden vectors of the titles, shape [titles, dimensions].
        offsets: Logit of each group without a shift, shape [titles, groups].
        first: First group of the label's subtree, shape [titles].
        last: One past the last group of the label's subtree, shape [titles].
        lineage: Groups whose shifts add up to each group's shift, shape [groups, levels]. The number of
            groups stands for none.
    """

    hidden: Floats
    offsets: Floats
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    lineage: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """The trained shifts.

    Attributes:
        weights: Matrix from hidden vectors to shifts, shape [dimensions, groups].
        bias: Bias of the shifts, shape [groups].
        epsilon: Privacy budget that was spent.
    """

    weights: Floats
    bias: Floats
    epsilon: float


TrainHead = Callable[[HeadTask, Privacy, LossCallback], Head]
"""Trains the shifts within the privacy budget."""


@dataclass(frozen=True)
class PrivateTraining:
    """How to train with privacy.

    Attributes:
        privacy: Guarantee and hyperparameters.
        train_head: Training algorithm that keeps the guarantee: `models.training.private.dp_sgd.train_head`.
    """

    privacy: Privacy
    train_head: TrainHead


_SECTION = """
## Privacy

The vocabulary and the word vectors are trained on public texts only. The shops' labeled titles shift the
first {levels} levels by DP-SGD ({epochs} epochs, batches of {batch:,}, clipped at {clip:g}):
epsilon {epsilon:g}, delta {delta:g}, for one labeled title of one shop, added or removed. Temperature and
thresholds are constants, and no brand names were learned. The metrics above were computed on held-out titles
and are not covered by the guarantee. Statements of this card about other uses of titles hold for training
without privacy.
"""


def private_section(privacy: Privacy) -> str:
    """The section of the model card that states the guarantee."""
    return _SECTION.format(**vars(privacy))


def groups_of(taxonomy: Taxonomy, levels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Group the categories that are shifted by the same amount.

    Args:
        taxonomy: Label space.
        levels: Number of levels that are shifted.

    Returns:
        Index of the first category of each group, shape [groups], and the group of each category, shape
        [categories]. A group is a contiguous range of categories.
    """
    starts = np.flatnonzero(taxonomy.levels <= levels)
    return starts, np.searchsorted(starts, np.arange(len(taxonomy)), side="right") - 1


def train_private(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    private: PrivateTraining,
    progress: ProgressCallback,
) -> Student:
    """Train a student on public texts, and shift it by DP-SGD on the titles of the `train` split.

    Args:
        examples: The shops' labeled texts. Texts with attributes repeat a title and are left out.
        auxiliary: Public texts.
        taxonomy: Label space.
        config: Hyperparameters of the training on public texts.
        private: Guarantee and training algorithm.
        progress: Called after each training step.
    """
    base = train(auxiliary, taxonomy, config, loss_reporter("Public words", progress))
    titles = [example for example in examples if example.split == "train" and example.kind == "title"]
    scale = public_scale(base, auxiliary)
    task = head_task(base, titles, taxonomy, private.privacy.levels, scale)
    head = private.train_head(task, private.privacy, loss_reporter("Private titles", progress))
    return shifted_student(base, head, taxonomy, private.privacy.levels, scale)


def head_task(
    base: Student, titles: Sequence[Example], taxonomy: Taxonomy, levels: int, scale: float
) -> HeadTask:
    """Prepare the input of DP-SGD.

    Args:
        base: Student of public texts.
        titles: Labeled titles of the shops.
        taxonomy: Label space.
        levels: Number of levels that are shifted.
        scale: Factor of the hidden vectors; see `public_scale`.
    """
    starts, group_of = groups_of(taxonomy, levels)
    hidden = hidden_vectors(base, [example.text for example in titles])
    label = np.array([example.category for example in titles], dtype=np.int64)
    # An ancestor of -1 means none: it indexes the last place.
    groups = np.append(group_of, len(starts))
    return HeadTask(
        hidden=hidden * np.float32(scale),
        offsets=_offsets(base, hidden, starts),
        first=group_of[label],
        last=group_of[taxonomy.ends[label] - 1] + 1,
        lineage=groups[taxonomy.lineage[starts, :levels]],
    )


def _offsets(base: Student, hidden: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Log-sum-exp of each group's logits, shape [titles, groups]."""
    offsets = np.empty((len(hidden), len(starts)), dtype=np.float32)
    for start in range(0, len(hidden), _BLOCK):
        logits = hidden[start : start + _BLOCK] @ base.weights + base.bias
        most = logits.max(axis=1, keepdims=True)
        sums = np.add.reduceat(np.exp(logits - most), starts, axis=1)
        offsets[start : start + _BLOCK] = np.log(np.maximum(sums, 1e-30)) + most
    return offsets


def hidden_vectors(student: Student, texts: Sequence[str]) -> Floats:
    """Compute the student's hidden vectors of cleaned texts, shape [texts, dimensions]."""
    blocks = [
        student.hidden(
            count_matrix([text_features(text) for text in texts[start : start + _ROWS]], student.hashes)
        )
        for start in range(0, len(texts), _ROWS)
    ]
    return np.concatenate(blocks)


def shifted_student(base: Student, head: Head, taxonomy: Taxonomy, levels: int, scale: float) -> Student:
    """Add the trained shifts to a student's output matrix and bias.

    Args:
        base: Student of public texts.
        head: Trained shifts.
        taxonomy: Label space.
        levels: Number of levels that are shifted.
        scale: Factor of the hidden vectors that the head was trained with.
    """
    _, group_of = groups_of(taxonomy, levels)
    weights, bias = base.weights.copy(), base.bias.copy()
    for ancestors in taxonomy.lineage[:, :levels].T:
        shifted = ancestors >= 0
        groups = group_of[ancestors[shifted]]
        weights[:, shifted] += head.weights[:, groups] * np.float32(scale)
        bias[shifted] += head.bias[groups]
    return Student(base.hashes, base.table, weights, bias, base.shrinkage, base.seen_ngrams)


def public_scale(base: Student, auxiliary: Sequence[Example]) -> float:
    """The factor that makes the mean norm of the public texts' hidden vectors 1."""
    norms = np.linalg.norm(hidden_vectors(base, [example.text for example in auxiliary]), axis=1)
    return 1.0 / max(float(norms.mean()), 1e-6)
