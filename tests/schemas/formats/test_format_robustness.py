"""No input makes a format fail with anything but its two errors, and big files take little memory."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidFile
from schemas.formats.head import Head
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from streams.importing.conversion import convert
from streams.importing.opening import OpenedFile
from streams.importing.report import ImportReport
from tests.schemas.formats.imports import SAMPLE_NAMES, SAMPLES, format_of

ROOT = Path(__file__).resolve().parents[3]
CATALOGS = sorted({format_of(sample) for sample in SAMPLE_NAMES})
SPECIAL = [b'"', b"<", b"&", b"{", b"\xff", b"]]>", b"\n"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def run(name: str, content: bytes) -> ImportReport:
    """Convert bytes. Anything but `InvalidFile` fails the test."""
    report = ImportReport()
    file = OpenedFile("input", BytesIO(content), Head(content), "utf-8")
    try:
        for _ in convert(file, FORMATS[name], ImportOptions(currency="EUR"), report):
            pass
    except InvalidFile as error:
        assert str(error).startswith("input: ")
    return report


@given(data=st.data())
def test_damaged_samples_are_read_or_rejected(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLE_NAMES))
    content = bytearray((SAMPLES / sample).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 40))
        content[at : at + length] = data.draw(st.binary(max_size=8) | st.sampled_from(SPECIAL))
    for name in (format_of(sample), data.draw(st.sampled_from(CATALOGS))):
        run(name, bytes(content))
    for each in FORMATS.values():
        assert 0 <= each.matches(Head(bytes(content))) <= 1


@given(data=st.data())
def test_values_of_any_type_are_read_or_rejected(data: st.DataObject) -> None:
    """JSON of the right keys with values of wrong types."""
    sample = data.draw(st.sampled_from([name for name in SAMPLE_NAMES if name.endswith((".jsonl", ".json"))]))
    row = next(FORMATS[format_of(sample)].rows(BytesIO((SAMPLES / sample).read_bytes()), ImportOptions()))
    fields = dict(row.fields)
    for key in data.draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=4)):
        fields[key] = data.draw(VALUES)
    try:
        content = orjson.dumps(fields)
    except TypeError:  # an integer of more than 64 bits
        return
    report = run(format_of(sample), content + b"\n")
    assert (
        report.rejected + report.skipped + sum(report.events.values()) >= 1 or format_of(sample) == "jsonld"
    )


def test_samples_of_one_format_are_not_taken_for_another() -> None:
    for sample in SAMPLE_NAMES:
        head = Head((SAMPLES / sample).read_bytes())
        scores = {name: each.matches(head) for name, each in FORMATS.items()}
        own = scores.pop(format_of(sample))
        assert own > max(scores.values()), (sample, scores)


GENERATE = """
import resource, sys, tempfile
from pathlib import Path
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from streams.importing.conversion import convert
from streams.importing.opening import opened_files
from streams.importing.report import ImportReport

name, first, item, last, between = sys.argv[1:6]

def peak(count):
    with tempfile.NamedTemporaryFile() as file:
        file.write(first.encode())
        for number in range(count):
            file.write((between if number else "").encode() + item.replace("NUMBER", str(number)).encode())
        file.write(last.encode())
        file.flush()
        report = ImportReport()
        with opened_files(file.name, None) as opened:
            for each in opened:
                events = sum(1 for _ in convert(each, FORMATS[name], ImportOptions(), report))
        assert events == count, report.lines()
        return file.tell(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

small, before = peak(300)
large, after = peak(2500)
print(large, after - before)
"""
TEXT = "clay " * 800
LINE = f'{{"asin": "NUMBER", "title": "Pot", "description": ["{TEXT}"]}}'
ITEM = f"<item><id>NUMBER</id><title>Pot &amp; saucer</title><description>{TEXT}</description></item>"
BIG = {
    "table": ("merchant", "id\ttitle\tdescription\timage_link\n", f"NUMBER\tPot\t{TEXT}\t\n", "", ""),
    "xml": ("merchant", "<rss><channel>", ITEM, "</channel></rss>", ""),
    "lines": ("amazon", "", LINE, "", "\n"),
    "array": ("amazon", "[\n", LINE, "]", ",\n"),
}
"""Format, beginning, row, end, and what is between rows."""


@pytest.mark.parametrize("shape", BIG)
def test_a_big_file_takes_little_memory(shape: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GENERATE, *BIG[shape]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    size, growth = map(int, done.stdout.split())
    assert size > 10_000_000
    assert growth < 4_000_000
