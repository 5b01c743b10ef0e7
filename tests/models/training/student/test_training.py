"""Training: gradient, coarse labels, splits, quantization, and a whole run on a tiny shop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats
from models.drift.bins import FIELD_FEATURES
from models.drift.snapshot import SNAPSHOT, DriftReference, DriftSnapshot
from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from models.student.artifact import Artifact, write_manifest
from models.student.classifier import StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.student.onnx_backend import OnnxBackend
from models.student.seen_ngrams import seen_ngram_hashes
from models.taxonomy.tree import Taxonomy
from models.text.features import feature_hash, text_features
from models.training.data.corpus import Example, category_examples, read_shops, split_of
from models.training.run import training_run
from models.training.run.fitting import CalibratedStudent
from models.training.run.training_run import TrainingSettings, train_model
from models.training.run.validation import student_is_better_alone
from models.training.student.config import TrainingConfig
from models.training.student.drift_snapshot import add_snapshot, listings_of
from models.training.student.drift_snapshot import main as snapshot_command
from models.training.student.export import quantize
from models.training.student.loss import probability_matrix, subtree_loss
from models.training.student.student import build_vocabulary, count_matrix
from models.training.student.trainer import train
from schemas.errors import StopWorker
from tests.support.tiny_shops import COLORS, TITLES, TREE, write_shops

CONFIG = TrainingConfig(dimensions=8, epochs=30, batch=16, rows=2000, dropout=0.1)


def examples() -> list[Example]:
    node = {node.name: node.index for node in TREE.nodes}
    return [
        Example(f"{color} {title}", node[name], "tiny", "train")
        for name, titles in TITLES.items()
        for title in titles
        for color in COLORS
    ]


@given(st.integers(0, 1000))
def test_the_gradient_is_the_numerical_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, (3, len(TREE))).astype(np.float32)
    first = random.integers(0, len(TREE), 3)
    last = TREE.ends[first]
    _, gradient = subtree_loss(logits.copy(), first, last)
    for column in range(len(TREE)):
        step = np.zeros_like(logits)
        step[:, column] = 1e-2
        above, _ = subtree_loss(logits + step, first, last)
        below, _ = subtree_loss(logits - step, first, last)
        assert np.allclose((above - below) / 2e-2, gradient[:, column], atol=2e-3)


@given(st.integers(0, 1000))
def test_the_gradient_towards_a_teacher_s_probabilities_is_the_numerical_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, (2, len(TREE))).astype(np.float32)
    labeled = [
        Example("tea", 0, "tiny", "train"),
        Example("tea", 0, "tiny", "train", probabilities=((1, 0.25), (len(TREE) - 1, 0.75))),
    ]
    probabilities = probability_matrix(labeled, len(TREE))
    first, last = np.zeros(2, dtype=np.int64), np.ones(2, dtype=np.int64)
    _, gradient = subtree_loss(logits.copy(), first, last, probabilities)
    for column in range(len(TREE)):
        step = np.zeros_like(logits)
        step[:, column] = 1e-2
        above, _ = subtree_loss(logits + step, first, last, probabilities)
        below, _ = subtree_loss(logits - step, first, last, probabilities)
        assert np.allclose((above - below) / 2e-2, gradient[:, column], atol=2e-3)


def test_a_coarse_label_is_learned_without_hiding_the_finer_one() -> None:
    """Half of the shoes are labeled as wear only. Shoes are still predicted as shoes."""
    node = {node.name: node.index for node in TREE.nodes}
    coarse = [
        Example(example.text, node["Wear"] if number % 2 else example.category, "tiny", "train")
        for number, example in enumerate(examples())
    ]
    student = train(coarse, TREE, CONFIG)
    texts = ["yellow running shoes", "yellow shirt", "yellow mint tea"]
    logits = student.logits(count_matrix([text_features(text) for text in texts], student.hashes))
    assert [TREE.nodes[index].name for index in logits.argmax(axis=1)] == ["Shoes", "Shirts", "Tea"]


def test_training_is_reproducible_and_unknown_text_gives_the_bias() -> None:
    first, second = train(examples(), TREE, CONFIG), train(examples(), TREE, CONFIG)
    assert np.array_equal(first.table, second.table)
    assert np.array_equal(first.weights, second.weights)
    empty = first.logits(count_matrix([["=unheard-of"]], first.hashes))
    assert np.array_equal(empty[0], first.bias)


def test_the_vocabulary_keeps_features_of_enough_texts() -> None:
    features = [["=a", "=a", "x y"], ["=a", "x y"], ["x y", "abc"], ["=b"]]
    assert len(build_vocabulary(features, 100)) == 2
    assert len(build_vocabulary(features, 2)) == 1
    assert build_vocabulary(features, 2, {"=b"}).tolist() == [feature_hash("=b")]


@given(st.integers(0, 1000))
def test_quantization_errs_by_half_a_step(seed: int) -> None:
    table = np.random.default_rng(seed).normal(0, 3, (10, 8)).astype(np.float32)
    table[0] = 0
    rounded, scales = quantize(table)
    assert scales[0] == 0
    assert (np.abs(rounded * scales[:, None] - table) <= scales[:, None] * 0.5001).all()


def test_splits_depend_on_the_words_of_the_title_alone() -> None:
    titles = [f"title {chr(97 + n // 676)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(3000)]
    splits = [split_of(title) for title in titles]
    assert {name: round(splits.count(name) / 3000, 1) for name in set(splits)} == {
        "train": 0.8,
        "calibration": 0.1,
        "test": 0.1,
    }
    assert splits == [split_of(title) for title in titles]
    assert splits == [split_of(f"{title.split()[1]}, title 42") for title in titles]


def test_category_names_become_examples_in_every_language() -> None:
    found = {(example.text, example.category) for example in category_examples(TREE, 1.0)}
    shoes = next(node.index for node in TREE.nodes if node.name == "Shoes")
    assert {("shoes", shoes), ("wear shoes", shoes), ("鞋", shoes)} <= found
    assert {("sneakers", shoes), ("球鞋", shoes)} <= found


def test_a_training_run_gives_a_model_that_loads_and_classifies(tmp_path: Path) -> None:
    """Read, train, calibrate, evaluate with unseen shops, export, load with both backends, classify."""
    write_shops(tmp_path)
    steps: list[tuple[str, int, int]] = []
    manifest = train_model(
        tmp_path,
        tmp_path / "student",
        TrainingSettings(config=TrainingConfig(dimensions=8, epochs=6, batch=32), unseen=True, taxonomy=TREE),
        lambda name, step, count: steps.append((name, step, count)),
    )
    assert steps[-1][1] == steps[-1][2]
    assert {item.name for item in manifest.measurements} >= {"flipkart title", "unseen openbg attributes"}
    assert next(item for item in manifest.measurements if item.name == "flipkart title").accuracy[0] > 0.95
    assert manifest.brand_precision == 1.0
    artifact = Artifact.load(tmp_path / "student", TREE)
    assert "acme\tAcme" in (artifact.path / "brands.tsv").read_text(encoding="utf-8")
    assert manifest.model_version in (artifact.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert manifest == artifact.manifest
    check_snapshot(artifact)
    for backend in (NumpyBackend.load(artifact), OnnxBackend(artifact)):
        results = StudentClassifier(artifact, backend, TREE).classify(["acme green tea", "", "鞋子"])
        assert TREE.nodes[results[0].category].names[0] == "Food"
        assert results[1].category == -1
        assert TREE.nodes[results[2].candidates[0][0]].name == "Shoes"


def check_snapshot(artifact: Artifact) -> None:
    """The snapshot counts the test titles, which no training saw, and the model's decisions on them."""
    reference = DriftReference.for_model(artifact, TREE)
    assert reference.snapshot is not None
    titles = sum(data.test for data in artifact.manifest.training_data)
    assert 0 < reference.snapshot.listings <= titles
    assert not reference.snapshot.counts.keys() & set(FIELD_FEATURES)
    for feature, counts in reference.snapshot.counts.items():
        assert sum(counts.values()) == reference.snapshot.listings, feature
    assert reference.snapshot.counts["language"]["cjk"] > 0


def test_adding_a_snapshot_changes_the_version(tmp_path: Path) -> None:
    write_shops(tmp_path)
    config = TrainingConfig(dimensions=8, epochs=2, batch=32)
    folder = tmp_path / "student"
    trained = train_model(tmp_path, folder, TrainingSettings(config=config, taxonomy=TREE))
    files = [name for name in trained.files if name != SNAPSHOT]
    bare = write_manifest(folder, trained, files)
    assert DriftReference.for_model(Artifact.load(folder, TREE), TREE).snapshot is None
    named = add_snapshot(folder, listings_of(read_shops(tmp_path, TREE), "test"), TREE, None)
    assert named.model_version != bare.model_version
    assert named == trained
    assert Artifact.load(folder, TREE).manifest == named
    (folder / SNAPSHOT).write_bytes(b"{}")
    with pytest.raises(StopWorker, match=r"drift\.json is not the file that its manifest names"):
        Artifact.load(folder, TREE)


def test_a_shop_s_own_listings_make_a_snapshot_with_every_feature(tmp_path: Path) -> None:
    lines = [{"product_id": str(number), "title": f"Mug {number}", "brand": "Acme"} for number in range(20)]
    withdrawn = {"product_id": "0", "change": "withdrawn"}
    path = tmp_path / "listings.jsonl"
    path.write_text("\n".join(orjson.dumps(line).decode() for line in [*lines, withdrawn]) + "\n")
    done = CliRunner().invoke(
        snapshot_command, ["--listings", str(path), "--output", str(tmp_path / "own.json")]
    )
    assert done.exit_code == 0, done.output
    snapshot = DriftSnapshot.read(tmp_path / "own.json")
    assert snapshot.listings == 20
    assert snapshot.counts["brand"] == {"absent": 0, "present": 20}
    assert CliRunner().invoke(snapshot_command, ["--listings", str(path)]).exit_code == 2


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match=r"flipkart\.tsv"):
        read_shops(tmp_path, TREE)


@dataclass
class FixedStage:
    """A second stage that always predicts one category, or that keeps the student's probabilities."""

    category: int | None
    version: str = "fixed"

    def combine(self, texts: Sequence[str], share: Floats) -> Floats:
        if self.category is None:
            return share
        joint = np.zeros_like(share)
        joint[:, self.category] = 1.0
        return joint


def test_a_harmful_second_stage_is_detected_on_calibration_titles() -> None:
    """A high temperature and no seen n-grams make the student escalate every text."""
    titles = examples()
    held_out = [replace(each, split="calibration") for each in titles]
    student = replace(train(titles, TREE, CONFIG), seen_ngrams=seen_ngram_hashes([]))
    unsure = CalibratedStudent(student, 8.0, [0.9])
    assert student_is_better_alone(unsure, held_out, TREE, FixedStage(int(TREE.roots[0])))
    assert not student_is_better_alone(unsure, held_out, TREE, FixedStage(None))


@pytest.mark.parametrize("harm", [True, False])
def test_a_student_that_is_better_alone_is_evaluated_and_served_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: bool
) -> None:
    monkeypatch.setattr(training_run, "student_is_better_alone", lambda *_: harm)
    write_shops(tmp_path)
    file, folder = tmp_path / "tree.txt", tmp_path / "student"
    file.write_text("".join(f"{node.id} - {node.path}\n" for node in TREE.nodes), encoding="utf-8")
    tree, config = Taxonomy.load(file), TrainingConfig(dimensions=8, epochs=2, batch=32)
    settings = TrainingSettings(config=config, taxonomy=tree, second=FixedStage(None))
    manifest = train_model(tmp_path, folder, settings)
    assert any(item.cascade for item in manifest.measurements) is not harm
    assert Artifact.load(folder, tree).manifest.alone is (True if harm else msgspec.UNSET)
    assert ("+" in Enricher.load(ServingConfig(model=folder, taxonomy=file)).model_version) is not harm
