"""Files in another form than JSON Lines are named, and an output is never replaced by nothing."""

import gzip
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.commands.input_form import other_form

VIEW = (
    b'{"occurred_at": "2024-05-01T12:00:00Z", "product_id": "%s", "action": "purchase", "user_id": "u", '
    b'"session_id": "s"}'
)


def _run(path: Path, content: bytes, *options: str) -> Result:
    source = path / "in"
    source.write_bytes(content)
    return CliRunner().invoke(main, ["affinity", str(source), "-o", str(path / "out"), *options])


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"id,title\n1,Tee\n", "CSV"),
        (b"\xef\xbb\xbfid;title\n1;Tee\n", "CSV with semicolons"),
        (b"id\ttitle\n1\tTee\n", "TSV"),
        (b'<?xml version="1.0"?>\n<rss/>', "XML"),
        (gzip.compress(b"{}\n", mtime=0), "compressed by gzip"),
        (b'\n[{"product_id": "1"}]', "one JSON array"),
        (b'{\n  "product_id": "1"\n}', "one JSON document over several lines"),
        ('{"a": 1}\n'.encode("utf-16"), "text in UTF-16"),
        ('{"a": 1}\n'.encode("utf-16-le"), "text in UTF-16"),
    ],
)
def test_another_form_is_named_with_the_command_that_reads_it(
    tmp_path: Path, content: bytes, form: str
) -> None:
    (tmp_path / "out").write_text("before")
    result = _run(tmp_path, content)
    assert result.exit_code == 1
    assert f"is {form}" in result.stderr
    assert "shelfstream import auto" in result.stderr
    assert (tmp_path / "out").read_text() == "before"


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    result = _run(tmp_path, b"\xef\xbb\xbf" + VIEW % b"a" + b"\n" + VIEW % b"b")
    assert result.exit_code == 0, result.output
    assert "2 events from 2 lines, 0 rejected" in result.stderr


def test_all_lines_rejected_is_an_error_and_leaves_the_output(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    result = _run(tmp_path, b'{"product_id": "p"}\n{"product_id": "q"}\n')
    assert result.exit_code == 1
    assert "0 events from 2 lines, 2 rejected" in result.stderr
    assert (tmp_path / "out").read_text() == "before"


def test_an_empty_file_leaves_the_output(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    assert _run(tmp_path, b"\n").exit_code == 0
    assert (tmp_path / "out").read_text() == "before"


def test_rejections_offline_name_no_command_for_kafka(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects"
    result = _run(
        tmp_path, VIEW % b"a" + b'\n{"schema_version": 2}\nnot json\n{}\n', "--rejects", str(rejects)
    )
    kept = [orjson.loads(line)["detail"] for line in rejects.read_bytes().splitlines()]
    assert len(kept) == 3
    for text in (result.stderr, *kept):
        assert "redrive" not in text
        assert "dead-letters" not in text


def test_what_is_left_out_and_likely_typos_are_warnings_with_a_count(tmp_path: Path) -> None:
    lines = [VIEW % b"a", (VIEW % b"b")[:-1] + b', "price": "5", "quantitiy": 2}'] * 2
    result = _run(tmp_path, b"\n".join(lines))
    assert result.exit_code == 0, result.output
    assert "left out price (2 lines, first line 2): $.price:" in result.stderr
    assert "unknown field quantitiy, is quantity meant? (2 lines, first line 2)" in result.stderr


def test_lines_that_only_look_odd_are_json_lines() -> None:
    assert other_form([]) is None
    assert other_form([b'{"a": 1}', b"not json"]) is None
    assert other_form([b"a comment, with a comma", b'{"a": 1}']) is None
