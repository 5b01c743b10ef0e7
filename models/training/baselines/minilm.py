"""The baselines of all-MiniLM-L6-v2: nearest category names without training, and fine-tuning."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from models.arrays import Floats, Indices
from models.encoder.prototypes import Encode, Prototypes
from models.taxonomy.tree import Taxonomy
from models.training.baselines.support_vectors import SEED, Predict
from models.training.data.corpus import Example
from models.training.encoder.hub import load_model, pooled

EPOCHS = 2
MAX_PER_CATEGORY = 30
"""Maximum number of titles per category for fine-tuning, which would otherwise take hours."""
_BATCH = 64
_MAX_TOKENS = 48
_RATE, _HEAD_RATE = 5e-5, 2e-3
_LOGIT_SCALE = 20.0
"""Factor of the unit vectors before the output layer. Without it the softmax would stay flat."""


def nearest_names(taxonomy: Taxonomy, encode: Encode) -> Predict:
    """Predict the category whose name and path are nearest by cosine similarity, without training.

    Synonyms are left out, as they are this project's own work.

    Args:
        taxonomy: Label space.
        encode: Pretrained encoder.
    """
    without_synonyms = Taxonomy(taxonomy.version, {node.id: node.names for node in taxonomy.nodes}, {})
    prototypes = Prototypes.from_taxonomy(without_synonyms, encode)

    def predict(texts: Sequence[str]) -> Indices:
        return np.asarray(prototypes.scores(encode(texts)).argmax(axis=1), dtype=np.int64)

    return predict


def minilm() -> Encode:
    """Load all-MiniLM-L6-v2 in full precision."""
    import torch

    tokenizer, body = load_model(None)

    def encode(texts: Sequence[str]) -> Floats:
        vectors = np.zeros((len(texts), body.config.hidden_size), dtype=np.float32)
        # Batches of texts with similar length need little padding.
        order = sorted(range(len(texts)), key=lambda text: len(texts[text]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            with torch.inference_mode():
                vectors[chosen] = _vectors(tokenizer, body, [texts[text] for text in chosen]).numpy()
        return vectors

    return encode


def _vectors(tokenizer: Any, body: Any, texts: Sequence[str]) -> Any:
    tokens = tokenizer(
        list(texts), truncation=True, max_length=_MAX_TOKENS, padding=True, return_tensors="pt"
    )
    return pooled(body, tokens)


def tuned_encoder(
    examples: Sequence[Example],
    progress: Callable[[int, int], None],
    epochs: int = EPOCHS,
    max_per_category: int = MAX_PER_CATEGORY,
) -> Predict:
    """Fine-tune all layers of MiniLM with a linear layer to the categories of the examples.

    Args:
        examples: Training examples.
        progress: Called after each step with its number and the number of steps.
        epochs: Passes over the examples.
        max_per_category: Maximum number of titles per category, drawn by the seed.
    """
    import torch

    torch.manual_seed(SEED)
    tokenizer, body = load_model(None)
    chosen = capped(examples, max_per_category)
    encoder = _TunedEncoder(tokenizer, body, sorted({example.category for example in chosen}))
    encoder.train(batches_of(chosen, epochs), progress)
    return encoder.predict


class _TunedEncoder:
    """MiniLM with an output layer. `categories` are the indices of its classes."""

    def __init__(self, tokenizer: Any, body: Any, categories: list[int]) -> None:
        import torch

        self._tokenizer, self._body, self._categories = tokenizer, body, categories
        self._class_of = {category: number for number, category in enumerate(categories)}
        self._head = torch.nn.Linear(body.config.hidden_size, len(categories))

    def train(self, batches: Sequence[Sequence[Example]], progress: Callable[[int, int], None]) -> None:
        """Train on the batches with AdamW and a learning rate that falls linearly to 0."""
        import torch

        groups = [
            {"params": self._body.parameters()},
            {"params": self._head.parameters(), "lr": _HEAD_RATE},
        ]
        optimizer = torch.optim.AdamW(groups, lr=_RATE)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / (len(batches) + 1))
        self._body.train()
        for step, batch in enumerate(batches, 1):
            labels = torch.tensor([self._class_of[example.category] for example in batch])
            logits = self._logits([example.text for example in batch])
            loss = torch.nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress(step, len(batches))
        self._body.eval()

    def predict(self, texts: Sequence[str]) -> Indices:
        """Predict the index of each text's category, shape [texts]."""
        import torch

        classes = []
        with torch.inference_mode():
            for start in range(0, len(texts), _BATCH):
                classes += self._logits(texts[start : start + _BATCH]).argmax(dim=1).tolist()
        return np.array([self._categories[number] for number in classes], dtype=np.int64)

    def _logits(self, texts: Sequence[str]) -> Any:
        return self._head(_LOGIT_SCALE * _vectors(self._tokenizer, self._body, texts))


def capped(examples: Sequence[Example], max_per_category: int) -> list[Example]:
    """Draw at most `max_per_category` examples of each category, in a random order given by the seed."""
    shuffled = Random(SEED).sample(list(examples), len(examples))
    seen: dict[int, int] = {}
    kept = []
    for example in shuffled:
        seen[example.category] = seen.get(example.category, 0) + 1
        if seen[example.category] <= max_per_category:
            kept.append(example)
    return kept


def batches_of(examples: Sequence[Example], epochs: int) -> list[list[Example]]:
    """The batches of all epochs. Each epoch has its own random order, given by the seed."""
    random = Random(SEED)
    batches = []
    for _ in range(epochs):
        order = random.sample(list(examples), len(examples))
        batches += [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return batches
