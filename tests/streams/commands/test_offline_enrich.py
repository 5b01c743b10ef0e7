"""`shelfstream enrich`: order, rejects, standard streams, withdrawn listings, exit codes."""

from pathlib import Path

import orjson
from click.testing import CliRunner

from streams.cli import main

LINES = [
    b'{"product_id": "1", "title": "Nike men black running shoes"}',
    b"not json",
    b'{"product_id": "2", "title": "", "brand": "Nike"}',
    b"\xff\xfe",
    b'{"product_id": "3", "change": "withdrawn"}',
    b"",
    b"null",
    '{"product_id": "4", "title": "男士纯棉短袖T恤白色", "unknown": 1}'.encode(),
]


def test_valid_lines_are_enriched_in_order_and_invalid_ones_kept(tmp_path: Path) -> None:
    source, output, rejects = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "rejects.jsonl"
    source.write_bytes(b"\n".join(LINES) + b"\n")
    result = CliRunner().invoke(main, ["enrich", str(source), "-o", str(output), "--rejects", str(rejects)])
    assert result.exit_code == 0, result.output
    events = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    assert [event["product_id"] for event in events] == ["1", "2", "3", "4"]
    assert [event["decision"]["outcome"] for event in events] == ["model", "abstained", "abstained", "model"]
    assert events[0]["category"]["id"] == 187
    assert events[1]["attributes"][0]["value"] == "Nike"
    assert "withdrawn" in events[2]["decision"]["why"]
    assert events[2]["category"] is None
    kept = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [reject["line"] for reject in kept] == [2, 4, 7]
    assert "line 2: malformed-json" in result.stderr
    assert "4 events from 8 lines, 3 rejected" in result.stderr


def test_standard_streams_work(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["enrich", "-", "-o", "-"], input=LINES[0] + b"\n")
    assert result.exit_code == 0, result.output
    assert orjson.loads(result.stdout)["product_id"] == "1"


def test_strict_exits_1_where_lines_were_invalid(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["enrich", "-", "--strict"], input=b"{}\n")
    assert result.exit_code == 1
    assert CliRunner().invoke(main, ["enrich", "-", "--strict"], input=LINES[0]).exit_code == 0


def test_many_lines_keep_their_order_across_batches(tmp_path: Path) -> None:
    lines = b"".join(b'{"product_id":"%d","title":"red shoes %d"}\n' % (n, n % 7) for n in range(1300))
    result = CliRunner().invoke(main, ["enrich", "-"], input=lines)
    assert [orjson.loads(line)["product_id"] for line in result.stdout.splitlines()] == [
        str(n) for n in range(1300)
    ]


def test_a_damaged_model_stops_the_command_with_the_reason(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["enrich", "-", "--model", str(tmp_path)], input=LINES[0])
    assert result.exit_code == 1
    assert "Cannot read the model" in result.stderr
