"""What pretrained text encoders know, as examples for the student: distillation.

An encoder has read far more than any shop's titles. It places single words, and titles that nobody labeled,
among the prototypes of the categories. The student learns the probabilities (Hinton et al., 2015), and so
knows words that no labeled title has.
"""

import re
from collections.abc import Sequence

import numpy as np

from models.arrays import softmax
from models.encoder.encoder import EncoderStage
from models.training.data.corpus import Example

SHARES = 24
_WORD = re.compile(r"[a-z]{3,}")
_ROWS = 256


def whole_words(encoder: EncoderStage) -> list[str]:
    """The whole words of its vocabulary, in order."""
    return sorted(word for word in encoder.tokenizer.tokens if _WORD.fullmatch(word))


def word_examples(encoder: EncoderStage, words: Sequence[str], weight: float) -> list[Example]:
    """One example a word, with the encoder's probabilities of the categories nearest to it.

    Args:
        encoder: Whose knowledge.
        words: Cleaned.
        weight: How much each counts in training.
    """
    return _taught(encoder, words, encoder.scale.word, "word", weight)


def title_examples(encoder: EncoderStage, titles: Sequence[str], weight: float) -> list[Example]:
    """One example a title that nobody labeled, as `word_examples`."""
    return _taught(encoder, titles, encoder.scale.alone, "title", weight)


def _taught(
    encoder: EncoderStage, texts: Sequence[str], temperature: float, kind: str, weight: float
) -> list[Example]:
    examples: list[Example] = []
    for start in range(0, len(texts), _ROWS):
        batch = texts[start : start + _ROWS]
        share = softmax(encoder.prototypes.scores(encoder.encode(batch)), temperature)
        columns = np.argsort(-share, axis=1, kind="stable")[:, :SHARES]
        values = np.take_along_axis(share, columns, axis=1)
        values /= values.sum(axis=1, keepdims=True)
        for text, row, mass in zip(batch, columns.tolist(), values.tolist(), strict=True):
            pairs = tuple(zip(row, mass, strict=True))
            examples.append(Example(text, row[0], "teacher", "train", encoder.language, kind, weight, pairs))
    return examples
