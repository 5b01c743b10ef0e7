"""A cache of decisions, because the same title often comes again, with the same evidence."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from models.arrays import Floats
from models.enrichment.category_evidence import ListingText
from models.student.classifier import Classification
from schemas.events import Category, Decision, Embedding

CACHED_TEXTS = 50_000
CACHED_CHARACTERS = 500
"""Longer texts are not cached: few of them come again, and the cache could reach a gigabyte with them."""


@dataclass(frozen=True, slots=True)
class TextDecision:
    """The part of an enrichment that depends on a listing's texts alone.

    Attributes:
        category: The deepest category that reached its threshold; the likeliest root if the model abstained;
            None for a text without known words.
        decision: Whether the model decided, with the reason.
        embedding: The vector of the title; None without known words.
        tagged_category: The index of the category that gives tags; -1 if the model abstained.
        department: The name of the category's root; empty without a category.
        weighable: The classification, if a shop's mix may weigh its departments; None if it may not.
    """

    category: Category | None
    decision: Decision
    embedding: Embedding | None
    tagged_category: int
    department: str
    weighable: Classification | None = field(default=None, compare=False)

    @property
    def departments(self) -> Floats | None:
        """The probability of each department, shape [departments]; None if nothing may be weighed."""
        if self.weighable is None or self.weighable.departments is None:
            return None
        return self.weighable.departments.masses


class DecisionCache:
    """Keeps the decisions on the most recently used texts, before a shop's mix weighs them. Thread-safe.

    Attributes:
        hits: Texts that were found.
        misses: Different texts that were not found.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._decisions: OrderedDict[ListingText, TextDecision] = OrderedDict()
        self._lock = Lock()

    def find(self, texts: Sequence[ListingText]) -> tuple[dict[ListingText, TextDecision], list[ListingText]]:
        """Look texts up.

        Args:
            texts: Texts, with or without repetitions.

        Returns:
            The cached decisions by text, and the texts without one, each once and in order.
        """
        found: dict[ListingText, TextDecision] = {}
        distinct = dict.fromkeys(texts)
        with self._lock:
            for text in distinct:
                if (decision := self._decisions.get(text)) is not None:
                    self._decisions.move_to_end(text)
                    found[text] = decision
            missing = [text for text in distinct if text not in found]
            self.misses += len(missing)
            self.hits += len(texts) - len(missing)
        return found, missing

    def add(self, decisions: Mapping[ListingText, TextDecision]) -> None:
        """Add decisions by text and drop the least recently used ones beyond `CACHED_TEXTS`."""
        with self._lock:
            self._decisions.update(
                (text, decision) for text, decision in decisions.items() if text.length <= CACHED_CHARACTERS
            )
            while len(self._decisions) > CACHED_TEXTS:
                self._decisions.popitem(last=False)
