"""Plots as inline SVG. The page's style sheet sets the colors, for light and dark schemes."""

from collections.abc import Iterable, Sequence
from math import floor, sqrt

from models.evaluation.markup import plain
from models.evaluation.report import Bin, Curve, Scores

WIDTH, HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 20, 14, 40
_MIN_COVERAGE = 0.05
"""Below this coverage there are too few titles for the precision to set the scale of the plot."""


class _Axes:
    """The axes of a plot, both linear: x from 0 to 1, y from `lowest` to 1."""

    def __init__(self, lowest: float = 0.0) -> None:
        self.lowest = lowest

    def x(self, value: float) -> float:
        """The horizontal position of a value, in the SVG's units."""
        return round(_LEFT + value * (WIDTH - _LEFT - _RIGHT), 2)

    def y(self, value: float) -> float:
        """The vertical position of a value, in the SVG's units. Values below the lowest are at the bottom."""
        fraction = (max(value, self.lowest) - self.lowest) / (1.0 - self.lowest)
        return round(HEIGHT - _BOTTOM - fraction * (HEIGHT - _TOP - _BOTTOM), 2)

    def frame(self, x_name: str, y_name: str) -> str:
        """Render the grid with the ticks' values and the names of the axes."""
        parts = []
        for value in _ticks(0.0):
            x = self.x(value)
            parts += [
                _grid(f"M{x} {_TOP}V{HEIGHT - _BOTTOM}"),
                f'<text x="{x}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle">{value:.0%}</text>',
            ]
        for value in _ticks(self.lowest):
            parts += [
                _grid(f"M{_LEFT} {self.y(value)}H{WIDTH - _RIGHT}"),
                f'<text x="{_LEFT - 5}" y="{self.y(value) + 4}" text-anchor="end">{value:.0%}</text>',
            ]
        turned = f"translate(11 {(_TOP + HEIGHT - _BOTTOM) / 2}) rotate(-90)"
        parts += [
            f'<text x="{self.x(0.5)}" y="{HEIGHT - 8}" text-anchor="middle">{plain(x_name)}</text>',
            f'<text transform="{turned}" text-anchor="middle">{plain(y_name)}</text>',
        ]
        return "".join(parts)


def _ticks(lowest: float) -> list[float]:
    """Four to seven round values from 1 down to the lowest."""
    step = 0.05 if lowest >= 0.7 else 0.1 if lowest >= 0.4 else 0.2
    return [round(1.0 - number * step, 2) for number in range(int((1.0 - lowest) / step + 1e-9) + 1)]


def _grid(line: str) -> str:
    return f'<path class="grid" stroke="currentColor" stroke-width="0.3" d="{line}"/>'


def reliability_plot(bins: Sequence[Bin], name: str) -> str:
    """Plot accuracy by confidence. On the dashed line both are equal.

    Args:
        bins: Bins by ascending confidence.
        name: Name of the source, for screen readers.
    """
    axes = _Axes()
    most = max((each.texts for each in bins), default=1)
    points = [(axes.x(each.confidence), axes.y(each.accuracy)) for each in bins]
    circles = [
        f'<circle class="one dot" cx="{x}" cy="{y}" r="{2.0 + 6.0 * sqrt(each.texts / most):.2f}">'
        f"<title>{each.texts:,} titles: confidence {each.confidence:.1%}, "
        f"accuracy {each.accuracy:.1%}</title>"
        "</circle>"
        for each, (x, y) in zip(bins, points, strict=True)
    ]
    ideal = (
        '<path class="ideal" stroke="currentColor" stroke-dasharray="4 4" '
        f'd="M{axes.x(0)} {axes.y(0)}L{axes.x(1)} {axes.y(1)}"/>'
    )
    parts = [axes.frame("confidence", "right"), ideal, _line(points, "one"), *circles]
    return _picture(f"Reliability of level 1, {name}", parts)


def coverage_plot(curves: Sequence[Curve], scores: Scores, name: str) -> str:
    """Plot precision by coverage for each level, and mark the coverage and precision of the model.

    Args:
        curves: One curve per level.
        scores: Coverage and precision of the published categories.
        name: Name of the source, for screen readers.
    """
    values = [
        precision for curve in curves for coverage, precision in curve.points if coverage >= _MIN_COVERAGE
    ]
    values += [scores.precision] if scores.precision is not None else []
    axes = _Axes(min(0.8, floor(min(values, default=0.0) * 10) / 10))
    parts = [axes.frame("coverage", "precision")]
    ends = []
    for curve, color in zip(curves, ("one", "two", "three"), strict=False):
        points = [(axes.x(coverage), axes.y(precision)) for coverage, precision in curve.points]
        if points:
            parts.append(_line(points, color))
            ends.append((points[-1][1], color, curve.level))
    parts += _names(ends, axes.x(1.0) + 5)
    if scores.coverage is not None and scores.precision is not None:
        parts.append(
            f'<circle class="mark" cx="{axes.x(scores.coverage)}" cy="{axes.y(scores.precision)}" r="5">'
            f"<title>published: {scores.coverage:.1%}, right: {scores.precision:.1%}</title></circle>"
        )
    return _picture(f"Coverage and precision of levels 1 to {len(curves)}, {name}", parts)


def _names(ends: Iterable[tuple[float, str, int]], x: float) -> list[str]:
    """Render the levels at the ends of their curves, apart from each other if the ends are close."""
    parts, lowest = [], 0.0
    for y, color, level in sorted(ends):
        lowest = max(y + 4, lowest)
        parts.append(f'<text class="{color} name" x="{x}" y="{lowest}">{level}</text>')
        lowest += 11
    return parts


def _line(points: Iterable[tuple[float, float]], color: str) -> str:
    corners = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline class="{color} line" fill="none" stroke="currentColor" points="{corners}"/>'


def _picture(name: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" font-size="10" role="img" aria-label="{plain(name)}">'
        f"<title>{plain(name)}</title>{''.join(parts)}</svg>"
    )
