"""The baseline of TF-IDF features and a linear SVM."""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Indices
from models.training.data.corpus import Example

Predict = Callable[[Sequence[str]], Indices]
"""A function from cleaned texts to the indices of their predicted categories, shape [texts]."""

SEED = 20261125


def support_vectors(examples: Sequence[Example]) -> Predict:
    """Train a linear SVM per category on TF-IDF of words, word pairs, and character n-grams of 2 to 5.

    Args:
        examples: Training examples. A label that is an inner category is a class of its own.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LinearSVC(random_state=SEED))
    model.fit([example.text for example in examples], [example.category for example in examples])
    return lambda texts: np.asarray(model.predict(list(texts)), dtype=np.int64)
