"""`shelfstream affinity`: sums equal to the definition's, and a report of every invalid line."""

from base64 import b64encode
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.codec import decode_affinity_updated, encode
from schemas.events import Action, Relation, UserBehavior
from streams.cli import main
from streams.commands.jsonl_io import REPORTED
from streams.commands.offline import affinity as offline_affinity
from tests.support.behavior import Affinities, behavior, brute_force

SHOP = [
    behavior(product, action, minute=number * 777.0, user_id=f"u{number % 3}", session_id=f"s{number % 7}")
    for number, (product, action) in enumerate(
        (product, action)
        for action in (Action.VIEW, Action.CART, Action.PURCHASE)
        for product in "abcdecadbe"
    )
]


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["affinity", *arguments], input=stdin)


def write(path: Path, events: list[UserBehavior]) -> str:
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    return str(path)


def test_the_affinities_of_a_file_are_those_of_the_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline_affinity, "BATCH", 4)
    output = tmp_path / "out.jsonl"
    result = run(write(tmp_path / "in.jsonl", SHOP), "-o", str(output), "--half-life-days", "3")
    assert result.exit_code == 0, result.output
    assert "30 events from 30 lines, 0 rejected; 5 products" in result.stderr
    updates = [decode_affinity_updated(line) for line in output.read_bytes().splitlines()]
    assert [update.product_id for update in updates] == list("abcde")
    for update in updates:
        assert update.half_life_days == 3
        expected: Affinities = {
            key: value
            for key, value in brute_force(SHOP, 3, update.as_of).items()
            if key[0] == update.product_id
        }
        found = {(update.product_id, entry.relation, entry.product_id): entry for entry in update.related}
        assert found.keys() == expected.keys()
        for key, (score, support) in expected.items():
            assert found[key].score == pytest.approx(score, rel=1e-9)
            assert found[key].support == support


def test_standard_streams_and_guests_work() -> None:
    lines = (
        b'{"occurred_at":"2026-01-01T00:00:00Z","session_id":"s","product_id":"a","action":"purchase"}\n'
        b"\n"
        b'{"occurred_at":"2026-01-01T00:00:00Z","session_id":"s","product_id":"b","action":"purchase"}'
    )
    result = run("-", stdin=lines)
    assert result.exit_code == 0, result.output
    first, second = map(decode_affinity_updated, result.stdout_bytes.splitlines())
    (entry,) = first.related
    assert (entry.product_id, entry.relation) == ("b", Relation.BOUGHT)
    assert entry.score == pytest.approx(0.3)
    assert second.product_id == "b"


def test_events_beyond_the_allowed_lateness_form_no_pairs(tmp_path: Path) -> None:
    events = [behavior("a"), behavior("b", minute=10 * 1440), behavior("c", minute=0)]
    path = write(tmp_path / "in.jsonl", events)
    for days, related in ((11, {"a", "b", "c"}), (9, {"a", "b"})):
        result = run(path, "--allowed-lateness-days", str(days))
        assert result.exit_code == 0, result.output
        updates = map(decode_affinity_updated, result.stdout_bytes.splitlines())
        assert {update.product_id for update in updates if update.related} == related
    assert "allowed_lateness_days is -1.0" in run(path, "--allowed-lateness-days", "-1").stderr


def test_every_bad_line_is_reported_with_number_and_reason_and_kept(tmp_path: Path) -> None:
    bad = [
        b"{",
        b'{"product_id":"a"}',
        b'{"occurred_at":"2026-01-01T00:00:00Z","user_id":"u","product_id":"a","action":"steal"}',
        b"\xff\xfe",
        b'{"occurred_at":"2026-01-01T00:00:00Z","user_id":"u","product_id":"a\\u0000","action":"view"}',
        b"null",
        b"\x1b[2Jnot json",
    ]
    good = encode(behavior("a"))
    source, rejects = tmp_path / "in.jsonl", tmp_path / "rejects.jsonl"
    source.write_bytes(b"\r\n".join([good, *bad, good]))
    result = run(str(source), "-o", str(tmp_path / "out.jsonl"), "--rejects", str(rejects))
    assert result.exit_code == 0, result.output
    assert f"2 events from 9 lines, 7 rejected, kept in {rejects}" in result.stderr
    assert "\x1b" not in result.stderr
    kept = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [entry["line"] for entry in kept] == list(range(2, 9))
    for entry, line in zip(kept, bad, strict=True):
        assert entry["reason"]
        assert f"line {entry['line']}: {entry['reason']}" in result.stderr
        if line == b"\xff\xfe":
            assert entry["value_base64"] == b64encode(line).decode()
        else:
            assert entry["value"].encode() == line


def test_a_flood_of_bad_lines_is_counted_rather_than_shown(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(encode(SHOP[0]) + b"\n" + b"{\n" * (REPORTED + 30))
    result = run(str(source))
    assert result.exit_code == 0
    assert result.stderr.count("malformed-json") == REPORTED
    assert f"{REPORTED + 30} rejected" in result.stderr


def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert run(write(tmp_path / "in.jsonl", []), "-o", str(output)).exit_code == 0
    assert output.read_bytes() == b""


def test_exit_codes_tell_usage_from_failure(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", SHOP)
    assert run(str(tmp_path / "nowhere.jsonl")).exit_code == 2
    before = Path(source).read_bytes()
    assert run(source, "--rejects", source).exit_code == 2
    assert Path(source).read_bytes() == before
    wrong = run(source, "--half-life-days", "-1")
    assert wrong.exit_code == 1
    assert "half_life_days is -1.0" in wrong.stderr
    assert run(source, "-o", str(tmp_path / "no" / "folder" / "out.jsonl")).exit_code == 1


def test_an_event_of_the_future_is_rejected_and_the_scores_stay() -> None:
    """A basket of the year 2100 would make the scores of all other baskets vanish."""
    line = '{"occurred_at":"%s","session_id":"%s","product_id":"%s","action":"purchase"}\n'
    now = [line % ("2026-01-01T00:00:00Z", "s", product) for product in "ab"]
    wild = [line % ("2100-01-01T00:00:00Z", "t", product) for product in "ab"]
    result = run("-", stdin="".join(now + wild).encode())
    assert "invalid-time" in result.stderr
    first, _ = map(decode_affinity_updated, result.stdout_bytes.splitlines())
    assert first.as_of.year == 2026
    assert [entry.support for entry in first.related] == [1]
