"""Training with privacy: titles change only the shifts, which are added to the student's output matrix.

Gradient descent without noise replaces DP-SGD by Opacus, so torch is not needed.
"""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.arrays import Floats, softmax
from models.drift.snapshot import DriftReference
from models.student.artifact import Artifact
from models.student.classifier import StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.text.features import text_features
from models.training.data.corpus import Example, category_examples
from models.training.private.training import (
    Head,
    HeadTask,
    Privacy,
    PrivateTraining,
    groups_of,
    head_task,
    hidden_vectors,
    public_scale,
    shifted_student,
    train_private,
)
from models.training.progress import LossCallback, ignore_progress
from models.training.run.fitting import MIN_THRESHOLDS
from models.training.run.training_run import TrainingSettings, train_model
from models.training.student.config import TrainingConfig
from models.training.student.loss import subtree_loss
from models.training.student.student import count_matrix
from models.training.student.trainer import train
from tests.models.training.student.test_training import CONFIG, examples
from tests.support.tiny_shops import TREE, write_shops

AUXILIARY = category_examples(TREE, 1.0)


def logits_of(task: HeadTask, head: Head) -> Floats:
    """The groups' logits in DP-SGD, computed group by group."""
    logits = task.offsets.copy()
    shifts = task.hidden @ head.weights + head.bias
    for group, ancestors in enumerate(task.lineage):
        for ancestor in ancestors[ancestors < len(task.lineage)]:
            logits[:, group] += shifts[:, ancestor]
    return logits


def without_noise(task: HeadTask, privacy: Privacy, progress: LossCallback) -> Head:
    """Full gradient descent on the same loss."""
    groups = len(task.lineage)
    weights, bias = np.zeros((task.hidden.shape[1], groups), np.float32), np.zeros(groups, np.float32)
    for step in range(1, privacy.epochs + 1):
        loss, gradient = subtree_loss(logits_of(task, Head(weights, bias, 0.0)), task.first, task.last)
        shift = np.zeros((len(gradient), groups + 1), np.float32)
        for level in range(task.lineage.shape[1]):
            np.add.at(shift.T, task.lineage[:, level], gradient.T)
        weights -= np.float32(privacy.rate / len(gradient)) * (task.hidden.T @ shift[:, :-1])
        bias -= np.float32(privacy.rate) * shift[:, :-1].mean(axis=0)
        progress(step, privacy.epochs, float(loss.mean()))
    return Head(weights, bias, 1.0)


PRIVATE = PrivateTraining(Privacy(3.0, epochs=60, levels=2), without_noise)


def test_a_group_is_a_category_of_the_last_level_with_all_below_or_a_single_one_above() -> None:
    starts, group_of = groups_of(TREE, 1)
    assert [TREE.nodes[start].level for start in starts] == [1, 1]
    for node in TREE.nodes:
        assert TREE.nodes[starts[group_of[node.index]]].names[0] == node.names[0]
    starts, group_of = groups_of(TREE, 2)
    assert starts.tolist() == group_of.tolist() == list(range(len(TREE)))


@pytest.mark.parametrize("levels", [1, 2])
def test_the_shifted_student_gives_the_trained_probabilities(levels: int) -> None:
    """The student's softmax, summed over each group, equals the groups' softmax."""
    base = train(AUXILIARY, TREE, CONFIG)
    titles = examples()
    scale = public_scale(base, AUXILIARY)
    texts = [example.text for example in AUXILIARY]
    assert np.linalg.norm(hidden_vectors(base, texts), axis=1).mean() * scale == pytest.approx(1, rel=1e-4)
    task = head_task(base, titles, TREE, levels, scale)
    starts, _ = groups_of(TREE, levels)
    random = np.random.default_rng(5)
    head = Head(
        random.normal(0, 1, (task.hidden.shape[1], len(starts))).astype(np.float32),
        random.normal(0, 1, len(starts)).astype(np.float32),
        1.0,
    )
    student = shifted_student(base, head, TREE, levels, scale)
    counts = count_matrix([text_features(example.text) for example in titles], student.hashes)
    mass = np.add.reduceat(softmax(student.logits(counts), 1.0), starts, axis=1)
    assert np.allclose(mass, softmax(logits_of(task, head), 1.0), atol=1e-4)


def test_a_label_is_the_groups_of_its_subtree() -> None:
    node = {node.name: node.index for node in TREE.nodes}
    titles = [Example("tea", node[name], "tiny", "train") for name in ("Wear", "Shoes", "Food", "Tea")]
    base = train(AUXILIARY, TREE, CONFIG)
    for levels in (1, 2):
        task = head_task(base, titles, TREE, levels, 1.0)
        _, group_of = groups_of(TREE, levels)
        for title, first, last in zip(titles, task.first, task.last, strict=True):
            inside = {int(group_of[at]) for at in range(title.category, int(TREE.ends[title.category]))}
            assert inside == set(range(first, last))


def test_titles_shift_the_decisions_and_leave_the_word_vectors_unchanged() -> None:
    """The shop labels shoes as milk: the student learns that with the public vocabulary alone."""
    node = {node.name: node.index for node in TREE.nodes}
    titles = [Example("zyxw sneakers", node["Milk"], "tiny", "train")] * 40
    base = train(AUXILIARY, TREE, CONFIG)
    student = train_private(titles, AUXILIARY, TREE, CONFIG, PRIVATE, ignore_progress)
    assert np.array_equal(student.hashes, base.hashes)
    assert np.array_equal(student.table, base.table)
    counts = count_matrix([text_features("sneakers")], base.hashes)
    assert TREE.nodes[int(base.logits(counts).argmax())].name == "Shoes"
    assert TREE.nodes[int(student.logits(counts).argmax())].name == "Milk"


def test_only_titles_of_the_train_split_are_trained_on() -> None:
    seen: list[HeadTask] = []

    def spy(task: HeadTask, privacy: Privacy, progress: LossCallback) -> Head:
        seen.append(task)
        return without_noise(task, Privacy(1.0, epochs=1), progress)

    held_out = [
        Example("oat milk", 0, "tiny", "calibration"),
        Example("oat milk", 0, "tiny", "test"),
        Example("oat milk white", 0, "tiny", "train", "en", "attributes"),
    ]
    train_private(
        [*examples(), *held_out],
        AUXILIARY,
        TREE,
        CONFIG,
        PrivateTraining(Privacy(1.0), spy),
        ignore_progress,
    )
    assert len(seen[0].first) == len(examples())


def test_a_private_run_gives_a_usual_artifact_whose_card_states_the_guarantee(tmp_path: Path) -> None:
    write_shops(tmp_path)
    steps: list[str] = []
    manifest = train_model(
        tmp_path,
        tmp_path / "student",
        TrainingSettings(
            config=TrainingConfig(dimensions=8, epochs=30, batch=16),
            unseen=True,
            taxonomy=TREE,
            private=PRIVATE,
        ),
        lambda name, step, count: steps.append(name.partition(",")[0]),
    )
    assert set(steps) == {"Public words", "Private titles"}
    assert manifest.command.endswith("--private 3")
    assert manifest.temperature == 1.0
    assert manifest.thresholds == list(MIN_THRESHOLDS)
    assert [item.name for item in manifest.measurements if item.name.startswith("unseen")] == []
    artifact = Artifact.load(tmp_path / "student", TREE)
    assert (artifact.path / "brands.tsv").read_bytes() == b""
    assert DriftReference.for_model(artifact, TREE).snapshot is None
    assert "epsilon 3, delta 1e-06" in (artifact.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    classifier = StudentClassifier(artifact, NumpyBackend.load(artifact), TREE)
    (result,) = classifier.classify(["green tea"])
    assert TREE.nodes[result.candidates[0][0]].names[0] == "Food"
    assert msgspec.json.decode((artifact.path / "manifest.json").read_bytes())["brand_precision"] == 0.0
