"""Whether a candidate may serve: two models on the same texts, which neither learnt from, slice by slice.

Pure statistics. Each text gives one number for each model, and what is judged is the mean of the differences
between the two: a paired comparison. How sure that mean is, the bootstrap says (Efron, 1979; percentiles of
the means of resampled texts), seeded, so that the same numbers give the same ruling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from models.arrays import Booleans, Doubles

OVERALL = "overall"


@dataclass(frozen=True)
class GateConfig:
    """The terms of promotion.

    Attributes:
        tolerance: How much worse, as a share, a slice may be: its lower bound must lie above the negative.
        fewest: A slice of fewer texts cannot show that it is no worse; it only must not show that it is.
        confidence: Of each bound, one-sided.
        draws: How many times the texts are resampled.
        seed: Of the resampling.
    """

    tolerance: float = 0.01
    fewest: int = 200
    confidence: float = 0.95
    draws: int = 10_000
    seed: int = 20261125


class SliceResult(StrEnum):
    """What a comparison shows."""

    BETTER = "better"
    NOT_WORSE = "not worse"
    UNCLEAR = "may be worse"
    WORSE = "worse"
    TOO_FEW = "too few to tell"

    @property
    def blocks(self) -> bool:
        """Whether a candidate with it on a protected slice may not serve."""
        return self in (SliceResult.UNCLEAR, SliceResult.WORSE)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on one slice.

    Attributes:
        measure: What is compared; higher is better.
        slice: On which texts; `overall` is the mean over shops.
        texts: How many.
        serving: The mean of the model that serves.
        candidate: The mean of the candidate.
        lower: The lower bound of the candidate's lead.
        upper: The upper bound of it.
        finding: What that shows.
    """

    measure: str
    slice: str
    texts: int
    serving: float
    candidate: float
    lower: float
    upper: float
    finding: SliceResult


class GateDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the candidate may serve, why not, and all that was compared."""

    promote: bool
    reasons: list[str]
    comparisons: list[Comparison]


class Paired(NamedTuple):
    """A measure of two models on the same texts, each of shape [texts]; higher is better."""

    serving: Doubles
    candidate: Doubles


def bootstrap_means(values: Doubles, draws: int, random: np.random.Generator) -> Doubles:
    """The means of `draws` samples, with replacement and as large as `values`.

    Resampling texts is drawing how often each distinct value comes: few values, so one multinomial a draw.
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = random.multinomial(len(values), counts / len(values), size=draws)
    return np.asarray(drawn @ distinct / len(values), dtype=np.float64)


def decide(
    measures: Mapping[str, Paired],
    slices: Mapping[str, Booleans],
    shops: Mapping[str, Booleans],
    terms: GateConfig,
) -> GateDecision:
    """Compare on each slice and overall.

    The candidate is promoted if no measure of any slice may be worse, and the first measure is better
    overall: the lower bound of the lead, each shop counting alike, lies above 0.

    Args:
        measures: By name; the first is the one to be better at.
        slices: The protected slices: which texts are in each. Empty ones are passed over.
        shops: The shops, which overlap nowhere.
        terms: The terms of promotion.
    """
    comparisons = [
        _compare(measure, name, paired, [mask], terms)
        for measure, paired in measures.items()
        for name, mask in slices.items()
        if mask.any()
    ]
    first = next(iter(measures))
    present = [mask for mask in shops.values() if mask.any()]
    overall = _compare(first, OVERALL, measures[first], present, terms)
    reasons = [_reason(each, terms) for each in comparisons if each.finding.blocks]
    if overall.finding is not SliceResult.BETTER:
        reasons.insert(0, _reason(overall, terms))
    return GateDecision(promote=not reasons, reasons=reasons, comparisons=[overall, *comparisons])


def _reason(each: Comparison, terms: GateConfig) -> str:
    lead = f"{each.candidate - each.serving:+.2%}, at worst {each.lower:+.2%}"
    if each.slice == OVERALL:
        return f"{each.measure} {OVERALL}: not shown to be better ({lead})"
    return f"{each.measure} on {each.slice}: {each.finding} ({lead}; tolerated {-terms.tolerance:.2%})"


def _compare(
    measure: str, name: str, paired: Paired, masks: Sequence[Booleans], terms: GateConfig
) -> Comparison:
    """Compare on the mean over the masks' means, each mask resampled by itself."""
    leads = [paired.candidate[mask] - paired.serving[mask] for mask in masks]
    # By its own name, so that no other slice changes what is drawn for this one.
    random = np.random.default_rng([terms.seed, crc32(f"{measure} {name}".encode())])
    means = np.mean([bootstrap_means(lead, terms.draws, random) for lead in leads], axis=0)
    lower, upper = np.quantile(means, [1.0 - terms.confidence, terms.confidence])
    texts = sum(len(lead) for lead in leads)
    return Comparison(
        measure=measure,
        slice=name,
        texts=texts,
        serving=float(np.mean([paired.serving[mask].mean() for mask in masks])),
        candidate=float(np.mean([paired.candidate[mask].mean() for mask in masks])),
        lower=float(lower),
        upper=float(upper),
        finding=_finding(float(lower), float(upper), texts, terms),
    )


def _finding(lower: float, upper: float, texts: int, terms: GateConfig) -> SliceResult:
    if lower > 0.0:
        return SliceResult.BETTER
    if texts < terms.fewest:
        return SliceResult.WORSE if upper < 0.0 else SliceResult.TOO_FEW
    if lower > -terms.tolerance:
        return SliceResult.NOT_WORSE
    return SliceResult.WORSE if upper < 0.0 else SliceResult.UNCLEAR
