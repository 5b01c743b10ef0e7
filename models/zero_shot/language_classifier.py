"""Classifies titles in nine languages by names and sellers' words, as far as their thresholds allow.

A language has a threshold for each level, above which its titles are published. It was learned on one half of
the titles that were written for the language; the other half is the evaluation.
"""

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock

import numpy as np

from models.shipped import PRETRAINED
from models.student.classifier import CANDIDATES, Classification
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.zero_shot.language_names import LANGUAGES_BY_NAMES
from models.zero_shot.word_votes import LEVELS, WordVotes

THRESHOLDS_FILE = PRETRAINED / "languages" / "thresholds.tsv"
SURE_OF_LANGUAGE = 0.95
"""From this probability of a department on, a title is of the language that its letters resemble."""
NEVER = 2.0
"""A threshold that no title reaches."""
_CACHED_TITLES = 20_000


@lru_cache(1)
def read_thresholds() -> dict[str, tuple[float, ...]]:
    """The threshold of level 1 and 2 by language; a language without any is not published."""
    lines = THRESHOLDS_FILE.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return {language: tuple(map(float, values)) for language, *values in rows}


class LanguageClassifier:
    """Classifies titles in the languages of `LANGUAGES_BY_NAMES`, down to level 2. Thread-safe.

    The terms of a language are read when its first title comes.

    Args:
        taxonomy: The tree in use. Names are of Google's tree, so that nothing is classified in another one.
        thresholds: The threshold of each level by language; None is the shipped ones.
    """

    def __init__(self, taxonomy: Taxonomy, thresholds: Mapping[str, tuple[float, ...]] | None = None) -> None:
        self._taxonomy = taxonomy
        self._thresholds = read_thresholds() if thresholds is None else thresholds
        self._languages = LANGUAGES_BY_NAMES if taxonomy.version == GOOGLE_VERSION else ()
        self._votes: dict[str, WordVotes] = {}
        self._lock = Lock()
        self.classify = lru_cache(_CACHED_TITLES)(self._classify)

    def is_of(self, text: str, language: str | None) -> bool:
        """Whether the words of a cleaned title name products in a language that its letters resemble."""
        if language is None or language not in self._languages:
            return False
        result = self.classify(text, language)
        return result is not None and self._department_probability(text, language) >= SURE_OF_LANGUAGE

    def _classify(self, text: str, language: str | None) -> Classification | None:
        """The classification of a cleaned title; None if its words are not clear enough to be published."""
        if language is None or language not in self._languages:
            return None
        votes = self._of(language)
        masses = np.zeros(len(self._taxonomy), dtype=np.float32)
        masses[votes.categories] = votes.probabilities([text])[0]
        lineage = self._taxonomy.lineage
        chosen, confidence = -1, 0.0
        for level, threshold in enumerate(self._thresholds.get(language, (NEVER,) * LEVELS)):
            sums = {
                int(each): float(masses[each : self._taxonomy.ends[each]].sum())
                for each in votes.categories
                if lineage[each, level] == each and (chosen < 0 or lineage[each, level - 1] == chosen)
            }
            best = max(sums, key=sums.__getitem__, default=-1)
            if best < 0 or sums[best] < threshold:
                break
            chosen, confidence = best, sums[best]
        if chosen < 0:
            return None
        top = np.argsort(-masses, kind="stable")[:CANDIDATES]
        candidates = tuple((int(each), round(float(masses[each]), 4)) for each in top)
        nothing = np.zeros(1, dtype=np.int8)
        return Classification(chosen, round(min(confidence, 1.0), 4), True, candidates, nothing)

    def _department_probability(self, text: str, language: str) -> float:
        votes = self._of(language)
        roots = self._taxonomy.lineage[votes.categories, 0]
        return float(np.bincount(roots, votes.probabilities([text])[0]).max())

    def _of(self, language: str) -> WordVotes:
        with self._lock:
            if language not in self._votes:
                self._votes[language] = WordVotes(self._taxonomy, language)
            return self._votes[language]
