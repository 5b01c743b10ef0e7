"""What is said of drift: an index for each feature, and a plain word for it."""

from dataclasses import dataclass
from typing import Literal

Word = Literal["stable", "moving", "drifted"]

MOVING = 0.1
DRIFTED = 0.25
"""Below 0.1 nothing to see, from 0.25 a major shift: credit scoring's rule of thumb (Lewis, 1994; Siddiqi,
"Credit Risk Scorecards", 2006)."""


def word_for(index: float) -> Word:
    """The index in a plain word."""
    return "stable" if index < MOVING else "moving" if index < DRIFTED else "drifted"


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The drift of one feature: its index, and what that means."""

    feature: str
    index: float

    @property
    def word(self) -> Word:
        """The index in a plain word."""
        return word_for(self.index)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What can be said of drift now.

    Attributes:
        listings: That were looked at, decayed.
        silent_why: Why nothing is said yet; None where something is.
        features: The worst first; empty while silent.
    """

    listings: float
    silent_why: str | None
    features: tuple[FeatureDrift, ...] = ()
