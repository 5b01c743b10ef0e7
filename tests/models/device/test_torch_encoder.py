"""The packed encoder in torch on the processor, with its GPU kernels in Triton's interpreter."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from models.device.encoder.weights import read_weights
from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS, VOCABULARY
from models.encoder.device import open_encoder
from models.encoder.encoder import LONGEST
from models.encoder.onnx_backend import EncoderBackend
from models.encoder.wordpiece import WordPiece
from models.serving_config import Hardware
from models.text.languages import Language

if find_spec("torch") is None:
    pytest.skip("needs torch: pip install 'shelfstream[torch]'", allow_module_level=True)
import torch

from models.device.encoder.packed_backend import PackedEncoderBackend
from models.device.encoder.torch_encoder import TorchEncoder

TEXTS: dict[Language, list[str]] = {
    "en": [
        "ceramic mug",
        "a",
        "nike air zoom men's running shoes blue size 10",
        "kids pyjama set, cotton, " * 9,
    ],
    "zh": ["红色 陶瓷 马克杯", "无线鼠标 2.4g 黑色", "女童连衣裙夏季新款"],
}
KERNELS = """
import numpy as np, torch
from models.device.encoder import tile_kernels as kernels
from models.device.encoder.packing import TILE, pack, write_tiles
from models.device.encoder.torch_encoder import PlainKernels

plain = PlainKernels()
torch.manual_seed(0)
for width, heads in ((384, 12), (512, 8)):
    lengths = [5, 7, 64, 33, 2, 13]
    packing = pack(lengths)
    words = np.zeros(packing.tiles * TILE, dtype=np.int32)
    write_tiles(packing, np.arange(sum(lengths), dtype=np.int32), np.array(lengths, dtype=np.int32), words)
    tiles, table, places = torch.from_numpy(words), torch.randn(200, width), torch.randn(TILE, width)
    norm = (torch.rand(width), torch.randn(width))
    projected, states = torch.randn(len(tiles), 3 * width), torch.randn(len(tiles), width)
    for name, arguments in (
        ("embed", (tiles, table, places, norm, 1e-12)),
        ("add_norm", (states, states.flip(0), norm, 1e-12)),
        ("attend", (projected, tiles, heads)),
    ):
        torch.testing.assert_close(
            getattr(kernels, name)(*arguments), getattr(plain, name)(*arguments), atol=1e-5, rtol=1e-5
        )
starts = torch.tensor([0, 1, 1, 4, 5, 9], dtype=torch.int32)
cosines = torch.rand(3, 9)
assert torch.equal(kernels.nearest(cosines, starts), plain.nearest(cosines, starts))
rows = torch.randint(0, 50, (40,), dtype=torch.int32)
bags = [each.bag(rows, starts, torch.ones(50, 64).cumsum(0)) for each in (kernels, plain)]
torch.testing.assert_close(*bags, atol=1e-5, rtol=1e-5)
print("same")
"""


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(
    ("dtype", "least"), [(torch.float32, 0.999999), (torch.float16, 0.99999), (torch.bfloat16, 0.9995)]
)
def test_packed_texts_have_the_vectors_of_the_rebuilt_weights(
    language: Language, dtype: torch.dtype, least: float
) -> None:
    weights = read_weights(SHIPPED_ENCODERS / language / GRAPH)
    tokenizer = WordPiece(SHIPPED_ENCODERS / language / VOCABULARY, LONGEST)
    exact = PackedEncoderBackend(TorchEncoder(weights, dtype=torch.float32), "cpu")
    expected = np.concatenate([exact.run(*tokenizer.batch([text])) for text in TEXTS[language]])
    packed = PackedEncoderBackend(TorchEncoder(weights, dtype=dtype), "cpu")
    found = packed.run(*tokenizer.batch(TEXTS[language] * 5))
    assert (found * np.tile(expected, (5, 1))).sum(axis=1).min() >= least


@pytest.mark.parametrize("language", TEXTS)
def test_the_shipped_encoder_opens_with_torch(language: Language) -> None:
    folder = SHIPPED_ENCODERS / language
    batch = WordPiece(folder / VOCABULARY, LONGEST).batch(TEXTS[language])
    found = open_encoder(folder, 1, Hardware(runtime="torch")).run(*batch)
    expected = EncoderBackend(folder / GRAPH).run(*batch)
    assert (found * expected).sum(axis=1).min() >= 0.995
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


@pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton, which comes with torch for Linux")
@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0",
    reason="Triton's interpreter converts arrays of one element to numbers, which NumPy 2.5 refuses",
)
def test_kernels_compute_what_plain_torch_does() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KERNELS], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "same\n", done.stderr
