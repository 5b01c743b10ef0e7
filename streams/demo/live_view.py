"""The live view of the demo: draws the view state on a screen of a given size."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.demo.live_view_bars import bar, cut
from streams.demo.live_view_panels import LOW_PANELS, PANELS, WIDE_PANELS, PanelSpec
from streams.demo.view_state import ViewState

WIDE = 110
"""Least width, in cells, for two columns."""

LOW = 38
"""Least height, in lines, at which a single column has frames and all panels."""

_NARROWEST = 40
_HIGHEST = 44
_TITLE = "shelfstream demo"
_TAGLINE = "  a real shop through a real worker"


class LiveView:
    """Draws the view state in the present size of the terminal.

    Args:
        state: State to draw. It may change between two drawings.
    """

    def __init__(self, state: ViewState) -> None:
        self._state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(_NARROWEST, options.max_width)
        # The last line belongs to the cursor. The line above stays empty because the terminal echoes Ctrl-C
        # there: an echo that wraps would prevent the view from being erased completely.
        yield screen(self._state, width, min(_HIGHEST, max(8, console.size.height - 2)))
        yield Text("")


def screen(state: ViewState, width: int, height: int) -> Group:
    """Return the screen.

    Args:
        state: State to draw.
        width: Width in cells.
        height: Most lines of the screen.
    """
    head = header(state, width)
    rows = height - len(head)
    if width < WIDE and height < LOW:
        return Group(*head, *_column(state, LOW_PANELS, width, rows, frame=1))
    if width < WIDE:
        return Group(*head, *_column(state, PANELS, width, rows))
    # The right column shows titles, so it is wider.
    half = width * 9 // 20
    grid = Table.grid(padding=0)
    grid.add_column(width=half)
    grid.add_column(width=width - half)
    left, right = WIDE_PANELS
    grid.add_row(Group(*_column(state, left, half, rows)), Group(*_column(state, right, width - half, rows)))
    return Group(*head, grid)


def header(state: ViewState, width: int) -> list[Text]:
    """Return the two lines of the header: title with the shop's time, and progress with the stage."""
    clock = state.shop_time.strftime("%a %-d %b %Y %H:%M") if state.shop_time else ""
    title = Text(f" {_TITLE} ", "bold reverse", no_wrap=True, overflow="ellipsis")
    end = Text("shop time ", "dim") + Text(clock, "bold") if clock else Text()
    if title.cell_len + len(_TAGLINE) + end.cell_len + 1 <= width:
        title.append(_TAGLINE, style="not bold not reverse dim")
    title.append(" " * max(2, width - title.cell_len - end.cell_len - 1), style="not reverse")
    title.append_text(end)
    progress = Text(no_wrap=True, overflow="ellipsis")
    if state.seconds is None:
        progress.append(f" {state.elapsed_s:.0f} s, until Ctrl-C   {state.stage}")
    else:
        text = f" {min(state.elapsed_s, state.seconds):.0f} of {state.seconds:.0f} s   {state.stage}"
        room = max(8, width - len(text) - 3)
        progress.append(" ")
        fraction = state.elapsed_s / state.seconds
        progress.append(bar(fraction, room).replace(" ", "─"), style="cyan")
        progress.append(text)
    return [title, progress]


def _column(
    state: ViewState, panels: Sequence[PanelSpec], width: int, rows: int, frame: int = 2
) -> list[RenderableType]:
    """Return as many panels as fit into `rows` lines, the most important ones. Spare lines are distributed.

    Args:
        state: State to draw.
        panels: Panels of the column.
        width: Width in cells.
        rows: Height in lines.
        frame: Lines that each panel needs besides its content: 2 for a frame, 1 for a heading.
    """
    chosen = list(panels)
    while len(chosen) > 1 and sum(frame + panel.least for panel in chosen) > rows:
        chosen.remove(max(chosen, key=lambda panel: panel.rank))
    lines = {panel.name: min(panel.least, max(0, rows - frame)) for panel in chosen}
    spare = rows - sum(frame + panel.least for panel in chosen)
    while spare > 0:
        growing = [panel for panel in chosen if lines[panel.name] < panel.most]
        if not growing:
            break
        for panel in growing[:spare]:
            lines[panel.name] += 1
        spare -= len(growing[:spare])
    draw = _framed if frame == 2 else _headed
    return [draw(panel, state, width, lines[panel.name]) for panel in chosen]


def _framed(panel: PanelSpec, state: ViewState, width: int, lines: int) -> RenderableType:
    texts = _lines(panel, state, width - 4, lines)
    return Panel(
        Group(*texts), title=panel.title, title_align="left", width=width, border_style="bright_black"
    )


def _headed(panel: PanelSpec, state: ViewState, width: int, lines: int) -> RenderableType:
    heading = Text(cut(f"── {panel.title} " + "─" * width, width).replace("…", "─"), "bright_black")
    return Group(heading, *_lines(panel, state, width, lines))


def _lines(panel: PanelSpec, state: ViewState, width: int, lines: int) -> list[Text]:
    """Return exactly `lines` lines of at most `width` cells."""
    texts = panel.draw(state, width, lines)[:lines]
    texts += [Text("")] * (lines - len(texts))
    for text in texts:
        text.no_wrap = True
        text.truncate(width, overflow="ellipsis")
    return texts
