"""XML elements, one by one and in bounded memory, also of XML that is not well-formed."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, Protocol

from schemas.errors import InvalidFile
from schemas.formats.extras import required_extra
from schemas.formats.row import Row

CUT_OFF = {"ERR_DOCUMENT_END", "ERR_TAG_NOT_FINISHED", "ERR_GT_REQUIRED", "ERR_CDATA_NOT_FINISHED"}
"""libxml2's errors at the end of a file that lacks its rest."""


_LENIENT: dict[str, Any] = {
    "recover": True,
    "huge_tree": True,
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
    "encoding": "utf-8",
}


class Readable(Protocol):
    """What a parser reads from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


@lru_cache(maxsize=4096)
def local_name(tag: str) -> str:
    """Return a tag without namespace and prefix: `id` for `{…}id` and `g:id`."""
    return tag.rpartition("}")[2].rpartition(":")[2]


def xml_rows(
    stream: Readable,
    names: Collection[str],
    fields: Callable[[Any], dict[str, Any]],
    other: Callable[[Any], None] | None = None,
    kept: Collection[str] = (),
) -> Iterator[Row]:
    """Read the elements with one of `names`, each whole, and forget it then.

    lxml recovers from markup that is not well-formed: unknown entities, bare ampersands, undeclared prefixes,
    wrong end tags. External entities are not read.

    Args:
        stream: The file in UTF-8, whatever encoding its declaration names.
        names: Local names of the elements that are rows.
        fields: Turns an element into fields.
        other: Called at the end of each element outside of rows, such as those of a header.
        kept: Local names of elements outside of rows whose children must still be there at their end.

    Yields:
        One row per element.

    Raises:
        InvalidFile: The file has no markup, or ends early. The rows before were yielded.
    """
    with required_extra("Reading XML"):
        from lxml import etree
    parser = etree.iterparse(_Utf8(stream), events=("start", "end"), **_LENIENT)
    used: set[str] = set()
    number, depth, keeping = 0, 0, 0
    try:
        for event, element in parser:
            name = local_name(element.tag) if isinstance(element.tag, str) else ""
            if event == "start":
                depth += name in names
                keeping += name in kept
                continue
            if name in names:
                depth -= 1
                if depth == 0:
                    number += 1
                    yield Row(f"item {number}, line {element.sourceline}", fields(element), used)
            elif depth == 0 and other is not None:
                other(element)
            keeping -= name in kept
            if depth == 0 and keeping == 0:
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise InvalidFile(f"after item {number}: the XML cannot be read ({error.msg})") from error
    _check_end(parser.error_log, number)


def _check_end(errors: Any, number: int) -> None:
    ends = [error for error in errors if error.type_name in CUT_OFF]
    if ends:
        raise InvalidFile(f"after item {number}: the XML is cut off at line {ends[-1].line}")


def _forget(element: Any) -> None:
    """Free a finished element, and those before it in its parent."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


class _Utf8:
    """A stream whose bytes that are no UTF-8 are replaced, since libxml2 ends at them."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def read(self, size: int = -1) -> bytes:
        while True:
            content = self._stream.read(size)
            text = self._decoder.decode(content, final=not content)
            if text or not content:
                return text.encode()


def text_of(element: Any) -> str:
    """Return all text within an element, trimmed."""
    return "".join(element.itertext()).strip()


def nested(element: Any) -> Any:
    """Return an element as its text, or as a dict of its children; repeated children become a list."""
    if len(element) == 0:
        return (element.text or "").strip()
    children: dict[str, Any] = {}
    for child in element:
        name = local_name(child.tag) if isinstance(child.tag, str) else ""
        add(children, name, nested(child))
    return children


def add(fields: dict[str, Any], name: str, value: Any) -> None:
    """Add a value under a name; a second one makes a list."""
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
