"""Plots growth: throughput and memory over size, as SVG."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "shelfstream"

from matplotlib import pyplot  # noqa: E402 - after the backend is chosen

from benchmarks.growth import GrowthPoint  # noqa: E402


def growth(points: Sequence[GrowthPoint], what: str, path: Path) -> None:
    """Plot one growth measurement.

    Args:
        points: The results by ascending size.
        what: The label of the size axis.
        path: The SVG file to write.
    """
    figure, left = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    sizes = [point.size for point in points]
    left.plot(sizes, [point.per_s for point in points], "o-", color="tab:blue")
    left.set(xscale="log", xlabel=what, ylabel="events/s")
    left.set_ylim(bottom=0)
    left.yaxis.label.set_color("tab:blue")
    right = left.twinx()
    right.plot(sizes, [point.peak_mib for point in points], "s--", color="tab:orange")
    right.set(ylabel="peak resident memory, MiB")
    right.set_ylim(bottom=0)
    right.yaxis.label.set_color("tab:orange")
    left.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
