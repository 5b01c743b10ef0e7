"""The shipped model verifies, and a damaged one is refused with the reason."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS
from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from models.student.artifact import FORMAT, SHIPPED, Artifact, Manifest, version_of, write_manifest
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

ENGLISH = SHIPPED_ENCODERS / "en"

GOOGLE = Taxonomy.google()


def edit(folder: Path, change: Callable[[Manifest], Manifest], *, rename: bool = True) -> None:
    """Change a manifest and keep it consistent."""
    path = folder / "manifest.json"
    manifest = change(msgspec.json.decode(path.read_bytes(), type=Manifest))
    if rename:
        manifest = msgspec.structs.replace(manifest, model_version=version_of(manifest))
    path.write_bytes(msgspec.json.encode(manifest))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "student")
    return tmp_path / "student"


def test_the_shipped_model_has_a_complete_manifest() -> None:
    artifact = Artifact.load(None, GOOGLE)
    manifest = artifact.manifest
    assert manifest.model_version.startswith("student-1-")
    assert {"student.bin", "student.onnx", "brands.tsv", "drift.json"} == set(manifest.files)
    assert artifact.tensor("table").dtype == np.int8
    assert not artifact.tensor("table")[0].any()
    assert {data.name for data in manifest.training_data} == {
        "flipkart",
        "fashion_styles",
        "instacart",
        "openbg",
    }
    assert any(item.name.startswith("unseen ") for item in manifest.measurements)
    assert manifest.model_version in (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 12_000_000


def test_an_untouched_copy_loads(copy: Path) -> None:
    assert Enricher.load(ServingConfig(model=copy)).model_version == Enricher.load().model_version


@pytest.mark.parametrize("name", ["student.bin", "student.onnx", "brands.tsv"])
def test_a_truncated_or_flipped_file_is_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1])
    with pytest.raises(StopWorker, match=name):
        Enricher.load(ServingConfig(model=copy))
    (copy / name).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(StopWorker, match="is not the file that its manifest names"):
        Enricher.load(ServingConfig(model=copy))


@pytest.mark.parametrize("name", ["manifest.json", "student.bin", "student.onnx", "brands.tsv"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(StopWorker, match="Cannot read the model"):
        Enricher.load(ServingConfig(model=copy))


def test_a_broken_manifest_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StopWorker, match="is not a manifest"):
        Enricher.load(ServingConfig(model=copy))


def test_an_edited_threshold_is_refused(copy: Path) -> None:
    edit(copy, lambda manifest: msgspec.structs.replace(manifest, thresholds=[0.0]), rename=False)
    with pytest.raises(StopWorker, match="was edited"):
        Enricher.load(ServingConfig(model=copy))


def test_another_format_tree_or_label_list_is_refused(copy: Path) -> None:
    edit(copy, lambda manifest: msgspec.structs.replace(manifest, format=99))
    with pytest.raises(StopWorker, match="format 99"):
        Enricher.load(ServingConfig(model=copy))
    edit(copy, lambda manifest: msgspec.structs.replace(manifest, format=FORMAT, taxonomy_version="shop-1"))
    with pytest.raises(StopWorker, match="category tree shop-1"):
        Enricher.load(ServingConfig(model=copy))
    version = GOOGLE.version
    edit(copy, lambda manifest: msgspec.structs.replace(manifest, taxonomy_version=version, labels=[1]))
    with pytest.raises(StopWorker, match="other labels"):
        Enricher.load(ServingConfig(model=copy))


def test_a_tensor_beyond_the_file_is_refused(copy: Path) -> None:
    def stretch(manifest: Manifest) -> Manifest:
        first = msgspec.structs.replace(manifest.tensors[0], shape=[10_000_000, 64])
        return msgspec.structs.replace(manifest, tensors=[first, *manifest.tensors[1:]])

    edit(copy, stretch)
    with pytest.raises(StopWorker, match="does not hold"):
        Enricher.load(ServingConfig(model=copy))


def without(name: str) -> Callable[[Manifest], Manifest]:
    return lambda manifest: msgspec.structs.replace(
        manifest,
        tensors=[tensor for tensor in manifest.tensors if tensor.name != name],
        files={file: digest for file, digest in manifest.files.items() if file != name},
    )


def reshaped(name: str, shape: list[int]) -> Callable[[Manifest], Manifest]:
    def change(manifest: Manifest) -> Manifest:
        tensors = [
            msgspec.structs.replace(tensor, shape=shape) if tensor.name == name else tensor
            for tensor in manifest.tensors
        ]
        return msgspec.structs.replace(manifest, tensors=tensors)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("student.onnx"), "lacks student.onnx"),
        (without("hashes"), "lacks hashes"),
        (reshaped("bias", [5]), r"bias of shape \[5\] where \[5595\]"),
        (reshaped("weights", [64, 5]), "weights of shape"),
        (reshaped("table", [64]), "where .* would fit"),
        (lambda manifest: msgspec.structs.replace(manifest, temperature=0.0), "temperature 0"),
        (lambda manifest: msgspec.structs.replace(manifest, thresholds=[]), r"thresholds \[\]"),
        (lambda manifest: msgspec.structs.replace(manifest, thresholds=[7.0]), r"thresholds \[7.0\]"),
    ],
)
def test_a_consistent_manifest_of_an_impossible_model_is_refused(
    copy: Path, change: Callable[[Manifest], Manifest], says: str
) -> None:
    edit(copy, change)
    with pytest.raises(StopWorker, match=says):
        Enricher.load(ServingConfig(model=copy))


def test_files_of_different_models_are_refused(copy: Path) -> None:
    """They are refused even with a manifest that matches them."""

    def rehash(manifest: Manifest) -> Manifest:
        return write_manifest(copy, manifest, list(manifest.files))

    shutil.copy(ENGLISH / GRAPH, copy / "student.onnx")
    edit(copy, rehash)
    with pytest.raises(StopWorker, match="does not run"):
        Enricher.load(ServingConfig(model=copy))
    (copy / "student.onnx").write_bytes(b"no graph")
    edit(copy, rehash)
    with pytest.raises(StopWorker, match="onnxruntime refuses"):
        Enricher.load(ServingConfig(model=copy))


def test_weights_that_are_not_finite_are_refused(copy: Path) -> None:
    path = copy / "student.bin"
    content = bytearray(path.read_bytes())
    bias = next(t for t in Artifact.load(None, GOOGLE).manifest.tensors if t.name == "bias")
    content[bias.offset : bias.offset + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    edit(copy, lambda manifest: write_manifest(copy, manifest, list(manifest.files)))
    with pytest.raises(StopWorker, match="all of it finite"):
        Enricher.load(ServingConfig(model=copy))
