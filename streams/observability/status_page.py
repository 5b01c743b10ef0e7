"""The status page of a worker: one HTML page without scripts and other files."""

from html import escape
from string import Template
from typing import Any

REFRESH_S = 2

_PAGE = Template(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="$refresh">
<meta name="viewport" content="width=device-width"><title>$title</title><style>
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 1.6rem; }
.ready, .running, .stable { color: #18794e; }
.unready, .fenced, .backoff, .error, .drifted { color: #cd2b31; }
.opening, .restoring, .paused, .moving, .warning { color: #ad5700; } .closed { opacity: .6; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; }
dl { display: grid; grid-template-columns: max-content 1fr;
  gap: .1rem 1rem; } dt { opacity: .7; } dd { margin: 0; }
</style></head><body>
<h1>shelfstream <span class="$class">$readiness</span></h1>
$reasons
$warnings
<dl>$facts</dl>
<h2>Lanes</h2>$lanes
$drift
<h2>Dead letters of this worker</h2>$dead_letters
<p><a href="/metrics">metrics</a> · <a href="/ready">readiness</a> · <a href="/status.json">as JSON</a></p>
</body></html>
"""
)

_WORST = 6
_FACTS = ("worker_id", "version", "agents", "model_version", "taxonomy_version", "started_at")


def render(status: dict[str, Any]) -> str:
    """Return the page.

    Args:
        status: The result of `WorkerStatus.as_json`.
    """
    ready = status["ready"]
    facts = "".join(
        f"<dt>{name.replace('_', ' ')}</dt><dd>{_text(value)}</dd>"
        for name, value in [*((name, status[name]) for name in _FACTS), *_trial(status)]
    )
    return _PAGE.substitute(
        refresh=REFRESH_S,
        title="shelfstream: " + ("ready" if ready else "not ready"),
        readiness="ready" if ready else "not ready",
        **{"class": "ready" if ready else "unready"},
        reasons=_list("error", status["reasons"]),
        warnings=_list("warning", status["warnings"]),
        facts=facts,
        lanes=_lanes(status["lanes"]),
        drift=_drift(status["drift"]),
        dead_letters=_dead_letters(status["dead_letters"]),
    )


def _trial(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return rows about the candidate model, if there is one."""
    version, share, shadow = status["candidate_version"], status["canary_share"], status["shadow"]
    facts = []
    if share:
        facts.append(("canary", f"{version} for {share:.1%} of the products"))
    if shadow is not None:
        counts = ", ".join(f"{name} {count:,}" for name, count in shadow.items())
        facts.append(("shadow", f"{version}: {counts}"))
    return facts


def _lanes(lanes: list[dict[str, Any]]) -> str:
    if not lanes:
        return "<p>None: other workers have all partitions, or the group is rebalancing.</p>"
    numbers = ("lag", "rate", "records")
    rows = "".join(
        f"<tr><td>{_text(lane['agent'])}</td><td>{_text(lane['topic'])}-{lane['partition']}</td>"
        f'<td class="{_text(lane["state"])}">{_text(lane["state"])}{_restoring(lane)}</td>'
        + "".join(f'<td class="number">{_number(lane[name])}</td>' for name in numbers)
        + f"<td>{_offsets(lane['next_offsets'])}</td>"
        + f'<td class="error">{_text(lane["last_error"] or "")}</td></tr>'
        for lane in sorted(lanes, key=lambda lane: (lane["agent"], lane["topic"], lane["partition"]))
    )
    return (
        "<table><tr><th>agent</th><th>partition</th><th>state</th>"
        '<th class="number">lag</th><th class="number">records/s</th><th class="number">records</th>'
        f"<th>next offsets</th><th>last error</th></tr>{rows}</table>"
    )


def _restoring(lane: dict[str, Any]) -> str:
    if lane["state"] != "restoring" or lane["restore_remaining"] is None:
        return ""
    return f", {_number(lane['restore_remaining'])} records left"


def _offsets(offsets: dict[str, int]) -> str:
    return "<br>".join(f"{_text(topic)}: {_number(offset)}" for topic, offset in sorted(offsets.items()))


def _list(kind: str, lines: list[str]) -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>' if items else ""


def _drift(drift: dict[str, Any] | None) -> str:
    if drift is None:
        return ""
    title = "<h2>Drift of this worker's listings from the reference</h2>"
    if drift["silent_why"] is not None:
        return f"{title}<p>Not measured: {_text(drift['silent_why'])}.</p>"
    rows = "".join(
        f'<tr><td>{_text(name)}</td><td class="number">{index:.3f}</td>'
        f'<td class="{_text(level)}">{_text(level)}</td></tr>'
        for name, (index, level) in list(drift["features"].items())[:_WORST]
    )
    return (
        f"{title}<p>Over {_number(drift['listings'])} listings, decayed. Largest index first.</p>"
        f'<table><tr><th>feature</th><th class="number">PSI</th><th></th></tr>{rows}</table>'
    )


def _dead_letters(counts: dict[str, int]) -> str:
    if not counts:
        return "<p>None since the start.</p>"
    rows = "".join(
        f'<tr><td>{_text(reason)}</td><td class="number">{_number(count)}</td></tr>'
        for reason, count in sorted(counts.items(), key=lambda item: -item[1])
    )
    return f'<table><tr><th>reason</th><th class="number">records</th></tr>{rows}</table>'


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,}"


def _text(value: Any) -> str:
    return escape(", ".join(value) if isinstance(value, (tuple, list)) else str(value))
