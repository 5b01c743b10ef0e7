"""Bars, sparklines and text of fixed width for the live view."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def sparkline(counts: Sequence[float]) -> str:
    """Return one character per count, its height relative to the highest count. A count of 0 is a blank."""
    highest = max(counts, default=0)
    if highest <= 0:
        return " " * len(counts)
    top = len(_LEVELS) - 1
    return "".join(" " if count <= 0 else _LEVELS[round(count / highest * top)] for count in counts)


def bar(fraction: float, width: int) -> str:
    """Return a bar of `width` cells, filled to an eighth of a cell.

    Args:
        fraction: Filled part, from 0 to 1. Above 0 at least an eighth of a cell is filled.
        width: Width of the bar in cells.
    """
    eighths = round(min(1.0, max(0.0, fraction)) * width * 8)
    if fraction > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def cut(text: str, width: int) -> str:
    """Return the text in exactly `width` cells, truncated with an ellipsis or padded with blanks."""
    if width <= 0:
        return ""
    shown = Text(text)
    shown.truncate(width, overflow="ellipsis", pad=True)
    return shown.plain


def shortened(path: str, width: int) -> str:
    """Return a category path in at most `width` cells. The first names are dropped first.

    The last name is kept even if it is longer.
    """
    names = path.split(" > ")
    while len(names) > 2 and cell_len(" › ".join(names)) > width:
        names = names[1:]
    if cell_len(" › ".join(names)) > width:
        names = names[-1:]
    return " › ".join(names)


def count(number: float) -> str:
    """Format a number without decimals and with a separator of thousands."""
    return f"{number:,.0f}"
