"""Votes of a title's words for the upper categories of Google's tree, in one of nine languages.

Each known term of the title multiplies the probabilities of the categories by how often it names their
products (naive Bayes). The terms after the first count less; what stands after a word such as `with` counts
least.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, Indices, softmax
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.zero_shot.language_names import describing_words, named_categories
from models.zero_shot.word_forms import find_terms, forms, term_of

LEVELS = 2
"""The deepest level that is voted for: the titles of the evaluation are labeled so deep."""
SELLER_WORD, NAME, NAME_WORDS = 20.0, 2.0, 1.0
"""How often a term is counted: a seller's word, a whole name, and the words of a name together."""
SMOOTHING = 4.0
LATER, LATER_EAST_ASIAN = 0.7, 1.0
"""The exponent of the terms after the first. Japanese and Korean names end in their noun."""
BESIDE = 0.15
"""The exponent of terms beside the product."""
TEMPERATURE = 0.7
"""Fitted, as all numbers here, on the development titles of `python -m benchmarks.languages`."""
_LEAST_LETTERS, _LEAST_NAME, _MOST_CATEGORIES = 3, 6, 15


class WordVotes:
    """The terms of one language with their categories. Thread-safe.

    Args:
        taxonomy: Google's tree.
        language: One of `LANGUAGES_BY_NAMES`.

    Attributes:
        categories: The indices of the categories of level 1 and 2, ascending. A root stands for the products
            of none of its parts.
    """

    def __init__(self, taxonomy: Taxonomy, language: str) -> None:
        self._language = language
        self._later = LATER_EAST_ASIAN if language in ("ja", "ko") else LATER
        self.categories = np.flatnonzero(taxonomy.levels <= LEVELS)
        self._counts, self._ends = _count(taxonomy, language, self.categories)
        totals = np.zeros(len(self.categories))
        for places in self._counts.values():
            for place, count in places.items():
                totals[place] += count
        self._prior = np.sqrt(totals + 1) / np.sqrt(totals + 1).sum()

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The probabilities of cleaned titles.

        Returns:
            Shape [texts, len(self.categories)]; a row of zeros for a title without known terms.
        """
        found = np.zeros((len(texts), len(self.categories)), dtype=np.float32)
        for row, text in enumerate(texts):
            terms = dict.fromkeys(find_terms(text, self._language, self._counts, self._ends))
            if not terms:
                continue
            logs = np.log(self._prior)
            for place, term in enumerate(terms):
                exponent = (BESIDE if term.beside else 1.0) * (self._later if place else 1.0)
                logs = logs + exponent * self._evidence(term.text)
            found[row] = softmax(logs[None].astype(np.float32), TEMPERATURE)[0]
        return found

    def _evidence(self, term: str) -> Floats:
        """The logarithm of a term's smoothed share of each category over the category's own share."""
        places = self._counts[term]
        counts = SMOOTHING * self._prior
        for place, count in places.items():
            counts[place] += count
        smoothed = counts / (sum(places.values()) + SMOOTHING)
        return np.asarray(np.log(smoothed) - np.log(self._prior), dtype=np.float32)


def _count(
    taxonomy: Taxonomy, language: str, categories: Indices
) -> tuple[dict[str, dict[int, float]], set[str]]:
    """How often each term names a category, by its place, and the terms that can end a compound."""
    column = {int(index): place for place, index in enumerate(categories)}
    counts: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    whole: set[str] = set()
    ends: set[str] = set()
    describing = describing_words(language)
    for google_id, text, is_seller_word in named_categories(language):
        cleaned = clean(text)
        term, words = term_of(cleaned, language), forms(cleaned, language)
        if not term or google_id not in taxonomy:
            continue
        place = column[int(taxonomy.lineage[taxonomy.node(google_id).index][:LEVELS].max())]
        whole.add(term)
        if is_seller_word or len(term) >= _LEAST_NAME or language == "ko":
            ends.add(term)
        counts[term][place] += SELLER_WORD if is_seller_word else NAME
        if not is_seller_word:
            for word in words:
                if len(word) >= _LEAST_LETTERS and word not in describing:
                    counts[word][place] += NAME_WORDS / len(words)
    kept = {
        term: dict(places)
        for term, places in counts.items()
        if term in whole or len(places) < _MOST_CATEGORIES
    }
    return kept, ends
