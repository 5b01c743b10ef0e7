"""The figures of an evaluation on behavior as a page with bars, or as one picture."""

from collections.abc import Sequence

from models.behavior.evaluation.score_table import ScoreTable
from models.evaluation.html_page import document, figure, table, text
from models.evaluation.markup import plain

_WIDTH = 560
_NAMES = 270
_ROW = 22
_TOP = 24
_STYLE = (
    "text{fill:#5c6570;font:11px system-ui,sans-serif}.bar-one{fill:#0b66c3}.bar-two{fill:#b4540a}"
    "@media(prefers-color-scheme:dark){text{fill:#9aa4af}.bar-one{fill:#6db3ff}.bar-two{fill:#ffab66}}"
)


def behavior_page(score_tables: Sequence[ScoreTable]) -> str:
    """Render tables of an evaluation as an HTML page, each with bars of its main metric."""
    body = []
    for each in score_tables:
        rows = [[text(row.name), *map(shown, row.values)] for row in each.rows]
        body += [
            f"<h1>{text(each.title)}</h1>",
            *[f'<p class="note">{text(note)}</p>' for note in each.notes],
            table(["", *each.columns], rows),
            figure(bars(each), f"{each.columns[0]}; what is published in the second color."),
        ]
    return document(score_tables[0].title, body)


def behavior_picture(score_table: ScoreTable) -> str:
    """Render the bars of a table's main metric as an SVG file of its own."""
    return bars(score_table, f"<style>{_STYLE}</style>").replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" ', 1
    )


def bars(score_table: ScoreTable, style: str = "") -> str:
    """Render one bar per row of a table: the value of its first column."""
    rows = [(row, row.values[0] or 0.0) for row in score_table.rows]
    scale = (_WIDTH - _NAMES - 60) / (max((value for _, value in rows), default=0.0) or 1.0)
    parts = [f'<text x="0" y="14">{plain(score_table.title)}: {plain(score_table.columns[0])}</text>']
    for number, (row, value) in enumerate(rows):
        y = _TOP + number * _ROW
        color = "bar-two" if row.ours else "bar-one"
        parts += [
            f'<text x="{_NAMES - 6}" y="{y + 13}" text-anchor="end">{plain(row.name)}</text>',
            f'<rect class="{color}" x="{_NAMES}" y="{y}" width="{value * scale:.1f}" height="{_ROW - 5}"/>',
            f'<text x="{_NAMES + value * scale + 5:.1f}" y="{y + 13}">{shown(row.values[0])}</text>',
        ]
    height = _TOP + len(rows) * _ROW
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{plain(score_table.title)}">'
        f"{style}{''.join(parts)}</svg>\n"
    )


def shown(value: float | None) -> str:
    """Format a metric with four digits; a dash if there is none."""
    return "–" if value is None else f"{value:.4f}"
