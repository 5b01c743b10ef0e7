"""The reference tables in docs/ equal those that the commands print."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.drift.bins import DECISION_FEATURES, FIELD_FEATURES, TITLE_FEATURES
from streams.commands.operate.metrics import manual as metrics_manual
from streams.commands.operate.settings import manual as settings_manual
from streams.commands.operate.topics import manual as topics_manual
from streams.commands.operate.topics import topics
from streams.lanes.observer import LaneState
from streams.observability.alerts import manual as alerts_manual
from streams.observability.status import WorkerStatus
from streams.provenance import REPLAY
from streams.settings import Settings

DOCS = Path(__file__).resolve().parents[3] / "docs" / "operations"


@pytest.mark.parametrize(
    ("page", "table", "command"),
    [
        ("settings.md", settings_manual(), "settings --markdown"),
        ("metrics.md", metrics_manual(), "metrics --markdown"),
        ("metrics.md", alerts_manual(), "metrics --alerts --markdown"),
        ("topics.md", topics_manual(Settings()), "topics list --markdown"),
    ],
)
def test_a_page_has_the_table_that_its_command_prints(page: str, table: str, command: str) -> None:
    assert table in (DOCS / page).read_text(), (
        f"put what `shelfstream {command}` prints into docs/operations/{page}"
    )


def test_the_topics_command_prints_its_table() -> None:
    printed = CliRunner().invoke(topics, ["list", "--markdown"])
    assert printed.stdout.strip() == topics_manual(Settings())


def test_the_on_call_page_names_each_drift_feature() -> None:
    page = (DOCS / "on-call.md").read_text()
    for feature in TITLE_FEATURES + FIELD_FEATURES + DECISION_FEATURES:
        assert f"`{feature}`" in page


def test_the_on_call_page_explains_each_reason_of_readiness() -> None:
    status = WorkerStatus(fatal="x", stopping=True, broker_error="x", dead_letter_ceiling=True)
    for partition, state in enumerate(
        (LaneState.OPENING, LaneState.RESTORING, LaneState.BACKOFF, LaneState.FENCED)
    ):
        status.lane("enrich", "product-created", partition).state = state
    reasons = status.unready_reasons(0.0)
    assert len(reasons) == 9
    page = (DOCS / "on-call.md").read_text()
    explained = re.findall(r"^\| ([^|`]+) \|", page, re.MULTILINE)
    for reason in reasons:
        assert any(phrase in reason for phrase in explained), reason


def test_the_on_call_page_names_the_headers_that_the_code_writes() -> None:
    page = (DOCS / "on-call.md").read_text()
    for header in (REPLAY, "shelfstream.origin", "shelfstream.attempt"):
        assert f"`{header}`" in page
