"""Tells what a file really is that should be JSON Lines."""

from collections.abc import Sequence

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "compressed by gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"BZh", "compressed by bzip2"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"{\0", "text in UTF-16"),
    (b"\0{", "text in UTF-16"),
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some editors put before UTF-8. It is skipped."""

_SEPARATORS = {b",": "CSV", b";": "CSV with semicolons", b"\t": "TSV", b"|": "CSV with bars"}


def other_form(lines: Sequence[bytes]) -> str | None:
    """Return what a file is if it is not JSON Lines.

    Args:
        lines: The first lines of the file that are not blank, at most two, without a byte order mark.

    Returns:
        The form in words; None if the file may be JSON Lines.
    """
    if not lines:
        return None
    first = lines[0].lstrip()
    for beginning, form in _BEGINNINGS:
        if lines[0].startswith(beginning):
            return form
    if first.startswith(b"<"):
        return "XML or HTML"
    if first.startswith(b"["):
        return "one JSON array"
    if first.rstrip() == b"{" or (first.startswith(b"{") and first.rstrip().endswith(b",")):
        return "one JSON document over several lines"
    return None if first.startswith(b"{") else _table_form(lines)


def _table_form(lines: Sequence[bytes]) -> str | None:
    """Return the form of a table: both lines have columns, and neither is a JSON object."""
    if any(line.lstrip().startswith(b"{") for line in lines):
        return None
    for separator, form in _SEPARATORS.items():
        if all(separator in line for line in lines):
            return form
    return None
