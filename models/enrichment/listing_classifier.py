"""Classifies listings: the title decides, and what stands beside it raises or questions the decision."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

import numpy as np

from models.arrays import Floats
from models.enrichment.category_evidence import ListingText
from models.enrichment.evidence_weights import CONTRADICTS, EvidenceWeights
from models.enrichment.title_checks import TitleChecks
from models.student.classifier import Classification, Classifier
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import is_terse, join_description, split_description

PATH_CONFLICT = "The words of the title and the listing's own category point to different departments."
BRAND_CONFLICT = "The few words of the title and the brand point to different departments."
NO_TITLE = "The listing has no title, and what stands beside a title does not decide alone."
UNKNOWN_TITLE = "No word of the title is known, and a brand does not decide alone."
SURE_OF_FEW_WORDS = 0.99
"""From this confidence on, a brand does not question a title of one or two words."""
_ROWS = 64
_CACHED_ROWS = 256


class ListingClassification(NamedTuple):
    """A listing's classification.

    Attributes:
        result: The classification of the title with all evidence.
        conflict: Why evidence made a sure title unsure; None if it did not.
    """

    result: Classification
    conflict: str | None = None


class ListingClassifier:
    """Classifies listing texts with a classifier of texts. Thread-safe.

    Args:
        classifier: The classifier of texts.
        taxonomy: The classifier's category tree.
    """

    def __init__(self, classifier: Classifier, taxonomy: Taxonomy) -> None:
        self._classifier, self._taxonomy = classifier, taxonomy
        self._checks = TitleChecks(taxonomy)
        self._weights = EvidenceWeights(taxonomy, classifier.thresholds)
        self._rows: OrderedDict[str, Floats] = OrderedDict()
        self._lock = Lock()

    def classify(self, texts: Sequence[ListingText]) -> list[ListingClassification]:
        """Classify each listing, in order. Listings without evidence are classified by their text alone."""
        results = self._classifier.classify([each.text for each in texts])
        found = [ListingClassification(result) for result in results]
        named = [number for number, each in enumerate(texts) if each.path or each.type]
        for start in range(0, len(named), _ROWS):
            self._weigh_categories(named[start : start + _ROWS], texts, found)
        self._read_brands(texts, found)
        for row, each in enumerate(texts):
            if not each.text and found[row].result.category >= 0:
                found[row] = ListingClassification(self._unsure(found[row].result), NO_TITLE)
            elif (reason := self._objection(each, found[row].result)) is not None:
                found[row] = ListingClassification(self._unsure(found[row].result), reason)
        return found

    def _objection(self, text: ListingText, result: Classification) -> str | None:
        """Why the title should not be published as it is classified; evidence overrules its head noun."""
        title = split_description(text.text)[0]
        if (service := self._checks.service(title)) is not None:
            return service
        if not result.sure or text.path or text.type:
            return None
        return self._checks.conflict(title, result)

    def _weigh_categories(
        self, rows: Sequence[int], texts: Sequence[ListingText], found: list[ListingClassification]
    ) -> None:
        """Weigh the paths and types of the given listings, in place."""
        before = [found[row].result for row in rows]
        after = self._weights.classify(
            before,
            self._classifier.probabilities([texts[row].text for row in rows]),
            self._evidence([f"{texts[row].path} {texts[row].type}".strip() for row in rows]),
            np.array([bool(texts[row].path) for row in rows], dtype=np.bool_),
        )
        for row, old, new in zip(rows, before, after, strict=True):
            found[row] = ListingClassification(new, PATH_CONFLICT if old.sure and not new.sure else None)

    def _read_brands(self, texts: Sequence[ListingText], found: list[ListingClassification]) -> None:
        """Read brand and details with titles that are unsure, and brands with terse titles, in place."""
        read: dict[int, str] = {}
        for row, each in enumerate(texts):
            if not (each.brand or each.details) or each.path or each.type:
                continue
            title, description = split_description(each.text)
            result = found[row].result
            if not result.sure or (each.brand and is_terse(title) and result.confidence < SURE_OF_FEW_WORDS):
                text = f"{each.brand} {title} {each.details}".strip()
                read[row] = join_description(text, description) if description else text
        joint = self._classifier.classify([*read.values()])
        for row, other in zip(read, joint, strict=True):
            result = found[row].result
            agrees = self._department(other) == self._department(result)
            if result.category < 0:
                if other.category >= 0:
                    guess = replace(self._unsure(other), embedding=result.embedding)
                    found[row] = ListingClassification(guess, UNKNOWN_TITLE)
            elif not result.sure:
                if other.sure and (agrees or texts[row].brand):
                    found[row] = ListingClassification(replace(other, embedding=result.embedding))
            elif not (other.sure and agrees) or self._brand_contradicts(texts[row].brand, result):
                found[row] = ListingClassification(self._unsure(result), BRAND_CONFLICT)

    def _brand_contradicts(self, brand: str, result: Classification) -> bool:
        """Whether a brand alone, such as `olay`, is surely of another department."""
        masses = np.add.reduceat(self._evidence([brand])[0], self._taxonomy.roots)
        best = int(masses.argmax())
        return bool(masses[best] >= CONTRADICTS) and int(self._taxonomy.roots[best]) != self._department(
            result
        )

    def _unsure(self, result: Classification) -> Classification:
        return replace(result, category=self._department(result), sure=False)

    def _department(self, result: Classification) -> int:
        return int(self._taxonomy.lineage[result.category, 0]) if result.category >= 0 else -1

    def _evidence(self, texts: Sequence[str]) -> Floats:
        """The probabilities of evidence, which repeats within a shop, shape [texts, categories]."""
        with self._lock:
            known = {text: self._rows[text] for text in texts if text in self._rows}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known |= dict(zip(missing, self._classifier.probabilities(missing), strict=True))
        with self._lock:
            for text in dict.fromkeys(texts):
                self._rows[text] = known[text]
                self._rows.move_to_end(text)
            while len(self._rows) > _CACHED_ROWS:
                self._rows.popitem(last=False)
        return np.stack([known[text] for text in texts])
