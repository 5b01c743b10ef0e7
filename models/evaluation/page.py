"""The report as one self-contained HTML page, for small screens and for light and dark color schemes."""

from models.evaluation.html_page import document, figure, percent, table, text
from models.evaluation.plots import coverage_plot, reliability_plot
from models.evaluation.report import Detail, Mistake, Report, Scores, Section, unseen_name


def render(report: Report) -> str:
    """Render a report as an HTML page."""
    encoder = "with the text encoder" if report.cascade else "without the text encoder"
    body = [
        f"<h1>How good is {text(report.model_version)}?</h1>",
        f'<p class="note">As it serves, {encoder}; categories of {text(report.taxonomy_version)}.</p>',
        _section(report.groups),
        _section(report.languages),
        _baselines(report),
        *[_detail(detail) for detail in report.details],
        "<h2>Slices</h2>",
        *[_section(section, "h3") for section in report.slices],
        _section(report.sellers) if report.sellers is not None else "",
        _unseen(report),
        "<h2>Notes</h2><ul>",
        *[f"<li>{text(note)}</li>" for note in report.notes],
        "</ul>",
    ]
    return document(f"Evaluation of {report.model_version}", body)


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
    head = f"<{heading}>{text(section.title)}</{heading}>"
    head += f'<p class="note">{text(section.note)}</p>' if section.note else ""
    if not section.rows:
        return f'{head}<p class="note">Too few such titles.</p>'
    accuracy_only = all(row.calibration_error is None for row in section.rows)
    levels = max(len(row.levels) for row in section.rows)
    columns = ["", "texts", *[name for level in range(1, levels + 1) for name in (f"level {level}", "F1")]]
    columns += [] if accuracy_only else ["ECE", "published", "right"]
    return head + table(columns, [_cells(row, accuracy_only) for row in section.rows])


def _cells(row: Scores, accuracy_only: bool) -> list[str]:
    cells = [text(row.name), f"{row.texts:,}"]
    for level in row.levels:
        half = 100 * (level.high - level.low) / 2
        cells += (
            [f"{level.accuracy:.1%} <small>±{half:.1f}</small>", f"{level.macro_f1:.1%}"]
            if level.texts
            else ["–", "–"]
        )
    if accuracy_only:
        return cells
    return [*cells, *map(percent, (row.calibration_error, row.coverage, row.precision))]


def _detail(detail: Detail) -> str:
    name = detail.source
    parts = [
        f"<h2>{text(name[:1].upper() + name[1:])} in detail</h2>",
        '<div class="plots">',
        figure(
            reliability_plot(detail.reliability, name),
            "Level 1: accuracy by confidence. Larger dots are more titles.",
        ),
        figure(
            coverage_plot(detail.curves, detail.scores, name),
            "Precision by coverage at levels 1, 2 and 3. The dot is what is published.",
        ),
        "</div>",
    ]
    if detail.confusions:
        rows = [
            [text(each.label), text(each.taken_for), f"{each.texts:,}", f"{each.of:,}"]
            for each in detail.confusions
        ]
        parts += [
            "<h3>Confusions of siblings</h3>",
            table(["correct category", "predicted", "titles", "of"], rows, texts=2),
        ]
    if detail.mistakes:
        parts += ["<h3>Most confident mistakes</h3>", *[_mistake(each) for each in detail.mistakes]]
    return "\n".join(parts)


def _mistake(mistake: Mistake) -> str:
    outcome = "published" if mistake.published else "in review"
    reasons = "".join(f"<li>{text(reason)}</li>" for reason in mistake.reasons)
    return (
        f"<details><summary>{text(mistake.title)} "
        f"<small>{mistake.confidence:.0%}, {outcome}</small></summary>"
        f"<p><small>predicted</small> {text(mistake.decided)}<br/>"
        f"<small>correct</small> {text(mistake.label)}</p>"
        f"<ul>{reasons}</ul></details>"
    )


def _unseen(report: Report) -> str:
    if not report.unseen:
        return ""
    rows = [
        [
            text(unseen_name(each)),
            f"{each.texts:,}",
            *[f"{accuracy:.1%}" for accuracy in each.accuracy],
            *map(percent, (each.calibration_error, each.published, each.precision)),
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
    return f'<h2>Shops left out in training</h2><p class="note">{text(note)}</p>' + table(columns, rows)
