"""`shelfstream import`: output, report, exit codes and messages."""

import os
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.codec import decode_product_created
from schemas.formats.registry import FORMATS
from streams.cli import main
from tests.schemas.formats.imports import SAMPLE_NAMES, SAMPLES, golden


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["import", *arguments], input=stdin)


def test_the_worker_takes_what_is_written(tmp_path: Path) -> None:
    output = tmp_path / "events.jsonl"
    result = run("auto", *(str(SAMPLES / name) for name in SAMPLE_NAMES), "-o", str(output))
    assert result.exit_code == 0, result.output
    lines = output.read_bytes().splitlines()
    assert len(lines) == sum(len(golden(name)) for name in SAMPLE_NAMES)
    for line in lines:
        decode_product_created(line, None)
    assert f"{len(lines)} events written to {output}" in result.stderr
    assert output.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_standard_input_and_output_are_files_too() -> None:
    result = run("merchant", "-", "--currency", "eur", stdin=(SAMPLES / "merchant.csv").read_bytes())
    assert result.exit_code == 0
    assert [orjson.loads(line) for line in result.stdout.splitlines()] == golden("merchant.csv")


def test_check_reports_and_writes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "events.jsonl"
    result = run("auto", str(SAMPLES / "amazon-2023.jsonl"), "--check", "-o", str(output))
    assert result.exit_code == 0
    assert not output.exists()
    assert result.stdout == ""
    report = result.stderr.splitlines()
    assert report[0] == "amazon: 2 rows, 1 product-created, 1 rejected"
    assert report[1].startswith("columns used: main_category, title")
    assert report[2] == "columns not used: average_rating, rating_number"
    assert report[3] == "warning: the price has no currency; name it with --currency (1 events)"
    assert report[4].startswith("rejected 1: ")
    assert "line 2: title: the listing has no title" in report[4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("merchant", b"id,title,image_link\n,Mug,\n,Cup,\n", "rejected 2"),
        ("merchant", b"id,title,image_link\n", "nothing of the format merchant"),
        ("merchant", b"<rss><channel><item><id>1</id><title>Mug</title></item>", "cut off"),
        ("auto", b"what is this?", "not recognized"),
        ("auto", b"", "the file is empty"),
        ("auto", b"\x1f\x8b\x08\x00broken", "cannot be read"),
        ("auto", b"PK\x03\x04broken", "cannot be read"),
        ("auto", b"\x28\xb5\x2f\xfdbroken", "cannot be read"),
    ],
)
def test_an_existing_output_is_never_replaced_by_nothing(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    source, output = tmp_path / "input", tmp_path / "events.jsonl"
    source.write_bytes(content)
    output.write_bytes(b"before\n")
    result = run(name, str(source), "-o", str(output))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert output.read_bytes() == b"before\n"
    assert {path.name for path in tmp_path.iterdir()} == {"input", "events.jsonl"}


def test_wrong_options_are_named(tmp_path: Path) -> None:
    sample = str(SAMPLES / "merchant.tsv")
    assert "no ISO 4217 code" in run("merchant", sample, "--currency", "EURO").stderr
    assert "there is no encoding" in run("merchant", sample, "--encoding", "latin-99").stderr
    assert run("merchants", sample).exit_code == 2
    assert run("merchant").exit_code == 2


def test_the_list_has_every_format() -> None:
    listed = [line.split()[0] for line in run("--list").stdout.splitlines()]
    assert listed[: len(FORMATS)] == list(FORMATS)


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lxml", None)
    result = run("merchant", str(SAMPLES / "merchant.xml"))
    assert result.exit_code == 1
    assert "pip install 'shelfstream[import]'" in result.stderr
