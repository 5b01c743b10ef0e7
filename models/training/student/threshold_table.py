"""How the thresholds of an own taxonomy were chosen, in words: for the model card and the terminal."""

import msgspec

from models.student.artifact import Manifest, ThresholdChoice
from models.training.student.thresholds import CONFIDENCE, least_titles

_SECTION = """## Thresholds

A threshold is the lowest one at which the decisions on calibration titles that reach it have a precision
whose lower bound, with {confidence:.0%} confidence, is at least {target:.1%}. A decision is made at the
deepest level whose threshold is reached. *Titles* are those whose most probable path goes that deep,
*published* is the share of them that reach the threshold, *right* the precision of the decisions, *surely*
its lower bound.
Without a threshold, *right* and *surely* are those of the titles with the greatest bound.

| level | titles | threshold | published | right | surely |
| --- | ---: | ---: | ---: | ---: | ---: |
{rows}

{notes}"""


def threshold_section(manifest: Manifest) -> str:
    """The card's section on thresholds; empty if they were not chosen with a bound."""
    if manifest.threshold_choices is msgspec.UNSET or manifest.target_precision is msgspec.UNSET:
        return ""
    rows = [
        f"| {each.level} | {each.titles:,} | {each.threshold:.4f} | "
        + (f"{each.published:.1%}" if each.reached else "0.0%")
        + f" | {each.precision:.1%} | {each.bound:.1%} |"
        for each in manifest.threshold_choices
    ]
    notes = [f"{note}\n" for note in unreached(manifest)]
    return _SECTION.format(
        confidence=CONFIDENCE,
        target=manifest.target_precision,
        rows="\n".join(rows),
        notes="\n".join([*notes, ""]) if notes else "",
    )


def unreached(manifest: Manifest) -> list[str]:
    """A sentence for each level that publishes nothing, with the reason and the remedy."""
    if manifest.threshold_choices is msgspec.UNSET or manifest.target_precision is msgspec.UNSET:
        return []
    target = manifest.target_precision
    return [_why(choice, target) for choice in manifest.threshold_choices if not choice.reached]


def _why(choice: ThresholdChoice, target: float) -> str:
    start = f"Level {choice.level} publishes nothing: no threshold surely reaches {target:.1%}."
    least = least_titles(target)
    if choice.titles < least:
        return (
            f"{start} {choice.titles:,} calibration titles are too few; {least} would do if all were right, "
            f"so label about {10 * least:,} titles, or set a lower --target-precision."
        )
    return (
        f"{start} The {choice.published:.1%} of titles that the model is surest of are right in "
        f"{choice.precision:.1%}, surely {choice.bound:.1%}: set a --target-precision below that, or label "
        "more titles."
    )
