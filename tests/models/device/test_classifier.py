"""The whole classifier as one program of torch, compared with the processor's path.

The program runs in float32 on the processor here; `test_cuda` runs it on a GPU.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from models.device.encoder.weights import read_weights
from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS
from models.encoder.backend import TextEncoder
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.encoder.loading import load_second_stage
from models.student.artifact import Artifact
from models.student.classifier import Classification, StudentClassifier
from models.student.onnx_backend import OnnxBackend
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean, join_description
from schemas.errors import RetryLater
from streams.demo.sample_shop import iter_products

if find_spec("torch") is None:
    pytest.skip("needs torch: pip install 'shelfstream[torch]'", allow_module_level=True)
import torch

from models.device.cascade.classifier import DeviceClassifier
from models.device.cascade.layout import BatchShape
from models.device.cascade.runner import DirectRunner, Ticket
from models.device.encoder.packed_backend import PackedEncoderBackend
from models.device.encoder.packing import Ints
from models.device.encoder.torch_encoder import TorchEncoder
from models.text.languages import Language

TREE = Taxonomy.google()
ARTIFACT = Artifact.load(None, TREE)
TITLES = [clean(product.title) for product in iter_products()][:60]
TEXTS = [
    *TITLES,
    *(clean(node.translations["zh"]) for node in TREE.nodes[::400] if "zh" in node.translations),
    "",
    "???",
    "кружка",
    "ceramic mug " * 50,
    join_description(TITLES[0], "a lovely gift for the kitchen"),
    join_description("", "a lovely gift for the kitchen"),
    join_description("???", "好看的杯子"),
]


@cache
def second(exact: bool) -> Encoders:
    """The shipped encoders: in int8, or in float32 as on the device."""
    found = load_second_stage(TREE)
    assert found is not None
    return Encoders([in_float32(stage) for stage in found.stages.values()]) if exact else found


def in_float32(stage: EncoderStage) -> EncoderStage:
    weights = read_weights(SHIPPED_ENCODERS / stage.language / GRAPH)
    backend: TextEncoder = PackedEncoderBackend(TorchEncoder(weights), "cpu")
    return EncoderStage(
        stage.tokenizer, backend, stage.prototypes, stage.scale, stage.language, stage.version
    )


@pytest.fixture(scope="module")
def device() -> DeviceClassifier:
    return DeviceClassifier(ARTIFACT, TREE, second(exact=False), device="cpu")


def assert_same(one: Sequence[Classification], other: Sequence[Classification], tolerance: float) -> None:
    for left, right in zip(one, other, strict=True):
        assert (left.category, left.sure) == (right.category, right.sure)
        assert left.confidence == pytest.approx(right.confidence, abs=tolerance)
        assert [mass for _, mass in left.candidates] == pytest.approx(
            [mass for _, mass in right.candidates], abs=tolerance
        )
        assert np.abs(left.embedding.astype(int) - right.embedding).max() <= 1


def test_it_decides_as_the_cascade_with_the_same_weights(device: DeviceClassifier) -> None:
    cascade = StudentClassifier(ARTIFACT, OnnxBackend(ARTIFACT), TREE, second=second(exact=True))
    assert_same(device.classify(TEXTS), cascade.classify(TEXTS), 5e-4)


def test_it_is_near_the_int8_cascade(device: DeviceClassifier) -> None:
    cascade = StudentClassifier(ARTIFACT, OnnxBackend(ARTIFACT), TREE, second=second(exact=False))
    assert device.model_version == cascade.model_version
    assert device.reads_descriptions
    pairs = [*zip(device.classify(TEXTS), cascade.classify(TEXTS), strict=True)]
    assert np.mean([one.category == other.category for one, other in pairs]) >= 0.95
    assert np.mean([one.sure == other.sure for one, other in pairs]) >= 0.98
    assert max(abs(one.confidence - other.confidence) for one, other in pairs) <= 0.15


def test_without_a_second_stage_it_is_the_student() -> None:
    alone = DeviceClassifier(ARTIFACT, TREE, None, device="cpu")
    student = StudentClassifier(ARTIFACT, OnnxBackend(ARTIFACT), TREE)
    assert_same(alone.classify(TEXTS), student.classify(TEXTS), 2e-4)
    assert alone.model_version == student.model_version
    assert not alone.reads_descriptions
    assert alone.dimensions == student.dimensions


def test_a_configured_threshold_is_used() -> None:
    alone = DeviceClassifier(ARTIFACT, TREE, None, 0.5, device="cpu")
    assert_same(
        alone.classify(TEXTS),
        StudentClassifier(ARTIFACT, OnnxBackend(ARTIFACT), TREE, 0.5).classify(TEXTS),
        2e-4,
    )


def test_probabilities_are_those_of_the_cascade(device: DeviceClassifier) -> None:
    cascade = StudentClassifier(ARTIFACT, OnnxBackend(ARTIFACT), TREE, second=second(exact=True))
    found = device.probabilities(TEXTS)
    assert np.allclose(found, cascade.probabilities(TEXTS), atol=5e-4)
    assert not found[TEXTS.index("???")].any()


def test_other_texts_of_the_batch_hardly_change_a_result(device: DeviceClassifier) -> None:
    alone = [device.classify([text])[0] for text in TEXTS[:20]]
    assert_same(device.classify(TEXTS)[:20], alone, 2e-4)


def test_no_texts_have_no_results(device: DeviceClassifier) -> None:
    assert device.classify([]) == []
    assert device.probabilities([]).shape == (0, len(TREE))


class LittleMemory:
    """Runs batches of at most `max_titles` titles; counts the releases of memory."""

    def __init__(self, inner: DirectRunner, max_titles: int) -> None:
        self._inner, self.max_titles, self.releases = inner, max_titles, 0

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ticket:
        if shape.titles > self.max_titles:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._inner.submit(buffer, shape, language)

    def collect(self, ticket: Ticket) -> Ints:
        return self._inner.collect(ticket)

    def release_memory(self) -> None:
        self.releases += 1


def test_batches_are_halved_if_memory_runs_out() -> None:
    alone = DeviceClassifier(ARTIFACT, TREE, None, device="cpu")
    expected = alone.classify(TEXTS)
    alone.runner = LittleMemory(DirectRunner(alone.program.run), 8)
    assert_same(alone.classify(TEXTS), expected, 1e-6)
    assert alone.builder.max_texts <= 8
    assert alone.runner.releases > 0
    assert_same(alone.classify(TEXTS), expected, 1e-6)


def test_without_memory_for_one_text_it_is_tried_later() -> None:
    alone = DeviceClassifier(ARTIFACT, TREE, None, device="cpu")
    alone.runner = LittleMemory(DirectRunner(alone.program.run), 0)
    with pytest.raises(RetryLater, match="no memory"):
        alone.classify(["ceramic mug"])


def test_other_errors_are_raised() -> None:
    class Broken(LittleMemory):
        def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ticket:
            raise RuntimeError("illegal instruction")

    alone = DeviceClassifier(ARTIFACT, TREE, None, device="cpu")
    alone.runner = Broken(DirectRunner(alone.program.run), 8)
    with pytest.raises(RuntimeError, match="illegal"):
        alone.classify(["ceramic mug"])
