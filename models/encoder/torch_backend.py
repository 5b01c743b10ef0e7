"""Runs a text encoder of a Hugging Face folder with torch, on any device and without padding."""

from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModel

from models.arrays import Floats, Indices
from schemas.errors import StopWorker

Precision = Literal["auto", "float32", "bfloat16"]


def has_cuda() -> bool:
    """Whether torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


def ran_out_of_memory(error: Exception) -> bool:
    """Whether the error is torch's out-of-memory error; if so, torch's cached memory is released."""
    if not isinstance(error, torch.OutOfMemoryError):
        return False
    torch.cuda.empty_cache()
    return True


class TorchEncoderBackend:
    """Encodes token ids as unit vectors: the mean of the last layer over each text's tokens. Thread-safe.

    Args:
        source: The folder with `config.json` and the weights of a BERT-like encoder.
        device: `cuda` or `cpu`.
        precision: `auto` is bfloat16 if the device supports it, else float32.
        most: The most texts of one run.

    Raises:
        StopWorker: The folder cannot be read, or the device does not exist.
    """

    def __init__(
        self, source: Path, device: str = "cpu", precision: Precision = "auto", most: int = 256
    ) -> None:
        if device == "cuda" and not has_cuda():
            raise StopWorker("torch finds no CUDA device: set SHELFSTREAM_DEVICE=cpu.")
        half = precision == "bfloat16" or (
            precision == "auto" and device == "cuda" and torch.cuda.is_bf16_supported()
        )
        try:
            model = AutoModel.from_pretrained(str(source), local_files_only=True, attn_implementation="sdpa")
        except (OSError, ValueError) as error:
            raise StopWorker(f"torch cannot read the encoder {source}: {error}") from error
        self._model: Any = model.eval().to(device, torch.bfloat16 if half else torch.float32)
        self._device, self._most = device, most
        self._lock = Lock()

    def run(self, ids: Indices, mask: Indices) -> Floats:
        """As `TextEncoder.run`."""
        lengths = mask.sum(axis=1).tolist()
        vectors = np.zeros((len(ids), self._model.config.hidden_size), dtype=np.float32)
        # Texts of equal length need neither padding nor a mask.
        order = sorted(range(len(ids)), key=lengths.__getitem__)
        for length, members in groupby(order, key=lengths.__getitem__):
            texts = list(members)
            for start in range(0, len(texts), self._most):
                chosen = texts[start : start + self._most]
                with self._lock:
                    vectors[chosen] = self._encode(ids[chosen, :length])
        return vectors

    def _encode(self, ids: Indices) -> Floats:
        with torch.inference_mode():
            states = self._model(input_ids=torch.from_numpy(ids).to(self._device)).last_hidden_state
            means = torch.nn.functional.normalize(states.float().mean(1), dim=1)
            return np.asarray(means.cpu().numpy(), dtype=np.float32)
