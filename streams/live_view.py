"""The live view of the demo: what a tally and a reading say, as a screen of a given size."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.demo_scene import Scene
from streams.live_view_bars import bar
from streams.live_view_panels import PANELS, WIDE_PANELS, Draw

WIDE = 110
"""From this width on there are two columns."""

_NARROWEST = 40
_TITLE = "shelfstream demo"


class LiveView:
    """Draws a scene in the size that the terminal has at that moment.

    Args:
        scene: what to draw; it may change between drawings.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(_NARROWEST, options.max_width)
        # The last line of the terminal is the cursor's.
        yield screen(self._scene, width, max(8, console.size.height - 1))


def screen(scene: Scene, width: int, height: int) -> Group:
    """The scene in `width` cells and at most `height` lines."""
    head = header(scene, width)
    rows = height - len(head)
    if width < WIDE:
        return Group(*head, *_column(scene, PANELS, width, rows))
    half = width // 2
    grid = Table.grid(padding=0)
    grid.add_column(width=half)
    grid.add_column(width=width - half)
    left, right = WIDE_PANELS
    grid.add_row(Group(*_column(scene, left, half, rows)), Group(*_column(scene, right, width - half, rows)))
    return Group(*head, grid)


def header(scene: Scene, width: int) -> list[Text]:
    """What runs, at which time of the shop, and how far it is."""
    clock = scene.shop_time.strftime("%a %-d %b %Y %H:%M") if scene.shop_time else ""
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append(f" {_TITLE} ", style="bold reverse")
    title.append("  a real shop through a real worker", style="dim")
    if clock and title.cell_len + len(clock) + 12 <= width:
        title.append(" " * (width - title.cell_len - len(clock) - 11))
        title.append("shop time ", style="dim")
        title.append(clock, style="bold")
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


def _column(scene: Scene, panels: Sequence[Draw], width: int, rows: int) -> list[Panel]:
    """As many panels as fit into `rows` lines; lines to spare go to those that have more to show."""
    chosen = list(panels)
    while len(chosen) > 1 and sum(2 + panel.least for panel in chosen) > rows:
        # The most important stand before the others in `rank`, not on the screen.
        chosen.remove(max(chosen, key=lambda panel: panel.rank))
    lines = {panel.name: panel.least for panel in chosen}
    spare = rows - sum(2 + panel.least for panel in chosen)
    while spare > 0:
        growing = [panel for panel in chosen if lines[panel.name] < panel.most]
        if not growing:
            break
        for panel in growing[:spare]:
            lines[panel.name] += 1
        spare -= len(growing[:spare])
    return [_framed(panel, scene, width, lines[panel.name]) for panel in chosen]


def _framed(panel: Draw, scene: Scene, width: int, lines: int) -> Panel:
    inner = width - 4
    texts = panel.draw(scene, inner, lines)[:lines]
    texts += [Text("")] * (lines - len(texts))
    for text in texts:
        text.no_wrap = True
        text.truncate(inner, overflow="ellipsis")
    return Panel(
        Group(*texts), title=panel.title, title_align="left", width=width, border_style="bright_black"
    )
