"""Training with differential privacy: words are learnt from public texts, the shops' titles only shift them.

The student's table and matrix come from what is public: the categories' names and synonyms, and a teacher's
knowledge of words. They stay as they are. What the shops' labeled titles add is one matrix more, from the
table's space to the categories of the first levels, which those below inherit. It is learnt by DP-SGD (Abadi
et al., "Deep Learning with Differential Privacy", 2016), and as it is linear, it is then added to the
student's own matrix: the artifact is like any other, and serving knows nothing of it.

Protected is one labeled title of one shop, added or removed. Nothing else of the shops goes into the model:
no vocabulary, no brand names, no temperature, no thresholds, no histograms for drift.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.taxonomy.tree import Taxonomy
from models.text.features import text_features
from models.training.data.corpus import Example
from models.training.student.trainer import Student, TrainingConfig, count_matrix, train

_ROWS = 4096
_BLOCK = 512


@dataclass(frozen=True)
class Privacy:
    """The guarantee, and the settings of DP-SGD.

    Attributes:
        epsilon: The privacy budget; infinite for none, to measure what noise costs.
        delta: The chance that the budget does not hold; far below one over the number of titles.
        epochs: Expected passes over the titles.
        batch: Expected titles per step; each is drawn by itself, so that steps differ (Poisson sampling).
        rate: The learning rate at the start; it falls linearly to a tenth.
        clip: The norm that a title's gradient is cut to.
        levels: The levels of the tree that are shifted; categories below go with their ancestors.
        seed: Of sampling and noise. None: the operating system's, as who knows it can
            subtract the noise.
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
    """What DP-SGD learns from.

    Categories that are shifted alike are one *group*: a category of the last shifted level with all below it,
    or one above that level alone. Within a group nothing is learnt, so that a softmax over groups, each with
    the logarithm of its summed exponentials, has the same slopes as that over all categories.

    Attributes:
        hidden: Shape [titles, dimensions]: the student's hidden vectors, scaled.
        offsets: Shape [titles, groups]: each group's logit without any shift.
        first: Shape [titles]: the first group of the label's subtree.
        last: Shape [titles]: one past the last one.
        lineage: Shape [groups, levels]: the groups whose shifts add up to each group's; `groups` where none.
    """

    hidden: Floats
    offsets: Floats
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    lineage: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """What was learnt.

    Attributes:
        weights: Shape [dimensions, groups].
        bias: Shape [groups].
        epsilon: The budget that was spent.
    """

    weights: Floats
    bias: Floats
    epsilon: float


Learn = Callable[[HeadTask, Privacy, Callable[[int, int, float], None]], Head]


@dataclass(frozen=True)
class PrivateTraining:
    """The guarantee, and what keeps it, such as `models.training.private.dp_sgd.learn_head`."""

    privacy: Privacy
    learn: Learn


_SECTION = """
## Privacy

The words are learnt from public texts alone; the shops' labeled titles shift the first {levels} levels by
DP-SGD ({epochs} epochs, batches of {batch:,}, clipped at {clip:g}): epsilon {epsilon:g}, delta {delta:g}, for
one labeled title of one shop, added or removed. Temperature and thresholds are constants, and no brand names
were learnt. The figures above are measured on held-out titles and are not covered. Where this card speaks
of what the student learnt from titles besides, it speaks of training without privacy.
"""


def private_section(privacy: Privacy) -> str:
    """What a model card says of the guarantee."""
    return _SECTION.format(**vars(privacy))


def groups_of(taxonomy: Taxonomy, levels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which categories are shifted alike.

    Returns:
        The first category of each group, which is the one that its shift belongs to, shape [groups]; and the
        group of each category, shape [categories]. Groups are runs of categories, in their order.
    """
    starts = np.flatnonzero(taxonomy.levels <= levels)
    return starts, np.searchsorted(starts, np.arange(len(taxonomy)), side="right") - 1


def train_private(
    examples: Sequence[Example],
    auxiliary: Sequence[Example],
    taxonomy: Taxonomy,
    config: TrainingConfig,
    private: PrivateTraining,
    progress: Callable[[str, int, int], None],
) -> Student:
    """A student of public auxiliary, shifted by DP-SGD on the titles of the `train` split.

    Args:
        examples: The shops' texts. Those with attributes repeat a title, and are left out.
        auxiliary: Public texts.
        taxonomy: The label space.
        config: The settings of the public part.
        private: The guarantee and its keeper.
        progress: Called with what is being done, the step and the number of steps.
    """
    base = train(
        auxiliary,
        taxonomy,
        config,
        lambda step, steps, loss: progress(f"Public words, loss {loss:.3f}", step, steps),
    )
    titles = [example for example in examples if example.split == "train" and example.kind == "title"]
    scale = public_scale(base, auxiliary)
    task = head_task(base, titles, taxonomy, private.privacy.levels, scale)
    head = private.learn(
        task,
        private.privacy,
        lambda step, steps, loss: progress(f"Private titles, loss {loss:.3f}", step, steps),
    )
    return shifted_student(base, head, taxonomy, private.privacy.levels, scale)


def head_task(
    base: Student, titles: Sequence[Example], taxonomy: Taxonomy, levels: int, scale: float
) -> HeadTask:
    """What a student of public texts leaves to learn from titles; `scale` makes its vectors about 1 long."""
    starts, group_of = groups_of(taxonomy, levels)
    hidden = hidden_vectors(base, [example.text for example in titles])
    label = np.array([example.category for example in titles], dtype=np.int64)
    # Of an ancestor of -1, which is none, the last place says so.
    groups = np.append(group_of, len(starts))
    return HeadTask(
        hidden=hidden * np.float32(scale),
        offsets=_offsets(base, hidden, starts),
        first=group_of[label],
        last=group_of[taxonomy.ends[label] - 1] + 1,
        lineage=groups[taxonomy.lineage[starts, :levels]],
    )


def _offsets(base: Student, hidden: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Shape [titles, groups]: the logarithm of the sum of the exponentials of each group's logits."""
    offsets = np.empty((len(hidden), len(starts)), dtype=np.float32)
    for start in range(0, len(hidden), _BLOCK):
        logits = hidden[start : start + _BLOCK] @ base.weights + base.bias
        most = logits.max(axis=1, keepdims=True)
        sums = np.add.reduceat(np.exp(logits - most), starts, axis=1)
        offsets[start : start + _BLOCK] = np.log(np.maximum(sums, 1e-30)) + most
    return offsets


def hidden_vectors(student: Student, texts: Sequence[str]) -> Floats:
    """Shape [texts, dimensions]: the student's hidden vectors of cleaned texts."""
    blocks = [
        student.hidden(
            count_matrix([text_features(text) for text in texts[start : start + _ROWS]], student.hashes)
        )
        for start in range(0, len(texts), _ROWS)
    ]
    return np.concatenate(blocks)


def shifted_student(base: Student, head: Head, taxonomy: Taxonomy, levels: int, scale: float) -> Student:
    """The student whose logits are the base's plus the head's, which is linear and so joins its matrix."""
    _, group_of = groups_of(taxonomy, levels)
    weights, bias = base.weights.copy(), base.bias.copy()
    for ancestors in taxonomy.lineage[:, :levels].T:
        shifted = ancestors >= 0
        groups = group_of[ancestors[shifted]]
        weights[:, shifted] += head.weights[:, groups] * np.float32(scale)
        bias[shifted] += head.bias[groups]
    return Student(base.hashes, base.table, weights, bias, base.shrinkage, base.familiar)


def public_scale(base: Student, auxiliary: Sequence[Example]) -> float:
    """What makes the hidden vectors of public texts 1 long on average."""
    norms = np.linalg.norm(hidden_vectors(base, [example.text for example in auxiliary]), axis=1)
    return 1.0 / max(float(norms.mean()), 1e-6)
