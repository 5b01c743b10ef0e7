"""The classifier on a real CUDA device; skipped without one.

`test_classifier` and `test_torch_encoder` run the same code on the processor.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from models.encoder.artifact import SHIPPED_ENCODERS
from models.encoder.by_language import Encoders
from models.encoder.device import open_encoder
from models.encoder.loading import load_second_stage
from models.enrichment.serving_classifier import load_classifier
from models.serving_config import Hardware, ServingConfig
from models.student.artifact import Artifact
from models.student.classifier import Classification
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean, join_description
from models.text.languages import Language
from streams.demo.sample_shop import iter_products

if find_spec("torch") is None:
    pytest.skip("needs torch", allow_module_level=True)
import torch

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)

from models.device.cascade.classifier import DeviceClassifier
from models.device.cascade.runner import DirectRunner, GraphRunner
from models.device.encoder import tile_kernels
from models.device.encoder.packing import TILE, pack, write_tiles
from models.device.encoder.torch_encoder import PlainKernels

TREE = Taxonomy.google()
TITLES = [clean(product.title) for product in iter_products()]


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    found = load_second_stage(TREE, ServingConfig(threads=4))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def classifier(encoders: Encoders) -> DeviceClassifier:
    return DeviceClassifier(Artifact.load(None, TREE), TREE, encoders)


@pytest.fixture(scope="module")
def reference(encoders: Encoders) -> DeviceClassifier:
    """The same program in float32 and plain torch on the processor."""
    return DeviceClassifier(Artifact.load(None, TREE), TREE, encoders, device="cpu")


def texts(language: Language) -> list[str]:
    if language == "zh":
        return [clean(node.translations["zh"]) for node in TREE.nodes[::20] if "zh" in node.translations]
    return [
        *TITLES[:500],
        "",
        "???",
        join_description(TITLES[0], "a gift for the kitchen"),
        join_description("", "a mug"),
    ]


def tiles_of(lengths: Sequence[int]) -> Any:
    packing = pack(lengths)
    tiles = np.zeros(packing.tiles * TILE, dtype=np.int32)
    count = np.array(lengths, dtype=np.int32)
    ids = np.random.default_rng(1).integers(0, 300, count.sum()).astype(np.int32)
    write_tiles(packing, ids, count, tiles)
    return torch.from_numpy(tiles).cuda()


@pytest.mark.parametrize(("width", "heads"), [(384, 12), (512, 8)])
def test_kernels_compute_what_plain_torch_does(width: int, heads: int) -> None:
    torch.manual_seed(0)
    plain = PlainKernels()
    tiles = tiles_of(np.random.default_rng(0).integers(2, TILE + 1, 500).tolist())

    def half(*shape: int) -> Any:
        return torch.randn(*shape, device="cuda").half()

    words, positions, norm = half(300, width), half(TILE, width), (half(width), half(width))
    projected, added, states = half(len(tiles), 3 * width), half(len(tiles), width), half(len(tiles), width)
    pairs = [
        (kernels.embed(tiles, words, positions, norm, 1e-12) for kernels in (tile_kernels, plain)),
        (kernels.add_norm(added, states, norm, 1e-12) for kernels in (tile_kernels, plain)),
        (kernels.attend(projected, tiles, heads) for kernels in (tile_kernels, plain)),
    ]
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=8e-3, rtol=2e-3)
    starts = torch.tensor([0, 1, 1, 4, 5, 9], dtype=torch.int32, device="cuda")
    cosines = torch.rand(7, 9, device="cuda")
    assert torch.equal(tile_kernels.nearest(cosines, starts), plain.nearest(cosines, starts))
    table, rows = torch.randn(50, 64, device="cuda"), torch.randint(0, 50, (90,), device="cuda").int()
    torch.testing.assert_close(
        tile_kernels.bag(rows, starts, table), plain.bag(rows, starts, table), atol=1e-5, rtol=1e-5
    )


def assert_agreement(one: Sequence[Classification], other: Sequence[Classification]) -> None:
    """Half precision may change only close decisions."""
    pairs = [*zip(one, other, strict=True)]
    assert np.mean([left.category == right.category for left, right in pairs]) >= 0.995
    assert max(abs(left.confidence - right.confidence) for left, right in pairs) <= 0.02
    assert [left.category < 0 for left, _ in pairs] == [right.category < 0 for _, right in pairs]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_device_decides_as_float32_on_the_processor(
    classifier: DeviceClassifier, reference: DeviceClassifier, encoders: Encoders, language: Language
) -> None:
    if language not in encoders.stages:
        pytest.skip(f"there is no encoder of {language!r}")
    assert_agreement(classifier.classify(texts(language)), reference.classify(texts(language)))


def test_the_hardware_setting_puts_the_shipped_classifier_on_the_device() -> None:
    hardware = Hardware(device="cuda", runtime="torch")
    served = load_classifier(Artifact.load(None, TREE), TREE, ServingConfig(hardware=hardware))
    assert isinstance(served, DeviceClassifier)
    cascade = load_classifier(Artifact.load(None, TREE), TREE)
    pairs = [*zip(served.classify(TITLES[:200]), cascade.classify(TITLES[:200]), strict=True)]
    assert np.mean([one.category == other.category for one, other in pairs]) >= 0.95


def test_the_encoder_alone_opens_on_the_device(encoders: Encoders) -> None:
    for language, stage in encoders.stages.items():
        encoder = open_encoder(SHIPPED_ENCODERS / language, 1, Hardware(device="cuda", runtime="torch"))
        read = texts(language)[:50]
        cosines = (encoder.run(*stage.tokenizer.batch(read)) * stage.encode(read)).sum(axis=1)
        assert cosines.min() >= {"en": 0.995, "zh": 0.99}[language]


def test_graphs_give_the_results_of_the_program(classifier: DeviceClassifier) -> None:
    program = classifier.program
    batches = [*classifier.builder.batches(TITLES[:64] * 5)] * 2
    direct, graphs = DirectRunner(program.run, "cuda"), GraphRunner(program.run)
    for batch in batches:
        inputs = (batch.buffer, batch.shape, batch.language)
        expected = direct.collect(direct.submit(*inputs))
        assert np.array_equal(graphs.collect(graphs.submit(*inputs)), expected)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Memory for small micro-batches, but not for large ones."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 300 * 2**20) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_device_that_runs_out_of_memory_gets_smaller_batches(
    encoders: Encoders, reference: DeviceClassifier, little_memory: None
) -> None:
    classifier = DeviceClassifier(Artifact.load(None, TREE), TREE, encoders)
    max_texts = classifier.builder.max_texts
    found = classifier.classify(TITLES)
    assert classifier.builder.max_texts < max_texts
    assert len(found) == len(TITLES)
    assert_agreement(found[:200], reference.classify(TITLES[:200]))
