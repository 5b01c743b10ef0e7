"""Packs texts side by side into rows of a fixed number of tokens, so that there is little padding.

A row is called a tile. No text spans two tiles, and attention never crosses from one text to another, so that
a text's vector does not depend on its neighbors. The module computes places from lengths and knows no device.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]

TILE = 64
"""The tokens of a tile: as many as the longest text has."""
TILE_COUNTS = (1, 2, 4, 8, 16, 24, 32, 48, 64, *range(80, 449, 16), 512, 640, 768, 1024)
"""The numbers of tiles that are run; other numbers are padded to the next one."""
PADDING_SEGMENT = 63
"""The segment of tokens that belong to no text. A text has at least two tokens, so its segment is lower."""
_POSITION_SHIFT, _SEGMENT_SHIFT, _ID_MASK = 22, 16, 0xFFFF


@dataclass(frozen=True)
class Packing:
    """The places of texts in tiles.

    Attributes:
        starts: The place of each text's first token, counted over all tiles, shape [texts].
        segments: The number of each text within its tile, shape [texts].
        tiles: The number of tiles.
    """

    starts: Ints
    segments: Ints
    tiles: int


def pack(lengths: Sequence[int]) -> Packing:
    """Pack texts into tiles, the longest ones that still fit first.

    Args:
        lengths: The number of tokens of each text, 2 to `TILE`.

    Raises:
        ValueError: A text has fewer or more tokens.
    """
    by_length: list[list[int]] = [[] for _ in range(TILE + 1)]
    for text, length in enumerate(lengths):
        if not 2 <= length <= TILE:
            raise ValueError(f"a text of {length} tokens cannot be packed: 2 to {TILE} can")
        by_length[length].append(text)
    starts, segments = [0] * len(lengths), [0] * len(lengths)
    tiles, left = 0, len(lengths)
    longest = TILE
    while left:
        free, segment, length = TILE, 0, longest
        while True:
            while length >= 2 and not by_length[length]:
                length -= 1
            if length < 2:
                break
            text = by_length[length].pop()
            starts[text], segments[text] = tiles * TILE + TILE - free, segment
            free -= length
            segment += 1
            left -= 1
            length = min(length, free)
        while longest >= 2 and not by_length[longest]:
            longest -= 1
        tiles += 1
    return Packing(np.array(starts, dtype=np.int32), np.array(segments, dtype=np.int32), tiles)


def write_tiles(packing: Packing, ids: Ints, lengths: Ints, tiles: Ints) -> None:
    """Write texts' tokens into tiles. One number holds a token's id, its text's segment and its position.

    Args:
        packing: The places of the texts.
        ids: The token ids of all texts one after the other, each below 65,536.
        lengths: The number of tokens of each text, shape [texts].
        tiles: The array to overwrite, of shape [tiles * TILE] or longer.
    """
    tiles[:] = PADDING_SEGMENT << _SEGMENT_SHIFT
    if not len(ids):
        return
    before = np.cumsum(lengths) - lengths
    positions = np.arange(len(ids), dtype=np.int32) - np.repeat(before, lengths).astype(np.int32)
    places = np.repeat(packing.starts, lengths) + positions
    tiles[places] = (
        ids | (np.repeat(packing.segments, lengths) << _SEGMENT_SHIFT) | (positions << _POSITION_SHIFT)
    )


def token_parts(tiles: Ints) -> tuple[Ints, Ints, Ints]:
    """The ids, segments and positions that `write_tiles` wrote. Arrays of torch are allowed as well."""
    return (
        tiles & _ID_MASK,
        (tiles >> _SEGMENT_SHIFT) & PADDING_SEGMENT,
        (tiles >> _POSITION_SHIFT) & (TILE - 1),
    )


def smallest_size(sizes: Sequence[int], wanted: int) -> int:
    """The smallest of ascending sizes that is large enough.

    Raises:
        ValueError: No size is large enough.
    """
    for size in sizes:
        if size >= wanted:
            return size
    raise ValueError(f"{wanted} is more than the largest size {sizes[-1]}")
