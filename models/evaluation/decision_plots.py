"""Plots of a comparison of decisions as inline SVG. The page's style sheet sets the colors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from models.evaluation.markup import plain

_WIDTH, _HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 14, 40
_NAME_WIDTH, _BAR_WIDTH, _GAP = 130, 8, 4
_NAME_CHARACTERS = 21
_BANDS = 12


def histogram_plot(published: Sequence[int], candidate: Sequence[int]) -> str:
    """Plot two histograms of confidences side by side, as shares of their totals.

    Args:
        published: Counts by bin; the bins are of equal width from 0 to 1.
        candidate: As `published`.
    """
    pairs = [
        (count / max(1, sum(published)), other / max(1, sum(candidate)))
        for count, other in zip(published, candidate, strict=True)
    ]
    highest = max(0.05, *(max(pair) for pair in pairs))
    step = (_WIDTH - _LEFT - _RIGHT) / len(pairs)
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for share in (0.0, highest / 2, highest):
        y = _height(share, highest)
        line = f"M{_LEFT} {y}H{_WIDTH - _RIGHT}"
        parts += [
            f'<path class="grid" stroke="currentColor" stroke-width="0.3" d="{line}"/>',
            f'<text x="{_LEFT - 5}" y="{y + 4}" text-anchor="end">{share:.0%}</text>',
        ]
    for number, pair in enumerate(pairs):
        x = _LEFT + number * step
        low, high = number / len(pairs), (number + 1) / len(pairs)
        for index, share in enumerate(pair):
            name, color = (("published", "bar-one"), ("candidate", "bar-two"))[index]
            y = _height(share, highest)
            size = (x + (0.1 + 0.4 * index) * step, y, 0.38 * step, bottom - y)
            parts.append(_bar(color, size, f"{name}, {low:.0%} to {high:.0%}: {share:.1%}"))
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{low:.0%}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">confidence</text>')
    return _picture("Confidences, published and of the candidate", _HEIGHT, parts)


def _bar(color: str, size: tuple[float, float, float, float], title: str) -> str:
    x, y, width, height = (round(each, 1) for each in size)
    return (
        f'<rect class="{color}" x="{x}" y="{y}" width="{width}" height="{height}">'
        f"<title>{plain(title)}</title></rect>"
    )


def _height(share: float, highest: float) -> float:
    return round(_HEIGHT - _BOTTOM - share / highest * (_HEIGHT - _TOP - _BOTTOM), 1)


def flow_plot(flows: Mapping[tuple[str, str], int]) -> str:
    """Plot flows as bands from the categories on the left to those on the right.

    Args:
        flows: Products by the category before and after. The largest ones are shown.
    """
    shown = sorted(flows.items(), key=lambda each: (-each[1], each[0]))[:_BANDS]
    total = sum(count for _, count in shown)
    if not total:
        return ""
    before: dict[str, int] = defaultdict(int)
    after: dict[str, int] = defaultdict(int)
    for (source, target), count in shown:
        before[source] += count
        after[target] += count
    rows = max(len(before), len(after))
    height = max(_HEIGHT, 18 * rows)
    scale = (height - 2 * _TOP - _GAP * (rows - 1)) / total
    left, right = _NAME_WIDTH, _WIDTH - _NAME_WIDTH
    parts = _bars(before, left - _BAR_WIDTH, left - _BAR_WIDTH - 4, "end", scale)
    parts += _bars(after, right, right + _BAR_WIDTH + 4, "start", scale)
    starts, ends = _offsets(before, scale), _offsets(after, scale)
    middle = (left + right) / 2
    for (source, target), count in shown:
        width = count * scale
        y, to = starts[source] + width / 2, ends[target] + width / 2
        starts[source] += width
        ends[target] += width
        parts.append(
            f'<path class="band" stroke-width="{max(width, 0.5):.1f}" '
            f'd="M{left} {y:.1f}C{middle} {y:.1f} {middle} {to:.1f} {right} {to:.1f}">'
            f"<title>{plain(source)} → {plain(target)}: {count:,}</title></path>"
        )
    return _picture("Changed products by department, published and of the candidate", height, parts)


def _offsets(sizes: Mapping[str, int], scale: float) -> dict[str, float]:
    """Return the upper end of each bar: the bars are below each other."""
    offsets, y = {}, float(_TOP)
    for name, size in sizes.items():
        offsets[name] = y
        y += size * scale + _GAP
    return offsets


def _bars(sizes: Mapping[str, int], x: int, name_x: int, anchor: str, scale: float) -> list[str]:
    parts = []
    for name, y in _offsets(sizes, scale).items():
        height = sizes[name] * scale
        short = name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
        parts += [
            _bar("bar-one", (x, y, _BAR_WIDTH, max(height, 0.5)), f"{name}: {sizes[name]:,}"),
            f'<text x="{name_x}" y="{y + height / 2 + 3:.1f}" text-anchor="{anchor}">{plain(short)}</text>',
        ]
    return parts


def _picture(name: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" font-size="10" role="img" aria-label="{plain(name)}">'
        f"<title>{plain(name)}</title>{''.join(parts)}</svg>"
    )
