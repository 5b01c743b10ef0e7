"""The shipped encoder in torch as a backend of text encoders: packed texts, on any device."""

from threading import Lock

import numpy as np
import torch

from models.arrays import Floats, Indices
from models.device.encoder.packing import TILE, TILE_COUNTS, pack, smallest_size, write_tiles
from models.device.encoder.torch_encoder import TorchEncoder

_MAX_TEXTS = 1024
"""The most texts of one run."""


class PackedEncoderBackend:
    """Encodes token ids as unit vectors. Thread-safe: batches run one after the other.

    Args:
        encoder: Runs packed tokens.
        device: The encoder's device.
    """

    def __init__(self, encoder: TorchEncoder, device: str) -> None:
        self._encoder, self._device = encoder, device
        self._lock = Lock()

    def run(self, ids: Indices, mask: Indices) -> Floats:
        """As `TextEncoder.run`."""
        parts = [
            self._encode(ids[start : start + _MAX_TEXTS], mask[start : start + _MAX_TEXTS])
            for start in range(0, len(ids), _MAX_TEXTS)
        ]
        return np.concatenate(parts)

    def _encode(self, ids: Indices, mask: Indices) -> Floats:
        lengths = mask.sum(axis=1).astype(np.int32)
        packing = pack(lengths.tolist())
        tiles = np.zeros(smallest_size(TILE_COUNTS, packing.tiles) * TILE, dtype=np.int32)
        write_tiles(packing, ids[mask > 0].astype(np.int32), lengths, tiles)
        with self._lock, torch.inference_mode():
            on_device, starts = (
                torch.from_numpy(array).to(self._device) for array in (tiles, packing.starts)
            )
            return np.asarray(self._encoder.vectors(on_device, starts).cpu().numpy(), dtype=np.float32)
