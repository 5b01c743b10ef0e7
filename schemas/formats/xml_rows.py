"""XML elements, one by one and in bounded memory, also of XML that is not well-formed."""

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any

from schemas.errors import InvalidFile
from schemas.formats.extras import required_extra
from schemas.formats.row import Row
from schemas.formats.xml_repair import Readable, RepairedXml

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

    Markup that is not well-formed is repaired, and lxml recovers from the rest: undeclared prefixes, wrong
    end tags. External entities are not read.

    Args:
        stream: The file in UTF-8.
        names: Local names of the elements that are rows.
        fields: Turns an element into fields.
        other: Called at the end of each element outside of rows, such as those of a header.
        kept: Local names of elements outside of rows whose children must still be there at their end.

    Yields:
        One row per element.

    Raises:
        InvalidFile: The file has no markup, or ends early.
    """
    with required_extra("Reading XML"):
        from lxml import etree
    source = RepairedXml(stream)
    parser = etree.iterparse(source, events=("start", "end"), **_LENIENT)
    used: set[str] = set()
    number = depth = keeping = 0
    try:
        for event, element in parser:
            name = local_name(element.tag) if isinstance(element.tag, str) else ""
            step = 1 if event == "start" else -1
            depth += step * (name in names)
            keeping += step * (name in kept)
            if event == "start":
                continue
            if name in names:
                # After a missing end tag a row is within another one.
                number += 1
                yield Row(f"item {number}, line {element.sourceline}", fields(element), used)
                element.clear()
            elif depth == 0 and other is not None:
                other(element)
            if depth == 0 and keeping == 0:
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise InvalidFile(f"after item {number}: the XML cannot be read ({error})") from error
    _check_end(parser.root, source.last_end_tag(), number)


def _check_end(root: Any, end_tag: str, number: int) -> None:
    """Raise InvalidFile unless the file ends with its root element."""
    if root is None or local_name(end_tag) != local_name(root.tag):
        raise InvalidFile(f"after item {number}: the XML is cut off; its first element is not closed")


def _forget(element: Any) -> None:
    """Free a finished element, and those before it in its parent."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


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
