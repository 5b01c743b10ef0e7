"""A Grafana dashboard over the metrics of workers.

The format is that of Grafana's JSON model, schema version 39 (Grafana 11).
"""

from typing import Any

from streams.observability.dashboard_panels import ROWS, Panel

_WIDTH = 24
_HEIGHT = 7
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard for an import into Grafana. The reader chooses the data source."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_row(len(panels) + 1, title, top))
        top += 1
        columns = len(row) if row[0].kind == "stat" else 3
        height = 4 if row[0].kind == "stat" else _HEIGHT
        width = _WIDTH // columns
        for number, panel in enumerate(row):
            x, y = number % columns * width, top + number // columns * height
            panels.append(_panel(len(panels) + 1, panel, {"x": x, "y": y, "w": width, "h": height}))
        top += -(-len(row) // columns) * height
    variable = {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "current": {},
    }
    return {
        "uid": "shelfstream",
        "title": "shelfstream",
        "tags": ["shelfstream", "kafka"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    at = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "gridPos": at, "collapsed": False, "panels": []}


def _panel(number: int, panel: Panel, at: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
        for place, (legend, query) in enumerate(panel.queries.items())
    ]
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.worst is not None:
        steps = [
            {"color": "red" if panel.falling else "green", "value": None},
            {"color": "green" if panel.falling else "red", "value": panel.worst},
        ]
    defaults = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": at,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}
