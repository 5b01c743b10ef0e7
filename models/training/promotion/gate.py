"""The promotion gate: decides by statistics whether a candidate may replace the serving model.

Both models are evaluated on the same held-out texts. Each text gives one value per model, and the gate tests
the mean of the paired differences, slice by slice. Its confidence bounds are percentiles of bootstrap means
(Efron, 1979). The bootstrap is seeded, so the same values give the same decision.
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
    """Settings of the promotion gate.

    Attributes:
        tolerance: Tolerated loss on a slice, in [0, 1]. The lower bound of the difference must be above
            `-tolerance`.
        min_texts: A slice with fewer texts blocks only if the candidate is significantly worse on it.
        confidence: One-sided confidence of each bound, in (0, 1).
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.
    """

    tolerance: float = 0.01
    min_texts: int = 200
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 20261125


class SliceResult(StrEnum):
    """The result of a comparison on one slice."""

    BETTER = "better"
    NOT_WORSE = "not worse"
    UNCLEAR = "may be worse"
    WORSE = "worse"
    TOO_FEW = "too few to tell"

    @property
    def blocks(self) -> bool:
        """Whether this result on a protected slice holds the candidate back."""
        return self in (SliceResult.UNCLEAR, SliceResult.WORSE)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of two models on one slice.

    Attributes:
        metric: Name of the metric; higher is better. Encoded as `measure`.
        slice: Name of the slice; `overall` is the mean over shops.
        texts: Number of texts.
        serving: Mean of the serving model.
        candidate: Mean of the candidate.
        lower: Lower bound of the candidate's mean minus the serving model's.
        upper: Upper bound of that difference.
        result: What the comparison shows. Encoded as `finding`.
    """

    metric: str = msgspec.field(name="measure")
    slice: str
    texts: int
    serving: float
    candidate: float
    lower: float
    upper: float
    result: SliceResult = msgspec.field(name="finding")


class GateDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The decision of the gate.

    Attributes:
        promote: Whether the candidate may serve.
        reasons: Why it may not; empty if it may.
        comparisons: All comparisons, `overall` first.
    """

    promote: bool
    reasons: list[str]
    comparisons: list[Comparison]


class Paired(NamedTuple):
    """The values of a metric for two models on the same texts, each of shape [texts]; higher is better."""

    serving: Doubles
    candidate: Doubles


def bootstrap_means(values: Doubles, resamples: int, random: np.random.Generator) -> Doubles:
    """Resample values with replacement, and compute the mean of each resample.

    There are few distinct values, so each resample is one multinomial draw of their frequencies.

    Args:
        values: Values, shape [texts].
        resamples: Number of resamples.
        random: Random generator.

    Returns:
        Means, shape [resamples].
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = random.multinomial(len(values), counts / len(values), size=resamples)
    return np.asarray(drawn @ distinct / len(values), dtype=np.float64)


def decide(
    metrics: Mapping[str, Paired],
    slices: Mapping[str, Booleans],
    shops: Mapping[str, Booleans],
    config: GateConfig,
) -> GateDecision:
    """Compare the models on each slice and overall, and decide.

    The candidate is promoted if no metric may be worse on any slice, and the first metric is better overall:
    the lower bound of the difference, with equal weight for each shop, is above 0.

    Args:
        metrics: Values by name of the metric. The candidate must be better at the first one.
        slices: Protected slices: which texts each contains, shape [texts]. Empty slices are skipped.
        shops: Disjoint shops: which texts each contains, shape [texts].
        config: Settings of the gate.
    """
    comparisons = [
        _compare(metric, name, paired, [mask], config)
        for metric, paired in metrics.items()
        for name, mask in slices.items()
        if mask.any()
    ]
    first = next(iter(metrics))
    present = [mask for mask in shops.values() if mask.any()]
    overall = _compare(first, OVERALL, metrics[first], present, config)
    reasons = [_reason(each, config) for each in comparisons if each.result.blocks]
    if overall.result is not SliceResult.BETTER:
        reasons.insert(0, _reason(overall, config))
    return GateDecision(promote=not reasons, reasons=reasons, comparisons=[overall, *comparisons])


def _reason(each: Comparison, config: GateConfig) -> str:
    difference = f"{each.candidate - each.serving:+.2%}, at worst {each.lower:+.2%}"
    if each.slice == OVERALL:
        return f"{each.metric} {OVERALL}: not shown to be better ({difference})"
    return f"{each.metric} on {each.slice}: {each.result} ({difference}; tolerated {-config.tolerance:.2%})"


def _compare(
    metric: str, name: str, paired: Paired, masks: Sequence[Booleans], config: GateConfig
) -> Comparison:
    """Compare on the mean over the masks' means. Each mask is resampled separately."""
    differences = [paired.candidate[mask] - paired.serving[mask] for mask in masks]
    # Seeded by the names, so that the draws of one slice do not depend on the other slices.
    random = np.random.default_rng([config.seed, crc32(f"{metric} {name}".encode())])
    means = np.mean([bootstrap_means(each, config.resamples, random) for each in differences], axis=0)
    lower, upper = np.quantile(means, [1.0 - config.confidence, config.confidence])
    texts = sum(len(each) for each in differences)
    return Comparison(
        metric=metric,
        slice=name,
        texts=texts,
        serving=float(np.mean([paired.serving[mask].mean() for mask in masks])),
        candidate=float(np.mean([paired.candidate[mask].mean() for mask in masks])),
        lower=float(lower),
        upper=float(upper),
        result=_result(float(lower), float(upper), texts, config),
    )


def _result(lower: float, upper: float, texts: int, config: GateConfig) -> SliceResult:
    if lower > 0.0:
        return SliceResult.BETTER
    if texts < config.min_texts:
        return SliceResult.WORSE if upper < 0.0 else SliceResult.TOO_FEW
    if lower > -config.tolerance:
        return SliceResult.NOT_WORSE
    return SliceResult.WORSE if upper < 0.0 else SliceResult.UNCLEAR
