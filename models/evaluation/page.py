"""The report as one self-contained HTML page, for small screens and for light and dark color schemes."""

import re
from collections.abc import Iterable, Sequence

from models.evaluation.markup import plain
from models.evaluation.plots import coverage_plot, reliability_plot
from models.evaluation.report import Detail, Mistake, Report, Scores, Section, unseen_name

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
.dot{fill:var(--a);fill-opacity:.35}.mark{fill:var(--mark)}svg text.name{stroke:none;font-weight:600}
svg text.one{fill:var(--a)}svg text.two{fill:var(--b)}svg text.three{fill:var(--c)}
details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer}
details ul{margin:.3rem 0;padding-left:1.2rem}
"""


def render(report: Report) -> str:
    """Render a report as an HTML page."""
    encoder = "with the text encoder" if report.cascade else "without the text encoder"
    body = [
        f"<h1>How good is {_text(report.model_version)}?</h1>",
        f'<p class="note">As it serves, {encoder}; categories of {_text(report.taxonomy_version)}.</p>',
        _section(report.groups),
        _section(report.languages),
        _baselines(report),
        *[_detail(detail) for detail in report.details],
        "<h2>Slices</h2>",
        *[_section(section, "h3") for section in report.slices],
        _section(report.sellers) if report.sellers is not None else "",
        _unseen(report),
        "<h2>Notes</h2><ul>",
        *[f"<li>{_text(note)}</li>" for note in report.notes],
        "</ul>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>Evaluation of {_text(report.model_version)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _baselines(report: Report) -> str:
    if not report.baselines:
        return ""
    note = (
        "Metrics on the same titles. The SVM and the tuned encoder were trained on the same split of the "
        "same shops as the model, and on nothing else; they never abstain. MiniLM reads English."
    )
    head = f'<h2>Baselines</h2><p class="note">{note}</p>'
    return head + "".join(_section(section, "h3") for section in report.baselines)


def _section(section: Section, heading: str = "h2") -> str:
    head = f"<{heading}>{_text(section.title)}</{heading}>"
    head += f'<p class="note">{_text(section.note)}</p>' if section.note else ""
    if not section.rows:
        return f'{head}<p class="note">Too few such titles.</p>'
    accuracy_only = all(row.calibration_error is None for row in section.rows)
    levels = max(len(row.levels) for row in section.rows)
    columns = ["", "texts", *[name for level in range(1, levels + 1) for name in (f"level {level}", "F1")]]
    columns += [] if accuracy_only else ["ECE", "published", "right"]
    return head + _table(columns, [_cells(row, accuracy_only) for row in section.rows])


def _cells(row: Scores, accuracy_only: bool) -> list[str]:
    cells = [_text(row.name), f"{row.texts:,}"]
    for level in row.levels:
        half = 100 * (level.high - level.low) / 2
        cells += (
            [f"{level.accuracy:.1%} <small>±{half:.1f}</small>", f"{level.macro_f1:.1%}"]
            if level.texts
            else ["–", "–"]
        )
    if accuracy_only:
        return cells
    return [*cells, *map(_percent, (row.calibration_error, row.coverage, row.precision))]


def _detail(detail: Detail) -> str:
    name = detail.source
    parts = [
        f"<h2>{_text(name[:1].upper() + name[1:])} in detail</h2>",
        '<div class="plots">',
        _figure(
            reliability_plot(detail.reliability, name),
            "Level 1: accuracy by confidence. Larger dots are more titles.",
        ),
        _figure(
            coverage_plot(detail.curves, detail.scores, name),
            "Precision by coverage at levels 1, 2 and 3. The dot is what is published.",
        ),
        "</div>",
    ]
    if detail.confusions:
        rows = [
            [_text(each.label), _text(each.taken_for), f"{each.texts:,}", f"{each.of:,}"]
            for each in detail.confusions
        ]
        parts += [
            "<h3>Confusions of siblings</h3>",
            _table(["correct category", "predicted", "titles", "of"], rows, texts=2),
        ]
    if detail.mistakes:
        parts += ["<h3>Most confident mistakes</h3>", *[_mistake(each) for each in detail.mistakes]]
    return "\n".join(parts)


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{_text(caption)}</figcaption></figure>"


def _mistake(mistake: Mistake) -> str:
    outcome = "published" if mistake.published else "in review"
    reasons = "".join(f"<li>{_text(reason)}</li>" for reason in mistake.reasons)
    return (
        f"<details><summary>{_text(mistake.title)} "
        f"<small>{mistake.confidence:.0%}, {outcome}</small></summary>"
        f"<p><small>predicted</small> {_text(mistake.decided)}<br/>"
        f"<small>correct</small> {_text(mistake.label)}</p>"
        f"<ul>{reasons}</ul></details>"
    )


def _unseen(report: Report) -> str:
    if not report.unseen:
        return ""
    rows = [
        [
            _text(unseen_name(each)),
            f"{each.texts:,}",
            *[f"{accuracy:.1%}" for accuracy in each.accuracy],
            *map(_percent, (each.calibration_error, each.published, each.precision)),
        ]
        for each in report.unseen
    ]
    levels = max(len(each.accuracy) for each in report.unseen)
    columns = [
        "",
        "texts",
        *[f"level {level}" for level in range(1, levels + 1)],
        "ECE",
        "published",
        "right",
    ]
    note = (
        "These metrics are from the model's manifest; `shelfstream train` computed them. For each shop a "
        "student was trained without it, and evaluated on all of it."
    )
    return f'<h2>Shops left out in training</h2><p class="note">{_text(note)}</p>' + _table(columns, rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Render a table whose cells are HTML. The first `texts` columns may wrap."""
    head = "".join(
        f'<th class="text">{_text(column)}</th>' if number < texts else f"<th>{_text(column)}</th>"
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


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _text(value: str) -> str:
    """Escape a text for the page; text in backquotes becomes code."""
    return _CODE.sub(r"<code>\1</code>", plain(value))
