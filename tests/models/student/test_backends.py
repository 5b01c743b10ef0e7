"""The contract of each backend, and its parity with the reference."""

import threading

import numpy as np
import pytest

from models.student.artifact import Artifact
from models.student.backend import Backend
from models.student.numpy_backend import NumpyBackend
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy

GOOGLE = Taxonomy.google()
ARTIFACT = Artifact.load(None, GOOGLE)
ROWS, DIMENSIONS = ARTIFACT.tensor("table").shape
TOLERANCE = 2e-4
"""Both sum float32 products of the same int8 and float16 numbers, in another order."""


def batch(texts: int, longest: int, seed: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    random = np.random.default_rng(seed)
    rows = random.integers(1, ROWS, (texts, longest)).astype(np.int32)
    rows[np.arange(longest) >= random.integers(0, longest + 1, (texts, 1))] = 0
    return rows


@pytest.fixture(params=["numpy", "onnx", "onnx with 2 threads"], scope="module")
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "numpy":
        return NumpyBackend.load(ARTIFACT)
    return OnnxBackend(ARTIFACT, threads=2 if "2" in request.param else 1)


@pytest.mark.parametrize("shape", [(0, 1), (1, 1), (3, 7), (65, 40)])
def test_shapes_and_types(backend: Backend, shape: tuple[int, int]) -> None:
    output = backend.run(batch(*shape))
    assert output.logits.shape == (shape[0], len(GOOGLE))
    assert output.embedding.shape == (shape[0], DIMENSIONS)
    assert output.logits.dtype == output.embedding.dtype == np.float32


def test_parity_with_the_reference(backend: Backend) -> None:
    rows = batch(50, 60)
    expected = NumpyBackend.load(ARTIFACT).run(rows)
    output = backend.run(rows)
    assert np.allclose(output.logits, expected.logits, rtol=0, atol=TOLERANCE)
    assert np.allclose(output.embedding, expected.embedding, rtol=0, atol=TOLERANCE)


def test_embeddings_are_unit_vectors_or_zero(backend: Backend) -> None:
    rows = batch(20, 30)
    rows[0] = 0
    embedding = backend.run(rows).embedding
    assert not embedding[0].any()
    known = (rows > 0).any(axis=1)
    assert np.allclose(np.linalg.norm(embedding[known], axis=1), 1.0, atol=1e-4)


def test_padding_and_batch_do_not_change_a_result(backend: Backend) -> None:
    """A text gets the same result alone, in a batch, and with more padding."""
    rows = batch(9, 20)
    together = backend.run(np.pad(rows, ((0, 0), (0, 30)))).logits
    for text in range(9):
        alone = backend.run(rows[text : text + 1]).logits
        assert np.allclose(alone, together[text : text + 1], rtol=0, atol=TOLERANCE)


def test_threads_share_a_backend(backend: Backend) -> None:
    batches = [batch(20, 25, seed) for seed in range(6)]
    expected = [backend.run(rows).logits for rows in batches]
    answers: dict[int, list[bool]] = {}

    def work(number: int) -> None:
        answers[number] = [
            np.array_equal(backend.run(rows).logits, logits)
            for rows, logits in zip(batches, expected, strict=True)
        ]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [all(answers[number]) for number in range(4)] == [True] * 4
