"""`shelfstream evaluate next-action`: models of the next action on sessions later than they learned from."""

from pathlib import Path

import msgspec
from click.testing import CliRunner, Result

from models.behavior.evaluation.score_table import ScoreTable
from models.training.behavior.held_out import LAST_TWO, WITH_SESSION
from models.training.behavior.next_action_table import AS_SHIPPED
from schemas.codec import encode
from schemas.events import Action
from streams.cli import main
from tests.support.behavior import behavior


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "next-action", *arguments])


def sessions(path: Path, count: int) -> str:
    """Write sessions, five minutes apart, in which what was viewed three times in a row is bought."""
    events = [
        behavior(
            "abab"[step] if number % 2 else "a",
            minute=number * 5 + step,
            action=Action.PURCHASE if step == 3 and not number % 2 else Action.VIEW,
            user_id=f"u{number}",
            session_id=f"s{number}",
        )
        for number in range(count)
        for step in range(4)
    ]
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    return f"{events[count * 3].occurred_at:%Y-%m-%dT%H:%M:%SZ}"


def test_the_session_tells_what_the_last_two_actions_do_not(tmp_path: Path) -> None:
    source, report = tmp_path / "events.jsonl", tmp_path / "scores.json"
    time = sessions(source, 120)
    result = run("--behavior", str(source), "--from", time, "--report", str(report))
    assert result.exit_code == 0, result.output
    rows = msgspec.json.decode(report.read_bytes(), type=ScoreTable).rows
    auc = {row.name: row.values[0] or 0.0 for row in rows}
    assert auc[WITH_SESSION] > auc[LAST_TWO]
    assert AS_SHIPPED in auc
    assert "15 of 90 actions were purchases" in result.stdout


def test_sessions_without_purchases_have_no_auc(tmp_path: Path) -> None:
    source = tmp_path / "events.jsonl"
    events = [behavior("a", Action.VIEW, minute=each, session_id=f"s{each // 3}") for each in range(12)]
    source.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    result = run("--behavior", str(source), "--from", f"{events[6].occurred_at:%Y-%m-%dT%H:%M:%SZ}")
    assert result.exit_code == 0, result.output
    assert "0 of 4 actions were purchases" in result.stdout
