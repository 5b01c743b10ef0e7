"""The live view of the demo: what a tally and a reading say, as a screen of a given size."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.demo.live_view_bars import bar, cut
from streams.demo.live_view_panels import LOW_PANELS, PANELS, WIDE_PANELS, Draw
from streams.demo.view_state import Scene

WIDE = 110
"""From this width on there are two columns."""

LOW = 38
"""Below this height one column goes without frames and says some things in brief."""

_NARROWEST = 40
_HIGHEST = 44
_TITLE = "shelfstream demo"
_TAGLINE = "  a real shop through a real worker"


class LiveView:
    """Draws a scene in the size that the terminal has at that moment.

    Args:
        scene: what to draw; it may change between drawings.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(_NARROWEST, options.max_width)
        # The terminal's last line is the cursor's. The one above stays empty: there the terminal echoes a
        # Ctrl-C, which must not wrap, or the view could not be wiped away whole.
        yield screen(self._scene, width, min(_HIGHEST, max(8, console.size.height - 2)))
        yield Text("")


def screen(scene: Scene, width: int, height: int) -> Group:
    """The scene in `width` cells and at most `height` lines."""
    head = header(scene, width)
    rows = height - len(head)
    if width < WIDE and height < LOW:
        return Group(*head, *_column(scene, LOW_PANELS, width, rows, frame=1))
    if width < WIDE:
        return Group(*head, *_column(scene, PANELS, width, rows))
    # The right column has the titles, which are long.
    half = width * 9 // 20
    grid = Table.grid(padding=0)
    grid.add_column(width=half)
    grid.add_column(width=width - half)
    left, right = WIDE_PANELS
    grid.add_row(Group(*_column(scene, left, half, rows)), Group(*_column(scene, right, width - half, rows)))
    return Group(*head, grid)


def header(scene: Scene, width: int) -> list[Text]:
    """What runs, at which time of the shop, and how far it is."""
    clock = scene.shop_time.strftime("%a %-d %b %Y %H:%M") if scene.shop_time else ""
    title = Text(f" {_TITLE} ", "bold reverse", no_wrap=True, overflow="ellipsis")
    end = Text("shop time ", "dim") + Text(clock, "bold") if clock else Text()
    if title.cell_len + len(_TAGLINE) + end.cell_len + 1 <= width:
        title.append(_TAGLINE, style="not bold not reverse dim")
    title.append(" " * max(2, width - title.cell_len - end.cell_len - 1), style="not reverse")
    title.append_text(end)
    progress = Text(no_wrap=True, overflow="ellipsis")
    if scene.seconds is None:
        progress.append(f" {scene.elapsed_s:.0f} s, until Ctrl-C   {scene.stage}")
    else:
        words = f" {min(scene.elapsed_s, scene.seconds):.0f} of {scene.seconds:.0f} s   {scene.stage}"
        room = max(8, width - len(words) - 3)
        progress.append(" ")
        share = scene.elapsed_s / scene.seconds
        progress.append(bar(share, room).replace(" ", "─"), style="cyan")
        progress.append(words)
    return [title, progress]


def _column(
    scene: Scene, panels: Sequence[Draw], width: int, rows: int, frame: int = 2
) -> list[RenderableType]:
    """As many panels as fit into `rows` lines; lines to spare go to those that have more to show.

    `frame` is how many lines a panel needs for itself: 2 with a frame around it, 1 with a heading only.
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
    return [draw(panel, scene, width, lines[panel.name]) for panel in chosen]


def _framed(panel: Draw, scene: Scene, width: int, lines: int) -> RenderableType:
    texts = _lines(panel, scene, width - 4, lines)
    return Panel(
        Group(*texts), title=panel.title, title_align="left", width=width, border_style="bright_black"
    )


def _headed(panel: Draw, scene: Scene, width: int, lines: int) -> RenderableType:
    heading = Text(cut(f"── {panel.title} " + "─" * width, width).replace("…", "─"), "bright_black")
    return Group(heading, *_lines(panel, scene, width, lines))


def _lines(panel: Draw, scene: Scene, width: int, lines: int) -> list[Text]:
    """Exactly `lines` lines of at most `width` cells."""
    texts = panel.draw(scene, width, lines)[:lines]
    texts += [Text("")] * (lines - len(texts))
    for text in texts:
        text.no_wrap = True
        text.truncate(width, overflow="ellipsis")
    return texts
