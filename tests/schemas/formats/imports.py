"""Helpers of the tests of formats: samples, and conversion of bytes as the command does it."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from streams.importing.conversion import AUTO, convert, detect
from streams.importing.opening import opened_files
from streams.importing.report import ImportReport

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "samples"
GOLDEN = Path(__file__).parent / "golden"
SAMPLE_NAMES = sorted(path.name for path in SAMPLES.iterdir() if (GOLDEN / f"{path.name}.jsonl").exists())
"""The samples of catalogs, whose names begin with that of their format."""


def format_of(sample: str) -> str:
    """The name of a sample's format."""
    return sample.replace(".", "-").partition("-")[0]


def imported(
    content: bytes,
    folder: Path,
    name: str = AUTO,
    encoding: str | None = None,
    options: ImportOptions | None = None,
) -> tuple[list[dict[str, Any]], ImportReport]:
    """The events of a file with this content, and the report."""
    path = folder / "input"
    path.write_bytes(content)
    report = ImportReport()
    events: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for file in stack.enter_context(opened_files(str(path), encoding)):
            file_format = detect(file.head) if name == AUTO else FORMATS[name]
            report.formats.add(file_format.name)
            converted = convert(file, file_format, options or ImportOptions(now=NOW), report)
            events.extend(orjson.loads(each.value) for each in converted)
    return events, report


def golden(sample: str) -> list[dict[str, Any]]:
    """The events that a sample must become."""
    return [orjson.loads(line) for line in (GOLDEN / f"{sample}.jsonl").read_bytes().splitlines()]
