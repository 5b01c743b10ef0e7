"""Builds micro-batches from texts on the host. Each is one array that is uploaded in one transfer."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.device.cascade.layout import (
    DESCRIBED,
    ENCODED,
    ROWS_PER_TITLE,
    TITLE_COUNTS,
    UNSEEN,
    BatchShape,
    split_upload,
)
from models.device.cascade.packed_features import PackedFeaturizer
from models.device.encoder.packing import TILE, TILE_COUNTS, Ints, pack, smallest_size, write_tiles
from models.encoder.wordpiece import WordPiece
from models.student.artifact import Artifact
from models.student.escalation import Escalation, escalation_of
from models.text.cleaning import split_description
from models.text.features import MAX_ROWS
from models.text.languages import Language, reads

_BYTES = 4


class HostBatch(NamedTuple):
    """A micro-batch that is ready to be uploaded.

    Attributes:
        members: The indices of the batch's texts.
        buffer: The array to upload, shape [shape.size].
        shape: The size of the batch.
        language: The language of the encoder that reads it; None if no encoder does.
        tokens: The number of tokens that belong to a text.
    """

    members: list[int]
    buffer: Ints
    shape: BatchShape
    language: Language | None
    tokens: int


class _TextInput(NamedTuple):
    """The input of the device for one text.

    Attributes:
        rows: Feature rows, as little-endian int32.
        ids: Token ids, as little-endian int32; empty if the text is not encoded.
        flags: `ENCODED`, `DESCRIBED` and `UNSEEN`.
        language: The language of the encoder that reads the text; None if no encoder does.
    """

    rows: bytes
    ids: bytes
    flags: int
    language: Language | None


class BatchBuilder:
    """Builds micro-batches of cleaned texts. Thread-safe.

    Args:
        artifact: The student's directory.
        tokenizers: The encoders' tokenizers by language; empty without a second stage.
        max_texts: The most texts of one micro-batch.
        encode_all: Whether every title that an encoder reads is encoded. Otherwise only titles that the
            cascade may escalate are: those with few seen n-grams, and those with a description.

    Attributes:
        max_texts: As given; may be changed.
        encode_all: As given; may be changed.
    """

    def __init__(
        self,
        artifact: Artifact,
        tokenizers: dict[Language, WordPiece],
        max_texts: int = TITLE_COUNTS[-1],
        encode_all: bool = False,
    ) -> None:
        self._features = PackedFeaturizer(artifact.tensor("hashes"), artifact.tensor("familiar"))
        self._tokenizers, self.max_texts, self.encode_all = tokenizers, max_texts, encode_all

    def batches(self, texts: Sequence[str]) -> Iterator[HostBatch]:
        """Yield micro-batches that together hold each text once. Each is built when it is requested."""
        for start in range(0, len(texts), self.max_texts):
            yield from self._batches(start, texts[start : start + self.max_texts])

    def _batches(self, first: int, texts: Sequence[str]) -> Iterator[HostBatch]:
        inputs = [self._read(text) for text in texts]
        groups: dict[Language | None, list[int]] = {}
        for number, each in enumerate(inputs):
            groups.setdefault(each.language, []).append(number)
        unread = groups.pop(None, [])
        # Texts that no encoder reads join the largest group, where they do not slow the encoder down.
        largest = max(groups, key=lambda language: len(groups[language]), default=None)
        groups.setdefault(largest, []).extend(unread)
        for language, members in groups.items():
            waiting = iter(members)
            while chosen := self._take(waiting, inputs):
                numbers = [first + number for number in chosen]
                yield _batch(numbers, [inputs[number] for number in chosen], language)

    def _read(self, text: str) -> _TextInput:
        title, description = split_description(text)
        rows, coverage = self._features.read(title)
        flags = DESCRIBED if description and self._tokenizers else 0
        when = escalation_of(title, coverage) if rows else Escalation.NEVER
        if not description and (not rows or (when is Escalation.NEVER and not self.encode_all)):
            return _TextInput(rows, b"", flags, None)
        encoded = ENCODED | (UNSEEN if when is Escalation.ALWAYS and not description else 0)
        for language, tokenizer in self._tokenizers.items():
            if reads(language, text):
                ids = tokenizer.packed(". ".join(filter(None, (title, description))))
                return _TextInput(rows, ids, flags | encoded, language)
        return _TextInput(rows, b"", flags, None)

    def _take(self, waiting: Iterator[int], inputs: Sequence[_TextInput]) -> list[int]:
        """Take the next texts that are certain to fit one micro-batch."""
        # Two tiles together hold more tokens than one can, or packing would have used one tile for them.
        max_tokens, max_rows = (TILE_COUNTS[-1] - 2) * TILE // 2, ROWS_PER_TITLE * TITLE_COUNTS[-1]
        chosen, tokens, rows = [], 0, 0
        for number in waiting:
            chosen.append(number)
            tokens += len(inputs[number].ids) // _BYTES
            rows += len(inputs[number].rows) // _BYTES
            if tokens + TILE > max_tokens or rows + MAX_ROWS > max_rows:
                break
        return chosen


def _batch(members: list[int], inputs: Sequence[_TextInput], language: Language | None) -> HostBatch:
    rows = _numbers(b"".join([each.rows for each in inputs]))
    # A batch of few titles with many features takes the shape of more titles.
    needed = -(-len(rows) // ROWS_PER_TITLE) if len(rows) > MAX_ROWS else 1
    titles = smallest_size(TITLE_COUNTS, max(len(members), needed))
    encoded = [number for number, each in enumerate(inputs) if each.ids]
    lengths = np.array([len(inputs[number].ids) // _BYTES for number in encoded], dtype=np.int32)
    packing = pack(lengths.tolist())
    shape = BatchShape(titles, smallest_size(TILE_COUNTS, packing.tiles) if encoded else 0)
    buffer = np.zeros(shape.size, dtype=np.int32)
    upload = split_upload(buffer, shape)
    counts = np.array([len(each.rows) // _BYTES for each in inputs], dtype=np.int32)
    upload.rows[: len(rows)] = rows
    upload.offsets[1 : len(inputs) + 1] = np.cumsum(counts)
    upload.offsets[len(inputs) + 1 :] = len(rows)
    upload.flags[: len(inputs)] = [each.flags for each in inputs]
    if encoded:
        write_tiles(packing, _numbers(b"".join([each.ids for each in inputs])), lengths, upload.tiles)
        upload.starts[encoded] = packing.starts
    return HostBatch(members, buffer, shape, language if encoded else None, int(lengths.sum()))


def _numbers(raw: bytes) -> Ints:
    return np.frombuffer(raw, dtype="<i4")
