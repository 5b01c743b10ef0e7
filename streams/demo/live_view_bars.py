"""Bars, sparklines and cut texts: the small parts of the live view."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def sparkline(counts: Sequence[float]) -> str:
    """One character for each count, its height relative to the highest; nothing came: a blank."""
    highest = max(counts, default=0)
    if highest <= 0:
        return " " * len(counts)
    top = len(_LEVELS) - 1
    return "".join(" " if count <= 0 else _LEVELS[round(count / highest * top)] for count in counts)


def bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of `width` cells, to an eighth of a cell; more than nothing is seen."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def cut(text: str, width: int) -> str:
    """The text in exactly `width` cells: cut with an ellipsis, or filled with blanks."""
    if width <= 0:
        return ""
    shown = Text(text)
    shown.truncate(width, overflow="ellipsis", pad=True)
    return shown.plain


def shortened(path: str, width: int) -> str:
    """A category path in at most `width` cells: its end tells more than its beginning."""
    names = path.split(" > ")
    while len(names) > 2 and cell_len(" › ".join(names)) > width:
        names = names[1:]
    if cell_len(" › ".join(names)) > width:
        names = names[-1:]
    return " › ".join(names)


def count(number: float) -> str:
    """A number for people: thousands apart."""
    return f"{number:,.0f}"
