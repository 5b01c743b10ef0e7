"""Chinese titles as rows of a table of weights: what stands at and around each character.

All texts of a batch lie in one line of characters with gaps of zeros between, wider than any feature looks,
so that what is said of one text does not depend on its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import Indices

GAP = 4
"""Zeros before, between and after texts."""
SLOT_BITS = 22
"""Features and gazetteers' entries are known by this many bits of a hash; two that share them are one."""
LONGEST_ENTRY = 8
"""Characters of a gazetteer's longest entry; the shortest has two."""

Hashes = npt.NDArray[np.uint64]
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_LONGEST_PIECE = 4
_RUN, _SHAPE, _SKIP, _CLASSES, _SIGNATURE = range(4, 9)
TEMPLATES = (
    *((0, tap) for tap in (-2, -1, 0, 1, 2)),
    *((1, tap) for tap in (-2, -1, 0, 1)),
    *((2, tap) for tap in (-2, -1, 0)),
    *((3, tap) for tap in (-3, -2, -1, 0)),
    *((_RUN, tap) for tap in (-1, 0, 1)),
    *((_SHAPE, tap) for tap in (-1, 0, 1)),
    (_SKIP, -1),
    (_CLASSES, -2),
    *((_SIGNATURE, tap) for tap in (-1, 0, 1)),
)
"""Which channel at which distance: pieces of 1, 2, 3 and 4 that begin there, the Latin run there and its
shape, a character and the one after the next, five classes of characters, what gazetteers say together."""


@dataclass(frozen=True, slots=True)
class Line:
    """Texts laid in one line.

    Attributes:
        codes: Shape [characters]: code points, 0 in gaps.
        starts: Where each text begins.
        lengths: How long each is.
    """

    codes: Hashes
    starts: Indices
    lengths: Indices

    @property
    def owners(self) -> Indices:
        """For each character, the number of its text; -1 in gaps."""
        owners = np.full(len(self.codes), -1, dtype=np.int64)
        for number, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            owners[start : start + length] = number
        return owners


def lay(texts: Sequence[str]) -> Line:
    """Lay texts folded by `models.text.cleaning.fold` in one line."""
    gap = "\0" * GAP
    joined = gap + "".join(text.replace("\0", " ") + gap for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths + GAP)
    return Line(codes, ends - lengths, lengths)


def entry_slots(entries: Sequence[str]) -> Indices:
    """The slot of each entry, as `matches` looks it up; entries have 2 to `LONGEST_ENTRY` characters."""
    line = lay(entries)
    pieces = list(_pieces(line.codes, LONGEST_ENTRY))
    found = [pieces[length - 1][start] for start, length in zip(line.starts, line.lengths, strict=True)]
    return _slot(np.array(found, dtype=np.uint64), 0)


def matches(
    line: Line, masks: npt.NDArray[np.uint16], gazetteers: int, own: Indices | None = None
) -> Indices:
    """Where entries of gazetteers lie, shape [characters, gazetteers]: 0 nowhere, else place and length.

    The longest entry that covers a character counts: 3 n - 2 at its first, 3 n - 1 within, 3 n at its last
    character, n being its length less 1 and at most 4.

    Args:
        line: The texts.
        masks: Shape [2 ** SLOT_BITS]: bit g for an entry of gazetteer g.
        gazetteers: How many there are.
        own: Shape [2 ** SLOT_BITS]: a text in which the slot's entries do not count, as they were learnt from
            it alone; -1 for none.
    """
    found = np.zeros((len(line.codes), gazetteers), dtype=np.int64)
    places = np.flatnonzero(line.codes)
    room = np.zeros(len(line.codes), dtype=np.int64)
    room[places] = np.repeat(line.starts + line.lengths, line.lengths) - places
    owners = None if own is None else line.owners
    for length, hashes in enumerate(_pieces(line.codes, LONGEST_ENTRY), 1):
        if length == 1:
            continue
        slots = _slot(hashes, 0)
        bits = np.where(room >= length, masks[slots], 0)
        if own is not None and owners is not None:
            bits[own[slots] == owners] = 0
        starts = np.flatnonzero(bits)
        which, member = np.nonzero(bits[starts, None] >> np.arange(gazetteers) & 1)
        first, code = starts[which], 3 * min(length - 1, 4)
        for step in range(1, length - 1):
            found[first + step, member] = code - 1
        found[first + length - 1, member] = code
        found[first, member] = code - 2
    return found


def feature_slots(line: Line, gazetteers: Indices) -> Indices:
    """The slots of each character's features, shape [characters, TEMPLATES + gazetteers].

    Args:
        line: The texts.
        gazetteers: What `matches` found.
    """
    codes = line.codes
    run, shape, classes = _runs(codes)
    channels = [
        *_pieces(codes, _LONGEST_PIECE),
        run,
        shape,
        codes * np.uint64(_BASE) + _moved(codes, 2),
        classes,
        _signature(gazetteers),
    ]
    columns = [
        _slot(_moved(channels[channel], tap), salt) for salt, (channel, tap) in enumerate(TEMPLATES, 1)
    ]
    columns += [
        _slot(gazetteers[:, number].astype(np.uint64), len(TEMPLATES) + 1 + number)
        for number in range(gazetteers.shape[1])
    ]
    return np.stack(columns, axis=1)


def _slot(hashes: Hashes, salt: int) -> Indices:
    """The top bits of a mixed hash; 64-bit arithmetic wraps round, as multiplicative hashing wants."""
    mixed = (hashes ^ (hashes >> np.uint64(29))) + np.uint64(salt * 0x2545F4914F6CDD1D % (1 << 64))
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(_BASE)
    shifted: Indices = (mixed >> np.uint64(64 - SLOT_BITS)).astype(np.int64)
    return shifted


def _moved(values: Hashes, tap: int) -> Hashes:
    """At each place, the value `tap` places on; zeros beyond the ends."""
    moved = np.zeros_like(values)
    if tap > 0:
        moved[:-tap] = values[tap:]
    elif tap < 0:
        moved[-tap:] = values[:tap]
    else:
        return values
    return moved


def _pieces(codes: Hashes, longest: int) -> list[Hashes]:
    """For each length, the hash of the piece that begins at each character; gaps count as characters too."""
    characters = codes + np.uint64(1)
    found = [characters]
    for length in range(1, longest):
        found.append(found[-1] * np.uint64(_BASE) + _moved(characters, length))
    return found


def _signature(gazetteers: Indices) -> Hashes:
    """Which gazetteers begin, go on or end at a character, in one number."""
    signature = np.zeros(len(gazetteers), dtype=np.uint64)
    for number in range(gazetteers.shape[1]):
        code = gazetteers[:, number]
        signature = signature * np.uint64(4) + np.where(code > 0, (code - 1) % 3 + 1, 0).astype(np.uint64)
    return signature


def _runs(codes: Hashes) -> tuple[Hashes, Hashes, Hashes]:
    """Hashes of each letter's or digit's run, of that run's shape (`aa9`), of five characters' classes."""
    digit = (codes >= 48) & (codes <= 57)
    letter = (codes >= 97) & (codes <= 122)
    chinese = codes >= 0x3400
    classes = (digit * 1 + letter * 2 + chinese * 3 + (codes == 0) * 4).astype(np.uint64)
    latin = digit | letter
    edges = np.flatnonzero(np.diff(latin)) + 1
    starts, ends = edges[::2], edges[1::2]
    which = np.repeat(np.arange(len(starts)), ends - starts)
    results: list[Hashes] = []
    for values in (codes, classes):
        powers = _powers(_BASE, len(codes))
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(values * powers)])
        # The sum of value * base ** place over the run, moved to the line's start: the same wherever it lies.
        hashes = (sums[ends] - sums[starts]) * _powers(_INVERSE, len(codes))[starts]
        spread = np.zeros_like(codes)
        spread[latin] = hashes[which]
        results.append(spread)
    window = classes
    for place in range(1, 5):
        window = window * np.uint64(8) + _moved(classes, place)
    return results[0], results[1], window


def _powers(base: int, count: int) -> Hashes:
    """The powers 0, 1, … of a number modulo 2 ** 64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)
