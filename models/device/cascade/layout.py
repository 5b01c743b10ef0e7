"""The arrays that go to a device and come back. Each is one array of int32, so that each is one transfer."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.device.encoder.packing import TILE, Ints
from models.text.features import MAX_ROWS

ENCODED, DESCRIBED, UNSEEN = 1, 2, 4
"""Flags of a title: the tiles hold its tokens, for the case that the student is unsure; it has a description;
it escalates however confident the student is."""
SURE, KNOWN, ESCALATED = 1, 2, 4
"""Flags of a result: level 1 reached its threshold; the text has known features; the encoder took part."""
ROWS_PER_TITLE = 96
"""The feature rows per title that a shape has room for. A title has about 60."""
TITLE_COUNTS = (1, 8, 64, 256, 1024, 2048)
"""The numbers of titles that are run; other numbers are padded to the next one."""


class BatchShape(NamedTuple):
    """The size of a micro-batch, padding included.

    Attributes:
        titles: The number of titles.
        tiles: The number of tiles of tokens; 0 if no encoder runs.
    """

    titles: int
    tiles: int

    @property
    def rows(self) -> int:
        """The number of feature rows."""
        return max(MAX_ROWS, ROWS_PER_TITLE * self.titles)

    @property
    def size(self) -> int:
        """The length of the uploaded array."""
        return self.tiles * TILE + 3 * self.titles + 1 + self.rows


class Upload(NamedTuple):
    """The parts of an uploaded micro-batch: views of one array of numpy or of torch.

    Attributes:
        tiles: What `write_tiles` wrote, shape [tiles * TILE].
        starts: The place of each title's first token, 0 for a title without tokens, shape [titles].
        flags: The flags of each title, shape [titles].
        offsets: The place of each title's first feature row and the end of the last title's, shape
            [titles + 1].
        rows: Feature rows, padded with 0, shape [rows].
    """

    tiles: Any
    starts: Any
    flags: Any
    offsets: Any
    rows: Any


def split_upload(buffer: Ints, shape: BatchShape) -> Upload:
    """Split an array of `shape.size` numbers into the parts of a micro-batch."""
    tokens, titles = shape.tiles * TILE, shape.titles
    ends = np.cumsum([0, tokens, titles, titles, titles + 1, shape.rows]).tolist()
    return Upload(*(buffer[start:end] for start, end in pairwise(ends)))


class Download(NamedTuple):
    """The parts of a micro-batch's results: views of one array of shape [titles, result_width].

    Attributes:
        categories: The index of each title's category, shape [titles].
        flags: The flags of each result, shape [titles].
        confidences: The probability of each category with its subtree, shape [titles].
        columns: The indices of the likeliest categories, best first, shape [titles, candidates].
        probabilities: The probabilities of `columns`, shape [titles, candidates].
        embeddings: 127 times the unit vectors, int8, shape [titles, dimensions].
    """

    categories: Ints
    flags: Ints
    confidences: Floats
    columns: Ints
    probabilities: Floats
    embeddings: npt.NDArray[np.int8]


def result_width(candidates: int, dimensions: int) -> int:
    """The numbers of int32 in one title's result."""
    return 3 + 2 * candidates + -(-dimensions // 4)


def split_download(results: Ints, candidates: int, dimensions: int) -> Download:
    """Split an array of shape [titles, result_width] into the parts of a micro-batch's results.

    Args:
        results: The downloaded array.
        candidates: The number of likeliest categories per title.
        dimensions: The width of the embeddings.
    """
    after = 3 + candidates
    return Download(
        categories=results[:, 0],
        flags=results[:, 1],
        confidences=results[:, 2].view(np.float32),
        columns=results[:, 3:after],
        probabilities=results[:, after : after + candidates].view(np.float32),
        embeddings=results[:, after + candidates :].view(np.int8)[:, :dimensions],
    )
