"""Converts files to events that the worker's own codec accepts."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from schemas.codec import DECODERS
from schemas.errors import InvalidEvent, InvalidFile
from schemas.events import Event
from schemas.formats.format import Format, Kind
from schemas.formats.head import Head
from schemas.formats.registry import FORMATS
from schemas.formats.row import Fields, ImportOptions, Row
from streams.importing.opening import DAMAGED, OpenedFile, seekable
from streams.importing.report import ImportReport

AUTO = "auto"
"""The name that stands for the format that a file has."""

CERTAIN = 0.3
"""The least score of a format that is chosen without being named."""


@dataclass(frozen=True, slots=True)
class Converted:
    """An event of a file.

    Args:
        topic: Its topic.
        value: Its JSON, as it is written.
        event: What the codec reads from `value`.
    """

    topic: str
    value: bytes
    event: Event


def detect(head: Head) -> Format:
    """Return the format of a file with this beginning.

    Raises:
        InvalidFile: No format matches well enough; the message says what was seen.
    """
    scores = {name: each.matches(head) for name, each in FORMATS.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= CERTAIN:
        return FORMATS[best]
    if not head.content.strip():
        raise InvalidFile("the file is empty")
    seen = ", ".join(head.header[:8]) or ", ".join(sorted(head.keys)[:8]) or ", ".join(head.tags[:8])
    raise InvalidFile(
        f"the format is not recognized (it begins with: {seen[:300]}); name it instead of auto: "
        f"{', '.join(FORMATS)}"
    )


def convert(
    file: OpenedFile, file_format: Format, options: ImportOptions, report: ImportReport
) -> Iterator[Converted]:
    """Convert a file in bounded memory.

    Args:
        file: The file.
        file_format: Its format.
        options: What the file may not say.
        report: Counts what happens.

    Yields:
        The valid events, in file order.

    Raises:
        InvalidFile: The rest of the file cannot be read. The events before were yielded.
    """
    stream = seekable(file.stream) if file_format.reads_twice else file.stream
    rows = file_format.rows(stream, options)
    while True:
        try:
            row = next(rows, None)
        except InvalidFile as error:
            raise InvalidFile(f"{file.name}: {error}") from error
        except DAMAGED as error:
            raise InvalidFile(f"{file.name}: cannot be read to its end ({error})") from error
        if row is None:
            return
        report.see(row)
        try:
            converted = _events(row, file_format, options, report)
        except InvalidEvent as error:
            report.reject(file.name, row, error)
            continue
        report.skipped += not converted
        report.events.update(each.topic for each in converted)
        yield from converted


def _events(row: Row, file_format: Format, options: ImportOptions, report: ImportReport) -> list[Converted]:
    """The events of a row: all of them are valid, or the row is rejected."""
    if row.fault is not None:
        raise InvalidEvent("unreadable-row", row.fault)
    return [_valid(topic, event, report) for topic, event in file_format.events(row, options)]


def _valid(topic: str, event: Fields, report: ImportReport) -> Converted:
    try:
        value = orjson.dumps(event)
    except (TypeError, ValueError) as error:
        raise InvalidEvent("invalid-row", f"the event is no JSON ({error})") from error
    decoded = DECODERS[topic](value, None)
    price = event.get("price")
    if isinstance(price, dict) and price.get("currency") is None:
        report.warnings["the price has no currency; name it with --currency"] += 1
    return Converted(topic, value, decoded)


def kinds() -> dict[Kind, list[Format]]:
    """Return the formats by kind."""
    return {kind: [each for each in FORMATS.values() if each.kind is kind] for kind in Kind}
