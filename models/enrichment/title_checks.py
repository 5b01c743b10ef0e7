"""Reasons to ask a person about a title of which the classifier is sure."""

from collections.abc import Mapping
from functools import lru_cache

from models.shipped import PRETRAINED
from models.student.classifier import Classification
from models.taxonomy.tree import GOOGLE_VERSION, Taxonomy
from models.text.head_noun import head_nouns
from models.text.services import service_in

SERVICE = "The listing is a service ({}), and only goods have a category."
HEAD_NOUN = "The last noun of the title ({}) names something of another department."
SENSITIVE = "A category for adults is only published with a higher confidence."
MATURE = 772
"""Google's department `Mature`: a product that is wrongly in it offends."""
SENSITIVE_CONFIDENCE = 0.995
"""Least confidence of a category in `Mature`."""
_HEAD_NOUNS = PRETRAINED / "taxonomy" / "head_nouns.tsv"


class TitleChecks:
    """Checks titles against what must not be published. Thread-safe.

    Args:
        taxonomy: The classifier's category tree.

    Attributes:
        departments: The departments to which things of a name belong, by the name; empty for other trees than
            Google's.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self.departments = _shipped_head_nouns() if taxonomy.version == GOOGLE_VERSION else {}

    def service(self, title: str) -> str | None:
        """Why a cleaned title names no goods; None if it does."""
        service = service_in(title)
        return None if service is None else SERVICE.format(service)

    def conflict(self, title: str, result: Classification) -> str | None:
        """Why a person should look at a sure classification; None if there is no reason.

        Args:
            title: The cleaned title.
            result: Its classification.
        """
        department = self._taxonomy.nodes[int(self._taxonomy.lineage[result.category, 0])].id
        if department == MATURE and self.departments and result.confidence < SENSITIVE_CONFIDENCE:
            return SENSITIVE
        noun = next((noun for noun in head_nouns(title) if noun in self.departments), None)
        if noun is not None and department not in self.departments[noun]:
            return HEAD_NOUN.format(noun)
        return None


@lru_cache(1)
def _shipped_head_nouns() -> Mapping[str, frozenset[int]]:
    """The departments to which things of a name belong, by the name."""
    rows = [line.split("\t") for line in _HEAD_NOUNS.read_text(encoding="utf-8").splitlines()[1:]]
    return {noun: frozenset(map(int, departments.split(","))) for noun, departments in rows}
