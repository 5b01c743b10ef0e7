"""Computes the hashed features of each character of Chinese titles, as rows of a table of weights.

The texts of a batch are joined to one sequence of characters with gaps of zeros between them. The gaps are
wider than the context of any feature, so the features of a text do not depend on the other texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import Indices

GAP = 4
"""The number of zeros before, between and after texts."""
SLOT_BITS = 22
"""The number of hash bits that identify features and gazetteer entries; collisions are not resolved."""
LONGEST_ENTRY = 8
"""The maximum length of a gazetteer entry in characters; the minimum is two."""

Hashes = npt.NDArray[np.uint64]
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_LONGEST_NGRAM = 4
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
"""Channel and offset of each feature. The channels are the n-grams of 1 to 4 characters that begin there, the
Latin run and its shape, a character with the second next one, five character classes, and the gazetteer
codes."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """Texts joined to one sequence of characters.

    Attributes:
        codes: Code points, 0 in gaps, shape [characters].
        starts: The index of each text's first character, shape [texts].
        lengths: The length of each text in characters, shape [texts].
    """

    codes: Hashes
    starts: Indices
    lengths: Indices

    @property
    def owners(self) -> Indices:
        """The index of each character's text, -1 in gaps; shape [characters]."""
        owners = np.full(len(self.codes), -1, dtype=np.int64)
        for number, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            owners[start : start + length] = number
        return owners


def join_texts(texts: Sequence[str]) -> TextLine:
    """Join texts to one sequence.

    Args:
        texts: Texts as `models.text.cleaning.fold` returns them.
    """
    gap = "\0" * GAP
    joined = gap + "".join(text.replace("\0", " ") + gap for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths + GAP)
    return TextLine(codes, ends - lengths, lengths)


def entry_slots(entries: Sequence[str]) -> Indices:
    """Return the hash slot of each gazetteer entry.

    Args:
        entries: Phrases of 2 to `LONGEST_ENTRY` characters.

    Returns:
        Slots in [0, 2 ** SLOT_BITS), shape [entries].
    """
    line = join_texts(entries)
    ngrams = list(_ngram_hashes(line.codes, LONGEST_ENTRY))
    hashes = [ngrams[length - 1][start] for start, length in zip(line.starts, line.lengths, strict=True)]
    return _slot(np.array(hashes, dtype=np.uint64), 0)


def match_gazetteers(
    line: TextLine, masks: npt.NDArray[np.uint16], gazetteers: int, single_source: Indices | None = None
) -> Indices:
    """Find gazetteer entries in texts.

    A character's code describes the longest entry that covers it. With n = min(length - 1, 4), the code is 3
    n - 2 at the first character of the entry, 3 n - 1 within, and 3 n at the last character.

    Args:
        line: The texts.
        masks: The gazetteers of each slot, bit g for gazetteer g, shape [2 ** SLOT_BITS].
        gazetteers: The number of gazetteers.
        single_source: The index of the only text from which a slot's entries were learned, -1 for none, shape
            [2 ** SLOT_BITS]. The entries do not match in this text. None if all entries match everywhere.

    Returns:
        Codes, 0 where no entry matches, shape [characters, gazetteers].
    """
    codes = np.zeros((len(line.codes), gazetteers), dtype=np.int64)
    places = np.flatnonzero(line.codes)
    remaining = np.zeros(len(line.codes), dtype=np.int64)
    remaining[places] = np.repeat(line.starts + line.lengths, line.lengths) - places
    owners = None if single_source is None else line.owners
    for length, hashes in enumerate(_ngram_hashes(line.codes, LONGEST_ENTRY), 1):
        if length == 1:
            continue
        slots = _slot(hashes, 0)
        bits = np.where(remaining >= length, masks[slots], 0)
        if single_source is not None and owners is not None:
            bits[single_source[slots] == owners] = 0
        starts = np.flatnonzero(bits)
        which, member = np.nonzero(bits[starts, None] >> np.arange(gazetteers) & 1)
        first, code = starts[which], 3 * min(length - 1, 4)
        for step in range(1, length - 1):
            codes[first + step, member] = code - 1
        codes[first + length - 1, member] = code
        codes[first, member] = code - 2
    return codes


def feature_slots(line: TextLine, gazetteers: Indices) -> Indices:
    """Compute the hash slots of each character's features.

    Args:
        line: The texts.
        gazetteers: The codes of `match_gazetteers`.

    Returns:
        Slots in [0, 2 ** SLOT_BITS), shape [characters, templates + gazetteers].
    """
    codes = line.codes
    run, shape, classes = _runs(codes)
    channels = [
        *_ngram_hashes(codes, _LONGEST_NGRAM),
        run,
        shape,
        codes * np.uint64(_BASE) + _shifted(codes, 2),
        classes,
        _signature(gazetteers),
    ]
    columns = [
        _slot(_shifted(channels[channel], tap), salt) for salt, (channel, tap) in enumerate(TEMPLATES, 1)
    ]
    columns += [
        _slot(gazetteers[:, number].astype(np.uint64), len(TEMPLATES) + 1 + number)
        for number in range(gazetteers.shape[1])
    ]
    return np.stack(columns, axis=1)


def _slot(hashes: Hashes, salt: int) -> Indices:
    """Return the top bits of a mixed hash. 64-bit arithmetic wraps around, as in multiplicative hashing."""
    mixed = (hashes ^ (hashes >> np.uint64(29))) + np.uint64(salt * 0x2545F4914F6CDD1D % (1 << 64))
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(_BASE)
    slots: Indices = (mixed >> np.uint64(64 - SLOT_BITS)).astype(np.int64)
    return slots


def _shifted(values: Hashes, tap: int) -> Hashes:
    """Return at each position the value `tap` positions further; zeros beyond the ends."""
    shifted = np.zeros_like(values)
    if tap > 0:
        shifted[:-tap] = values[tap:]
    elif tap < 0:
        shifted[-tap:] = values[:tap]
    else:
        return values
    return shifted


def _ngram_hashes(codes: Hashes, longest: int) -> list[Hashes]:
    """Return for each length n the hash of the n-gram at each character. Gaps count as characters."""
    characters = codes + np.uint64(1)
    hashes = [characters]
    for length in range(1, longest):
        hashes.append(hashes[-1] * np.uint64(_BASE) + _shifted(characters, length))
    return hashes


def _signature(gazetteers: Indices) -> Hashes:
    """Encode which gazetteer entries begin, continue or end at each character, in one number."""
    signature = np.zeros(len(gazetteers), dtype=np.uint64)
    for number in range(gazetteers.shape[1]):
        code = gazetteers[:, number]
        signature = signature * np.uint64(4) + np.where(code > 0, (code - 1) % 3 + 1, 0).astype(np.uint64)
    return signature


def _runs(codes: Hashes) -> tuple[Hashes, Hashes, Hashes]:
    """Return hashes of each Latin character's run, the run's shape (`aa9`), and five characters' classes."""
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
        # The sum of value * base ** index over the run, divided by base ** start, does not depend on the
        # start.
        hashes = (sums[ends] - sums[starts]) * _powers(_INVERSE, len(codes))[starts]
        spread = np.zeros_like(codes)
        spread[latin] = hashes[which]
        results.append(spread)
    window = classes
    for place in range(1, 5):
        window = window * np.uint64(8) + _shifted(classes, place)
    return results[0], results[1], window


def _powers(base: int, count: int) -> Hashes:
    """Return the powers 0, 1, …, count - 1 of a number modulo 2 ** 64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)
