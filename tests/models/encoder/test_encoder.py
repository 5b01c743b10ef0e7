"""The second stage: the shipped encoder, its tokenizer, its folder, and joint probabilities."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.arrays import Floats
from models.encoder.artifact import (
    SHIPPED_ENCODERS,
    VOCABULARY,
    read_encoder_manifest,
    write_encoder_manifest,
    write_prototypes,
)
from models.encoder.encoder import LONGEST, EncoderStage
from models.encoder.loading import load_encoders
from models.encoder.prototypes import Prototypes
from models.encoder.wordpiece import WordPiece
from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from models.student.artifact import SHIPPED, Artifact
from models.student.classifier import StudentClassifier
from models.student.numpy_backend import NumpyBackend
from models.taxonomy.tree import Taxonomy
from models.zero_shot.explanation import CascadeClassifier, explain_by_similarity
from schemas.errors import StopWorker

GOOGLE = Taxonomy.google()
ENGLISH, CHINESE = SHIPPED_ENCODERS / "en", SHIPPED_ENCODERS / "zh"
STAGE = EncoderStage.load(ENGLISH, GOOGLE)
WORDS = WordPiece(ENGLISH / VOCABULARY, LONGEST)
ARTIFACT = Artifact.load(None, GOOGLE)
STUDENT = StudentClassifier(ARTIFACT, NumpyBackend.load(ARTIFACT), GOOGLE)
ENCODERS = load_encoders()
CASCADE = StudentClassifier(ARTIFACT, NumpyBackend.load(ARTIFACT), GOOGLE, second=ENCODERS)
EVEN = np.full((1, len(GOOGLE)), 1.0 / len(GOOGLE), dtype=np.float32)


def pieces(text: str) -> list[str]:
    tokens = (ENGLISH / VOCABULARY).read_text("utf-8").splitlines()
    return [tokens[number] for number in WORDS.ids(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("red shoes", ["[CLS]", "red", "shoes", "[SEP]"]),
        ("T-shirt, café!", ["[CLS]", "t", "-", "shirt", ",", "cafe", "!", "[SEP]"]),
        ("electrolytes", ["[CLS]", "electro", "##ly", "##tes", "[SEP]"]),
        ("", ["[CLS]", "[SEP]"]),
        ("x" * 101, ["[CLS]", "[UNK]", "[SEP]"]),
    ],
)
def test_tokens_are_those_of_bert(text: str, tokens: list[str]) -> None:
    assert pieces(text) == tokens


def test_long_texts_are_cut_and_short_ones_padded() -> None:
    ids, mask = WORDS.batch(["mug " * 500, "mug"])
    assert ids.shape == mask.shape == (2, LONGEST)
    assert mask.sum(axis=1).tolist() == [LONGEST, 3]


def test_vectors_have_length_one_and_do_not_depend_on_the_batch() -> None:
    texts = ["ceramic mug", "wireless mouse with usb receiver", "a", "wooden spoon", "copper kettle", "mug"]
    together = STAGE.encode(texts)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-4)
    for text, vector in zip(texts, together, strict=True):
        # Only the order of sums of floats may differ.
        assert np.allclose(vector, STAGE.encode([text])[0], rtol=0.0, atol=1e-6)


def test_even_student_probabilities_leave_the_decision_to_the_encoder() -> None:
    joint = STAGE.combine(["samovar"], EVEN)
    assert joint.sum() == pytest.approx(1.0, abs=1e-4)
    assert GOOGLE.nodes[int(joint[0].argmax())].names[0] == "Home & Garden"


def test_unreadable_texts_keep_the_student_probabilities() -> None:
    for text in ("红色连衣裙 dress", "красное платье"):
        assert np.array_equal(STAGE.combine([text], EVEN), EVEN)


@pytest.mark.parametrize(
    ("text", "department"),
    [
        ("samovar", "Home & Garden"),
        ("紫砂茶壶 大号 220ml", "Home & Garden"),
        ("新款 usb 数据线", "Electronics"),
        ("фарфор", None),
    ],
)
def test_each_language_has_its_encoder(text: str, department: str | None) -> None:
    encoders = ENCODERS
    joint = encoders.combine([text, "gift"], np.concatenate([EVEN, EVEN]))
    if department is None:
        assert encoders.encoder_for(text) is None
        assert np.array_equal(joint[:1], EVEN)
    else:
        assert GOOGLE.nodes[int(joint[0].argmax())].names[0] == department
    assert joint.sum(axis=1) == pytest.approx(1.0, abs=1e-4)


def test_a_folder_may_lack_a_language_but_not_both(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="no text encoder"):
        load_encoders(ServingConfig(encoders=tmp_path))
    shutil.copytree(CHINESE, tmp_path / "zh")
    encoders = load_encoders(ServingConfig(encoders=tmp_path))
    assert [*encoders.stages] == ["zh"]
    assert np.array_equal(encoders.combine(["samovar"], EVEN), EVEN)


def test_chinese_tokens_are_characters_and_ids_are_line_numbers(tmp_path: Path) -> None:
    words = WordPiece(CHINESE / VOCABULARY, LONGEST)
    assert [words.tokens[number] for number in words.ids("大号usb茶壶")] == [
        "[CLS]", "大", "号", "usb", "茶", "壶", "[SEP]",
    ]  # fmt: skip


def test_only_escalated_texts_change() -> None:
    sure, unconfident = "ceramic mug", "large blue teapot"
    before, after = STUDENT.classify([sure, unconfident]), CASCADE.classify([sure, unconfident])
    assert before[0].sure
    assert (after[0].category, after[0].confidence) == (before[0].category, before[0].confidence)
    assert not before[1].sure
    assert after[1].sure
    assert GOOGLE.nodes[after[1].category].names[0] == "Home & Garden"
    assert CASCADE.classify(["", "🙂"])[1].category == -1
    assert CASCADE.model_version == f"{STUDENT.model_version}+{ENCODERS.version}"


def test_the_cascade_can_be_switched_off() -> None:
    assert Enricher.load(ServingConfig(cascade=False)).model_version == STUDENT.model_version
    assert Enricher.load().model_version == CASCADE.model_version


@pytest.mark.parametrize("name", ["encoder.onnx", "prototypes.npz", "vocabulary.txt", "manifest.json"])
def test_a_damaged_or_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(ENGLISH, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(StopWorker, match=name):
        read_encoder_manifest(folder, GOOGLE)
    (folder / name).unlink()
    with pytest.raises(StopWorker, match=name):
        read_encoder_manifest(folder, GOOGLE)


def test_another_tree_is_refused() -> None:
    with pytest.raises(StopWorker, match="tiny-1"):
        read_encoder_manifest(ENGLISH, Taxonomy("tiny-1", {1: ("Wear",)}, {}))


def test_decisions_follow_from_the_probabilities() -> None:
    texts = ["large blue teapot", "", "ceramic mug", "🙂", "红色连衣裙"]
    probabilities = CASCADE.probabilities(texts)
    assert probabilities.shape == (len(texts), len(GOOGLE))
    assert not probabilities[[1, 3]].any()
    for row, found in zip(probabilities, CASCADE.classify(texts), strict=True):
        best = dict(found.candidates)
        assert sorted(best.values(), reverse=True) == pytest.approx(np.sort(row)[::-1][: len(best)], abs=1e-4)
        for category, share in best.items():
            assert row[category] == pytest.approx(share, abs=1e-4)
        if found.category >= 0:
            inside = row[found.category : GOOGLE.ends[found.category]]
            assert inside.sum() == pytest.approx(found.confidence, abs=1e-3)
    assert CASCADE.probabilities([]).shape == (0, len(GOOGLE))


def rehashed(folder: Path, **changes: object) -> None:
    """Write a manifest that matches the files of the folder."""
    manifest, _ = read_encoder_manifest(ENGLISH, GOOGLE)
    write_encoder_manifest(folder, msgspec.structs.replace(manifest, **changes))


@pytest.mark.parametrize(
    ("prototypes", "says"),
    [
        (np.ones((len(GOOGLE), 8), dtype=np.float32), r"prototypes of shape \(5595, 8\)"),
        (np.ones((12, 384), dtype=np.float32), "for 12 categories"),
    ],
)
def test_prototypes_of_another_encoder_or_tree_are_refused(
    tmp_path: Path, prototypes: Floats, says: str
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(ENGLISH, folder)
    write_prototypes(folder, Prototypes(prototypes, np.arange(len(prototypes))))
    rehashed(folder)
    with pytest.raises(StopWorker, match=says):
        EncoderStage.load(folder, GOOGLE)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(ENGLISH, folder)
    shutil.copy(SHIPPED / "student.onnx", folder / "encoder.onnx")
    shutil.copy(SHIPPED / "student.bin", folder)
    rehashed(folder)
    with pytest.raises(StopWorker, match="does not run"):
        EncoderStage.load(folder, GOOGLE)
    shutil.copy(ENGLISH / "encoder.onnx", folder)
    extra = "".join(f"filler{number}\n" for number in range(40_000))
    (folder / VOCABULARY).write_text(extra + (ENGLISH / VOCABULARY).read_text("utf-8"))
    rehashed(folder)
    with pytest.raises(StopWorker, match="does not run"):
        EncoderStage.load(folder, GOOGLE)


def test_a_cascade_explains_escalated_titles_by_similarity() -> None:
    cascade = CascadeClassifier(CASCADE, ENCODERS, GOOGLE)
    assert cascade.escalates("Large blue teapot, Kyusu")
    assert not cascade.escalates("Ceramic coffee mug with handle, white")
    assert not cascade.escalates("🙂")
    assert not CASCADE.escalates("чайник")
    assert not STUDENT.escalates("large blue teapot, kyusu")
    steps = explain_by_similarity("Large blue teapot, Kyusu", cascade, GOOGLE)
    assert GOOGLE.nodes[steps[0].category].path == "Home & Garden"
    assert "teapot" in steps[-1].nearest[0].text
    assert cascade.similarities("чайник")[0] == []
