"""Measures the encoder alone on a card, with packed titles that are on the card already."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch

from benchmarks.gpu_card import time_on_card
from benchmarks.gpu_report import Repeated
from models.device.cascade.host_batches import HostBatch
from models.device.cascade.layout import Upload, split_upload
from models.device.encoder.packing import TILE
from models.device.encoder.torch_encoder import TorchEncoder

_REPEATS = 20


@dataclass(frozen=True)
class EncoderSpeed:
    """The speed of an encoder.

    Attributes:
        titles: Titles per second.
        tokens: Tokens per second, without padding.
        operations: Operations per second in the matrix products of those tokens.
        padding: The fraction of the computed tokens that belong to no title.
    """

    titles: Repeated
    tokens: Repeated
    operations: Repeated
    padding: float


def measure_encoder(encoder: TorchEncoder, batches: Sequence[HostBatch], graphs: bool) -> EncoderSpeed:
    """Encode micro-batches of one shape repeatedly.

    Args:
        encoder: An encoder on CUDA.
        batches: Batches of one shape, which take turns.
        graphs: Whether a CUDA graph holds the program.
    """
    buffers = [torch.from_numpy(batch.buffer).cuda() for batch in batches]
    uploads = [split_upload(buffer, batch.shape) for buffer, batch in zip(buffers, batches, strict=True)]
    work = (
        _captured(encoder, uploads[0])
        if graphs
        else lambda upload: encoder.vectors(upload.tiles, upload.starts)
    )
    turns = cycle(uploads)

    def once() -> None:
        work(next(turns))

    with torch.inference_mode():
        seconds = time_on_card(once, _REPEATS)
    titles = sum(len(batch.members) for batch in batches) / len(batches)
    tokens = sum(batch.tokens for batch in batches) / len(batches)
    computed = sum(TILE * batch.shape.tiles for batch in batches) / len(batches)

    def rate(amount: float) -> Repeated:
        return Repeated([amount / each for each in seconds.runs])

    return EncoderSpeed(
        rate(titles), rate(tokens), rate(tokens * encoder.flops_per_token), 1.0 - tokens / computed
    )


def _captured(encoder: TorchEncoder, upload: Upload) -> Callable[[Any], object]:
    """Capture the encoder in a CUDA graph, whose input each call replaces."""
    tiles, starts = upload.tiles.clone(), upload.starts.clone()
    stream = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(2):
            encoder.vectors(tiles, starts)
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            kept = encoder.vectors(tiles, starts)

    def run(other: Upload) -> object:
        tiles.copy_(other.tiles)
        starts.copy_(other.starts)
        graph.replay()
        return kept

    return run
