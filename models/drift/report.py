"""The drift report: for each feature an index and a level."""

from dataclasses import dataclass
from typing import Literal

DriftLevel = Literal["stable", "moving", "drifted"]

MOVING = 0.1
DRIFTED = 0.25
"""Below 0.1 there is no change of note, from 0.25 on a major shift: credit scoring's rule of thumb (Lewis,
1994; Siddiqi, "Credit Risk Scorecards", 2006)."""


def level_for(index: float) -> DriftLevel:
    """The level of a population stability index."""
    return "stable" if index < MOVING else "moving" if index < DRIFTED else "drifted"


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The drift of one feature.

    Attributes:
        feature: The feature's name.
        index: The population stability index, at least 0.
    """

    feature: str
    index: float

    @property
    def level(self) -> DriftLevel:
        """The level of the index."""
        return level_for(self.index)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The drift at a moment.

    Attributes:
        listings: The number of listings counted, decayed.
        unavailable_reason: Why no drift can be reported yet; None if it can.
        features: The drift of each feature, the greatest first; empty if there is a reason.
    """

    listings: float
    unavailable_reason: str | None
    features: tuple[FeatureDrift, ...] = ()
