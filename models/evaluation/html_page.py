"""Self-contained HTML pages of reports, for small screens and for light and dark color schemes."""

import re
from collections.abc import Iterable, Sequence

from models.evaluation.markup import plain

_CODE = re.compile("`([^`]+)`")
_STYLE = """
:root{color-scheme:light dark;--ink:#1a1d21;--paper:#fff;--soft:#5c6570;--line:#d9dee3;
--a:#0b66c3;--b:#b4540a;--c:#4c7d1d;--mark:#c2185b}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--paper:#14171a;--soft:#9aa4af;--line:#333a41;--a:#6db3ff;
--b:#ffab66;--c:#a5d76e;--mark:#ff79ab}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:64rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin-top:2.5rem}h3{font-size:1rem;margin-top:1.5rem}
.note{color:var(--soft);max-width:48rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
.text{text-align:left;white-space:normal;min-width:9rem}
small{color:var(--soft)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
figure{margin:0}figcaption{color:var(--soft);font-size:.875rem}
svg{width:100%;height:auto;font:10px system-ui,sans-serif}svg text{fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:.6;fill:none}.ideal{stroke:var(--soft);stroke-dasharray:4 4;fill:none}
.line{fill:none;stroke-width:1.8}.one{stroke:var(--a)}.two{stroke:var(--b)}.three{stroke:var(--c)}
.bar-one{fill:var(--a)}.bar-two{fill:var(--b)}.band{fill:none;stroke:var(--a);stroke-opacity:.3}
.dot{fill:var(--a);fill-opacity:.35}.mark{fill:var(--mark)}svg text.name{stroke:none;font-weight:600}
svg text.one{fill:var(--a)}svg text.two{fill:var(--b)}svg text.three{fill:var(--c)}
details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer}
details ul{margin:.3rem 0;padding-left:1.2rem}
"""


def document(title: str, body: Iterable[str]) -> str:
    """Render a page.

    Args:
        title: Title of the page.
        body: Parts of the body as HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def figure(picture: str, caption: str) -> str:
    """Render an SVG picture with its caption."""
    return f"<figure>{picture}<figcaption>{text(caption)}</figcaption></figure>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Render a table whose cells are HTML. The first `texts` columns may wrap."""
    head = "".join(
        f'<th class="text">{text(column)}</th>' if number < texts else f"<th>{text(column)}</th>"
        for number, column in enumerate(columns)
    )
    lines = []
    for row in rows:
        cells = [
            f'<td class="text">{cell}</td>' if number < texts else f"<td>{cell}</td>"
            for number, cell in enumerate(row)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "".join(lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def percent(value: float | None) -> str:
    """Format a share; a dash if it is None."""
    return "–" if value is None else f"{value:.1%}"


def text(value: str) -> str:
    """Escape a text for the page; text in backquotes becomes code."""
    return _CODE.sub(r"<code>\1</code>", plain(value))
