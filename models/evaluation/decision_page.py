"""The comparison of a candidate's decisions with the published ones as one HTML page."""

from collections import Counter

from models.evaluation.decision_diff import DecisionDiff, Flow
from models.evaluation.decision_plots import flow_plot, histogram_plot
from models.evaluation.html_page import document, figure, table, text

MAX_FLOWS = 200
"""Flows in the table of the page; the JSON has all."""
_MAX_NAMES = 30
_SIGNS = {"+": "gained", "-": "lost", "~": "other value"}


def render_diff(diff: DecisionDiff, source: str) -> str:
    """Render a comparison as an HTML page.

    Args:
        diff: The comparison.
        source: What was compared, such as the topic and its range.
    """
    versions = text(", ".join(diff.models) or "no model")
    body = [
        f"<h1>What would {text(diff.candidate_version)} change?</h1>",
        f'<p class="note">{text(source)}. Published by {versions}. Nothing was written.</p>',
        table(["", "products", "share"], _totals(diff)),
        '<div class="plots">',
        figure(
            histogram_plot(diff.published_confidence, diff.candidate_confidence),
            "Confidences: published on the left of each pair, the candidate's on the right.",
        ),
        figure(flow_plot(diff.department_flows()), "The largest changes between departments.")
        if diff.flows
        else "",
        "</div>",
        "<h2>Outcomes</h2>",
        table(["published", "candidate", "products"], _rows(diff.outcomes), texts=2),
        "<h2>Changed categories</h2>" if diff.flows else "",
        *[_flow(before, after, flow) for before, after, flow in diff.largest_flows(MAX_FLOWS)],
        f'<p class="note">{len(diff.flows) - MAX_FLOWS:,} smaller ones are not shown.</p>'
        if len(diff.flows) > MAX_FLOWS
        else "",
        *_changes("Tags", diff.tags_changed, diff.tags),
        *_changes("Attributes", diff.attributes_changed, diff.attributes),
    ]
    if diff.left_out:
        rows = [[text(reason), f"{count:,}"] for reason, count in diff.left_out.most_common()]
        body += ["<h2>Not compared</h2>", table(["reason", "products"], rows)]
    return document(f"What would {diff.candidate_version} change?", body)


def _totals(diff: DecisionDiff) -> list[list[str]]:
    share = max(1, diff.compared)
    return [
        ["compared", f"{diff.compared:,}", ""],
        ["another published category", f"{diff.changed:,}", f"{diff.changed / share:.1%}"],
        ["other tags", f"{diff.tags_changed:,}", f"{diff.tags_changed / share:.1%}"],
        ["other attributes", f"{diff.attributes_changed:,}", f"{diff.attributes_changed / share:.1%}"],
    ]


def _rows(counts: Counter[tuple[str, str]]) -> list[list[str]]:
    return [[text(before), text(after), f"{count:,}"] for (before, after), count in counts.most_common()]


def _flow(before: str, after: str, flow: Flow) -> str:
    examples = "".join(
        f"<li>{text(each.title)} <small>{text(each.product_id)}, {each.published:.0%} → "
        f"{each.candidate:.0%}</small></li>"
        for each in flow.examples
    )
    return (
        f"<details><summary>{flow.products:,}: {text(before)} → {text(after)}</summary>"
        f"<ul>{examples}</ul></details>"
    )


def _changes(title: str, products: int, counts: Counter[tuple[str, str]]) -> list[str]:
    if not counts:
        return []
    rows = [
        [text(what), _SIGNS[sign], f"{count:,}"] for (sign, what), count in counts.most_common(_MAX_NAMES)
    ]
    return [
        f"<h2>{title}</h2>",
        f'<p class="note">{products:,} products have others.</p>',
        table(["", "change", "products"], rows),
    ]
