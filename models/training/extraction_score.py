"""Precision, recall and F1 of what was found in texts, from counts."""

import msgspec


class ExtractionScore(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what was found in texts, compared with what is in them.

    Attributes:
        found: Number of values or spans that were found.
        right: Number of those that are right.
    """

    found: int
    right: int

    @property
    def expected(self) -> int:
        """Number of values or spans that are in the texts."""
        raise NotImplementedError

    @property
    def precision(self) -> float:
        """Right / found; 0 if nothing was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Right / expected; 0 if nothing is expected."""
        return self.right / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (self.expected + self.found) if self.right else 0.0
