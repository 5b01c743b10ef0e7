"""Distillation: text encoders label words and unlabeled titles for the student with probabilities.

A pretrained encoder compares a word or title with the categories' prototypes. The student is trained on the
resulting probabilities (Hinton et al., 2015), and so learns words that no labeled title contains.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.arrays import softmax
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.training.data.corpus import Example
from models.training.student.config import TrainingConfig
from models.training.student.unlabeled import product_words, unlabeled_titles

TOP_CATEGORIES = 24
"""Number of categories in a soft label."""
_WORD = re.compile(r"[a-z]{3,}")
_ROWS = 256


def distilled_examples(
    teacher: Encoders, data: Path, examples: Sequence[Example], config: TrainingConfig
) -> list[Example]:
    """Let the encoders label English words, Chinese product words, and unlabeled Chinese titles.

    Args:
        teacher: Text encoders by language.
        data: Data folder. Its `ner/`, if present, has the Chinese titles.
        examples: Labeled examples. Near-duplicates of their Chinese titles are left out.
        config: Weights of the examples.
    """
    distilled: list[Example] = []
    if english := teacher.stages.get("en"):
        distilled += word_examples(english, whole_words(english), config.word_weight)
    if chinese := teacher.stages.get("zh"):
        labeled = {example.text for example in examples if example.language == "zh"}
        distilled += word_examples(chinese, product_words(data), config.word_weight)
        distilled += title_examples(chinese, unlabeled_titles(data, labeled), config.unlabeled_weight)
    return distilled


def distillation_summary(distilled: Sequence[Example]) -> str:
    """The numbers of distilled examples by kind and language, for the manifest and the model card."""
    counts = Counter(f"{example.kind}s ({example.language})" for example in distilled)
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())


def whole_words(encoder: EncoderStage) -> list[str]:
    """The whole words in an encoder's vocabulary, sorted."""
    return sorted(word for word in encoder.tokenizer.tokens if _WORD.fullmatch(word))


def word_examples(encoder: EncoderStage, words: Sequence[str], weight: float) -> list[Example]:
    """Label words with an encoder's probabilities of the nearest categories.

    Args:
        encoder: Teacher.
        words: Cleaned words.
        weight: Weight of each example in the training loss.

    Returns:
        One example per word.
    """
    return _distilled(encoder, words, encoder.scale.word, "word", weight)


def title_examples(encoder: EncoderStage, titles: Sequence[str], weight: float) -> list[Example]:
    """Label unlabeled titles with an encoder's probabilities; arguments as for `word_examples`."""
    return _distilled(encoder, titles, encoder.scale.alone, "title", weight)


def _distilled(
    encoder: EncoderStage, texts: Sequence[str], temperature: float, kind: str, weight: float
) -> list[Example]:
    examples: list[Example] = []
    for start in range(0, len(texts), _ROWS):
        batch = texts[start : start + _ROWS]
        probabilities = softmax(encoder.prototypes.scores(encoder.encode(batch)), temperature)
        columns = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_CATEGORIES]
        values = np.take_along_axis(probabilities, columns, axis=1)
        values /= values.sum(axis=1, keepdims=True)
        for text, row, masses in zip(batch, columns.tolist(), values.tolist(), strict=True):
            pairs = tuple(zip(row, masses, strict=True))
            examples.append(Example(text, row[0], "teacher", "train", encoder.language, kind, weight, pairs))
    return examples
