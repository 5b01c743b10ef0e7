"""Export of published encoders: download, verification, pooling, and the served form."""

from pathlib import Path
from zipfile import ZipFile

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.encoder.artifact import SHIPPED_ENCODERS
from models.encoder.encoder import EncoderStage
from models.files.digests import sha256
from models.taxonomy.tree import Taxonomy
from models.training.encoder import export as encoder_export
from models.training.encoder.export import Request, export_encoder
from models.training.encoder.pooled_graph import Pooling, with_pooling
from models.training.encoder.published import PUBLISHED, Published, download
from schemas.errors import StopWorker

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(chr(97 + letter) for letter in range(26))]
TREE = Taxonomy("tiny-1", {1: ("A",), 2: ("B",)}, {})
TABLE = np.random.default_rng(3).normal(size=(2000, 8)).astype(np.float32)


def published_graph() -> onnx.ModelProto:
    """A graph like BERT's: one vector per token, with an input for token types."""
    asked = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
            helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["types"], ["columns"], axes=[2]),
            helper.make_node("Add", ["tokens", "columns"], ["added"]),
            helper.make_node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["seen"], ["seen_column"], axes=[2]),
            helper.make_node("Mul", ["added", "seen_column"], ["last_hidden_state"]),
        ],
        "published",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in asked],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", 8])],
        [numpy_helper.from_array(TABLE, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_published_graph_is_pooled_into_unit_vectors(pooling: Pooling) -> None:
    model = with_pooling(published_graph(), pooling)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids, mask = np.array([[2, 5, 9], [7, 8, 0]]), np.array([[1, 1, 1], [1, 1, 0]])
    (vectors,) = session.run(["vectors"], {"ids": ids, "mask": mask})
    for row, (tokens, seen) in enumerate(zip(ids, mask, strict=True)):
        used = TABLE[tokens[seen > 0]]
        wanted = used[0] if pooling == "first" else used.mean(axis=0)
        assert vectors[row] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A published encoder in a local file."""
    path = tmp_path / "letters.jar"
    with ZipFile(path, "w") as files:
        files.writestr("letters.onnx", published_graph().SerializeToString())
        numbers = {token: number for number, token in enumerate(TOKENS)}
        files.writestr("letters-tokenizer.json", orjson.dumps({"model": {"vocab": numbers}}))
    shipped = PUBLISHED["en"]
    there = Published("letters", "letters", sha256(path.read_bytes()), "mean", shipped.scale)
    monkeypatch.setattr(Published, "address", property(lambda self: path.as_uri()))
    monkeypatch.setattr(encoder_export, "PUBLISHED", {"en": there})
    return there


def test_an_archive_is_downloaded_once_and_verified(
    archive: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    graph, tokenizer = download(archive, tmp_path / "cache", lambda *done: seen.append(done))
    assert graph.exists()
    assert tokenizer.exists()
    assert seen[-1][0] == (tmp_path / "letters.jar").stat().st_size
    count = len(seen)
    download(archive, tmp_path / "cache", lambda *done: seen.append(done))
    assert len(seen) == count
    other = Published(archive.name, archive.artifact, "0" * 64, "mean", archive.scale)
    with pytest.raises(StopWorker, match="digest"):
        download(other, tmp_path / "other", lambda *done: None)
    monkeypatch.setattr(Published, "address", property(lambda self: (tmp_path / "nothing").as_uri()))
    with pytest.raises(StopWorker, match="--source"):
        download(archive, tmp_path / "third", lambda *done: None)


def test_an_exported_encoder_loads_and_gives_the_published_vectors(
    archive: Published, tmp_path: Path
) -> None:
    steps: list[str] = []
    folder = tmp_path / "encoders" / "en"
    manifest = export_encoder(
        Request("en", for_gpu=False), folder, TREE, tmp_path / "cache", lambda name, *_: steps.append(name)
    )
    assert (manifest.name, manifest.language, manifest.dimensions) == ("letters", "en", 8)
    assert msgspec.json.decode((folder / "manifest.json").read_bytes())["format"] == 2
    assert steps[-1] == "Encoding names"
    stage = EncoderStage.load(folder, TREE)
    (vector,) = stage.encode(["ab"])
    ids = [TOKENS.index(token) for token in ("[CLS]", "[UNK]", "[SEP]")]
    wanted = TABLE[ids].mean(axis=0)
    assert vector @ (wanted / np.linalg.norm(wanted)) > 0.999
    assert stage.combine(["b"], np.full((1, 2), 0.5, dtype=np.float32)).argmax() == 1


def test_the_shipped_encoders_are_the_published_ones() -> None:
    for language, published in PUBLISHED.items():
        assert published.address.startswith("https://repo1.maven.org/maven2/dev/langchain4j/")
        assert len(published.digest) == 64
        manifest = msgspec.json.decode((SHIPPED_ENCODERS / language / "manifest.json").read_bytes())
        assert manifest["name"] == published.name
        assert manifest["scale"] == msgspec.to_builtins(published.scale)
