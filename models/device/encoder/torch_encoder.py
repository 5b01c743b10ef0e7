"""The forward pass of a BERT in torch on packed texts, with the shipped weights and no Hugging Face files.

On a CUDA device everything but matrix products runs in the kernels of `models.device.encoder.tile_kernels`.
Elsewhere it runs in plain torch, which is the reference for these kernels.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.nn import functional

from models.device.encoder.packing import TILE, token_parts
from models.device.encoder.weights import EncoderWeights


class Kernels(Protocol):
    """The computations of the cascade on a device that are not matrix products."""

    def attend(self, projected: Any, tiles: Any, heads: int) -> Any:
        """As `models.device.encoder.tile_kernels.attend`."""
        ...

    def add_norm(self, added: Any, states: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
        """As `models.device.encoder.tile_kernels.add_norm`."""
        ...

    def embed(self, tiles: Any, words: Any, positions: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
        """As `models.device.encoder.tile_kernels.embed`."""
        ...

    def nearest(self, cosines: Any, starts: Any) -> Any:
        """As `models.device.encoder.tile_kernels.nearest`."""
        ...

    def bag(self, rows: Any, offsets: Any, table: Any) -> Any:
        """As `models.device.encoder.tile_kernels.bag`."""
        ...


class PlainKernels:
    """The kernels in plain torch, for any device."""

    def attend(self, projected: Any, tiles: Any, heads: int) -> Any:
        """As `models.device.encoder.tile_kernels.attend`."""
        width = projected.shape[1] // 3
        split = projected.view(-1, TILE, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        _, segments, _ = token_parts(tiles.view(-1, 1, 1, TILE))
        same = segments.transpose(2, 3) == segments
        mixed = functional.scaled_dot_product_attention(*split.unbind(0), attn_mask=same)
        return mixed.transpose(1, 2).reshape(-1, width)

    def add_norm(self, added: Any, states: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
        """As `models.device.encoder.tile_kernels.add_norm`."""
        return _normal(added.float() + states.float(), norm, epsilon).to(states.dtype)

    def embed(self, tiles: Any, words: Any, positions: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
        """As `models.device.encoder.tile_kernels.embed`."""
        ids, _, places = token_parts(tiles)
        return _normal(words[ids].float() + positions[places].float(), norm, epsilon).to(words.dtype)

    def nearest(self, cosines: Any, starts: Any) -> Any:
        """As `models.device.encoder.tile_kernels.nearest`."""
        count = starts.shape[0] - 1
        # A CUDA graph cannot wait for the device to compute the output's size.
        owner = torch.repeat_interleave(
            torch.arange(count, device=starts.device), starts.diff().long(), output_size=cosines.shape[1]
        )
        out = torch.full((len(cosines), count), -1.0, device=cosines.device)
        return out.scatter_reduce_(1, owner.expand(len(cosines), -1), cosines.float(), "amax")

    def bag(self, rows: Any, offsets: Any, table: Any) -> Any:
        """As `models.device.encoder.tile_kernels.bag`."""
        # The last bag holds the rows after those of the last title.
        return functional.embedding_bag(rows, table, offsets, mode="sum")[:-1]


def _normal(total: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
    scale, shift = norm
    return functional.layer_norm(total, scale.shape, scale.float(), shift.float(), epsilon)


def kernels_for(device: str) -> Kernels:
    """The fastest kernels that run on a device."""
    if device == "cpu":
        return PlainKernels()
    try:
        from models.device.encoder import tile_kernels
    except ModuleNotFoundError:  # torch brings Triton on Linux only.
        return PlainKernels()
    return tile_kernels


def exact_gelu(states: Any, bias: Any, matrix: Any) -> Any:
    """A matrix product and the exact GELU, with which the encoder was trained."""
    return functional.gelu(torch.addmm(bias, states, matrix))


class TorchEncoder:
    """Encodes packed texts.

    Args:
        weights: The weights of a BERT.
        device: `cuda` or `cpu`.
        dtype: torch's type of weights and states; None is float16 on CUDA and float32 elsewhere.
        kernels: Runs everything but matrix products; None is the fastest choice for the device.

    Attributes:
        dimensions: The width of the vectors.
        flops_per_token: As `EncoderWeights.flops_per_token`.
        kernels: As given.
        gelu: Computes a matrix product and its activation.
    """

    def __init__(
        self,
        weights: EncoderWeights,
        device: str = "cpu",
        dtype: Any = None,
        kernels: Kernels | None = None,
    ) -> None:
        half = dtype or (torch.float16 if device == "cuda" else torch.float32)
        self.dimensions, self.flops_per_token = weights.dimensions, weights.flops_per_token
        self.kernels = kernels or kernels_for(device)
        self.gelu: Callable[[Any, Any, Any], Any] = exact_gelu
        self._heads, self._epsilon = weights.heads, weights.epsilon

        def put(array: Any) -> Any:
            return torch.from_numpy(array.copy()).to(device, half)

        self._tokens, self._positions = put(weights.token_embeddings), put(weights.positions[:TILE])
        self._norm = (put(weights.norm[0]), put(weights.norm[1]))
        self._layers = [
            (
                [put(matrix) for matrix in layer.matrices],
                [put(bias) for bias in layer.biases],
                [(put(scale), put(shift)) for scale, shift in layer.norms],
            )
            for layer in weights.layers
        ]

    def states(self, tiles: Any) -> Any:
        """The states of the last layer, shape [tokens, dimensions].

        Args:
            tiles: What `write_tiles` wrote, int32, shape [tokens].
        """
        kernels, epsilon = self.kernels, self._epsilon
        states = kernels.embed(tiles, self._tokens, self._positions, self._norm, epsilon)
        for matrices, biases, norms in self._layers:
            projected = torch.addmm(biases[0], states, matrices[0])
            mixed = kernels.attend(projected, tiles, self._heads)
            states = kernels.add_norm(torch.addmm(biases[1], mixed, matrices[1]), states, norms[0], epsilon)
            inner = self.gelu(states, biases[2], matrices[2])
            states = kernels.add_norm(torch.addmm(biases[3], inner, matrices[3]), states, norms[1], epsilon)
        return states

    def vectors(self, tiles: Any, starts: Any) -> Any:
        """Unit vectors of texts, shape [texts, dimensions], float32.

        Args:
            tiles: What `write_tiles` wrote, int32, shape [tokens].
            starts: The place of each text's first token, shape [texts].
        """
        return functional.normalize(self.states(tiles)[starts].float(), dim=1)
